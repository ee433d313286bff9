//! A long-running process.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Alive, Command, EnvValue, ExitPattern, Hooks, Limits, LogPolicy, Need, Port, Ready, Restart,
    RestartWhen, Stop, Text, Tool, User, Watch, is_default,
};

/// A service as its file, template, profile and the defaults have it. What is as it is by default is
/// not written down: in most services that is nearly everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What to run; `None` for one that runs elsewhere (`external`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub command: Option<Command>,
    /// Whether `up` without names starts it.
    pub autostart: bool,
    /// Working directory, absolute.
    #[serde(with = "crate::model::path_text")]
    pub dir: PathBuf,
    /// What the file says of its environment, all layers merged, its ports' variables included.
    /// It lies over the caller's environment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: BTreeMap<String, EnvValue>,
    /// What must be ready or done before it starts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs: Vec<Need>,
    /// What it starts after, if that is started too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: Vec<String>,
    /// The ports that it listens on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ports: Vec<Port>,
    /// When it counts as ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ready: Ready,
    /// When it stops being healthy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alive: Option<Alive>,
    /// When it is started again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: Restart,
    /// Ends that are no failure, besides status 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub succeeds_with: Vec<ExitPattern>,
    /// How it is stopped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop: Stop,
    /// Files or globs to delete around a start, absolute; a folder ends with `/`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cleanup: Vec<String>,
    /// Restart when the tree's memory passes this many bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_max: Option<u64>,
    /// Resource limits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// How its output is kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log: LogPolicy,
    /// Whether stdin never ends (`stdin "open"`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub stdin_open: bool,
    /// The user to run as.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user: Option<User>,
    /// Whether it runs on a pseudo-terminal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tty: bool,
    /// Whether to ask programs for colour.
    #[serde(default, skip_serializing_if = "is_default")]
    pub color: bool,
    /// Files whose change restarts it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub watch: Vec<Watch>,
    /// Commands around its life.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hooks: Hooks,
    /// Programs that must be there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tools: Vec<Tool>,
    /// How many copies; 1 without `replicas`.
    pub replicas: u32,
    /// A one-line description.
    #[serde(default, skip_serializing_if = "is_default")]
    pub describe: Option<Text>,
    /// Where to find it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub url: Option<Text>,
    /// Whether to open `url` in a browser once it is ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub url_open: bool,
    /// Whether it was found running, and what stackrun knew of its definition is lost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_lost: bool,
}

impl Service {
    /// The port that is declared with this number; not one that is found at the start.
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number.fixed() == Some(number))
    }

    /// A service with every default, as a starting point.
    pub fn new(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            command: None,
            autostart: true,
            dir: dir.into(),
            env: BTreeMap::new(),
            needs: Vec::new(),
            after: Vec::new(),
            ports: Vec::new(),
            ready: Ready::default(),
            alive: None,
            restart: Restart::default(),
            succeeds_with: Vec::new(),
            stop: Stop::default(),
            cleanup: Vec::new(),
            memory_max: None,
            limits: Limits::default(),
            log: LogPolicy::default(),
            stdin_open: false,
            user: None,
            tty: false,
            color: false,
            watch: Vec::new(),
            hooks: Hooks::default(),
            tools: Vec::new(),
            replicas: 1,
            describe: None,
            url: None,
            url_open: false,
            is_lost: false,
        }
    }

    /// A service that was found running. It can be watched and stopped; once it has ended it is not
    /// started again by itself, for nobody knows how.
    pub fn lost(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        let restart = Restart { when: RestartWhen::Never, ..Restart::default() };
        Self { is_lost: true, restart, ..Self::new(name, dir) }
    }

    /// Whether anything tells when it is ready: a check, or a port that it listens on. What runs
    /// elsewhere is not started here, and so not doubted.
    pub fn is_checked(&self) -> bool {
        !self.ready.checks.is_empty() || !self.ports.is_empty() || self.is_external()
    }

    /// Whether stackrun itself has nothing to run for it.
    pub fn is_external(&self) -> bool {
        self.command.is_none() && !self.is_lost
    }
}
