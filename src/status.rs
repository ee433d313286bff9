//! What `status` shows: the state of a whole stack at one moment, as plain data.
//!
//! This is the published JSON (`status --json`) and also what the supervisor sends to its
//! clients, so a reporter that starts late begins with a [`Status`] and folds [`crate::event`]
//! records into it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::Exit;

/// A stack at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of this format: 1.
    pub format: u32,
    /// The stack's name.
    pub stack: String,
    /// Its file, as seen from its folder.
    #[serde(with = "crate::model::path_text")]
    pub file: PathBuf,
    /// Its supervisor; none with nothing running.
    pub supervisor: Option<SupervisorStatus>,
    /// Its services, in the order of the file.
    pub services: Vec<ServiceStatus>,
    /// Its tasks, in the order of the file.
    pub tasks: Vec<TaskStatus>,
    /// Things a person should know: a changed file, a full disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// The supervisor of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorStatus {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Since when it runs.
    pub since: jiff::Timestamp,
}

/// A service at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ServiceState,
    /// Why it is not ready, in one line; none where there is nothing to explain.
    pub reason: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Its start, counted from 1; 0 before the first.
    pub generation: u64,
    /// Its ports.
    pub ports: Vec<PortStatus>,
    /// Since when it is in this state.
    pub since: Option<jiff::Timestamp>,
    /// How long its process has been running.
    pub uptime_ms: Option<u64>,
    /// How often it was started again by itself or on request since `up`.
    pub restarts: u64,
    /// How its last process ended.
    pub exit: Option<Exit>,
    /// How many processes it has now.
    pub processes: usize,
    /// The memory of its whole tree.
    pub memory_bytes: u64,
    /// The processor time of its whole tree.
    pub cpu_percent: f64,
    /// What it needs.
    pub needs: Vec<String>,
    /// Where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
    /// Things a person should know of it, however well it is: a watch that is paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// Its name.
    pub name: Option<String>,
    /// Its number; 0 for one that is not chosen yet.
    pub port: u16,
}

/// A task at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: TaskState,
    /// Why it is not done, in one line.
    pub reason: Option<String>,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Since when it is in this state.
    pub since: Option<jiff::Timestamp>,
    /// When it runs next by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<jiff::Timestamp>,
    /// What it needs.
    #[serde(default)]
    pub needs: Vec<String>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
}

/// The states of a service, as people see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Not wanted, not running.
    Idle,
    /// Wanted; its needs do not hold yet.
    Waiting,
    /// Its start is on the way.
    Starting,
    /// All its checks hold.
    Ready,
    /// It runs, was ready, and is not any more.
    Unhealthy,
    /// Its stop is on the way.
    Stopping,
    /// It failed and will be started again after a pause.
    Backoff,
    /// It ended by itself, and that is no failure.
    Exited,
    /// It failed and stays down until somebody asks.
    Failed,
}

/// The states of a task, as people see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Not run yet.
    Idle,
    /// Wanted; its needs do not hold yet.
    Waiting,
    /// On the way.
    Running,
    /// Ended well.
    Done,
    /// Failed.
    Failed,
    /// Did not have to run.
    Skipped,
}

macro_rules! display_as_serde {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word in the published JSON.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

display_as_serde!(ServiceState {
    Idle => "idle", Waiting => "waiting", Starting => "starting", Ready => "ready",
    Unhealthy => "unhealthy", Stopping => "stopping", Backoff => "backoff",
    Exited => "exited", Failed => "failed",
});
display_as_serde!(TaskState {
    Idle => "idle", Waiting => "waiting", Running => "running", Done => "done",
    Failed => "failed", Skipped => "skipped",
});
