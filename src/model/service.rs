//! A long-running process.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Alive, Command, EnvValue, ExitPattern, Hooks, Limits, LogPolicy, Need, Port, Ready, Restart,
    Stop, Text, Tool, User, Watch,
};

/// A service as its file, template, profile and the defaults have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What to run; `None` for one that runs elsewhere (`external`).
    pub command: Option<Command>,
    /// Whether `up` without names starts it.
    pub autostart: bool,
    /// Working directory, absolute.
    pub dir: PathBuf,
    /// What the file says of its environment, all layers merged, its ports' variables included.
    /// It lies over the caller's environment.
    pub env: BTreeMap<String, EnvValue>,
    /// What must be ready or done before it starts.
    pub needs: Vec<Need>,
    /// What it starts after, if that is started too.
    pub after: Vec<String>,
    /// The ports that it listens on.
    pub ports: Vec<Port>,
    /// When it counts as ready.
    pub ready: Ready,
    /// When it stops being healthy.
    pub alive: Option<Alive>,
    /// When it is started again.
    pub restart: Restart,
    /// Ends that are no failure, besides status 0.
    pub succeeds_with: Vec<ExitPattern>,
    /// How it is stopped.
    pub stop: Stop,
    /// Files or globs to delete around a start, absolute; a folder ends with `/`.
    pub cleanup: Vec<String>,
    /// Restart when the tree's memory passes this many bytes.
    pub memory_max: Option<u64>,
    /// Resource limits.
    pub limits: Limits,
    /// How its output is kept.
    pub log: LogPolicy,
    /// Whether stdin never ends (`stdin "open"`).
    pub stdin_open: bool,
    /// The user to run as.
    pub user: Option<User>,
    /// Whether it runs on a pseudo-terminal.
    pub tty: bool,
    /// Whether to ask programs for colour.
    pub color: bool,
    /// Files whose change restarts it.
    pub watch: Vec<Watch>,
    /// Commands around its life.
    pub hooks: Hooks,
    /// Programs that must be there.
    pub tools: Vec<Tool>,
    /// How many copies; 1 without `replicas`.
    pub replicas: u32,
    /// A line for people.
    pub describe: Option<Text>,
    /// Where to find it.
    pub url: Option<Text>,
    /// Whether to open `url` in a browser once it is ready.
    pub url_open: bool,
}

impl Service {
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
        }
    }

    /// Whether stackrun itself has nothing to run for it.
    pub fn is_external(&self) -> bool {
        self.command.is_none()
    }
}
