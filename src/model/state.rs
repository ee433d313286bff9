//! The states of services and tasks, as users see them.

use serde::{Deserialize, Serialize};

/// The state of a service or task. In JSON `is` tells which of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "is", content = "state", rename_all = "kebab-case")]
pub enum State {
    /// Of a service.
    Service(ServiceState),
    /// Of a task.
    Task(TaskState),
}

/// The states of a service, as users see them.
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

/// The states of a task, as users see them.
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
