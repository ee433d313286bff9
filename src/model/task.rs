//! A command that ends: a build, a migration, a backup.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Command, EnvValue, ExitPattern, LogPolicy, Need, Text, Tool};

/// A task as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub body: TaskBody,
    /// Working directory, absolute.
    #[serde(with = "crate::model::path_text")]
    pub dir: PathBuf,
    /// What the file says of its environment, all layers merged.
    pub env: BTreeMap<String, EnvValue>,
    /// What must be ready or done before it runs.
    pub needs: Vec<Need>,
    /// What it runs after, if that is started too.
    pub after: Vec<String>,
    /// Ends that are no failure, besides status 0.
    pub succeeds_with: Vec<ExitPattern>,
    /// Services that must be down meanwhile, with everything that needs them.
    pub without: Vec<String>,
    /// Steps after a failure.
    pub on_failure: Vec<Step>,
    /// A question to ask first.
    pub confirm: Option<Text>,
    /// Files of earlier runs to tidy after a success.
    pub keep: Vec<Keep>,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How often to try again after a failure.
    pub retries: u32,
    /// Globs, absolute: skip the run while none of these files changed.
    pub inputs: Vec<String>,
    /// Globs, absolute, that must exist for a run to be skipped.
    pub outputs: Vec<String>,
    /// When to run by itself (five cron fields).
    pub schedule: Option<String>,
    /// Programs that must be there.
    pub tools: Vec<Tool>,
    /// How its output is kept.
    pub log: LogPolicy,
    /// A one-line description.
    pub describe: Option<Text>,
}

impl Task {
    /// A task with every default.
    pub fn new(name: impl Into<String>, dir: impl Into<PathBuf>, body: TaskBody) -> Self {
        Self {
            name: name.into(),
            body,
            dir: dir.into(),
            env: BTreeMap::new(),
            needs: Vec::new(),
            after: Vec::new(),
            succeeds_with: Vec::new(),
            without: Vec::new(),
            on_failure: Vec::new(),
            confirm: None,
            keep: Vec::new(),
            timeout: None,
            retries: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            schedule: None,
            tools: Vec::new(),
            log: LogPolicy::default(),
            describe: None,
        }
    }
}

/// What a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskBody {
    /// One command.
    Command(Command),
    /// Several, in order; the first failure ends the task.
    Steps(Vec<Step>),
}

/// One step of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: StepCommand,
    /// Working directory, absolute.
    #[serde(with = "crate::model::path_text")]
    pub dir: PathBuf,
    /// Environment over the task's.
    pub env: BTreeMap<String, EnvValue>,
    /// A file to read from (absolute).
    pub stdin: Option<Text>,
    /// A file to write to (absolute): written aside, renamed into place on success.
    pub stdout: Option<Text>,
}

/// What a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepCommand {
    /// One command.
    Command(Command),
    /// Each one's output is the next one's input; any failure fails the step.
    Pipe(Vec<Command>),
}

/// Files of earlier runs to tidy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The files, absolute.
    pub glob: String,
    /// Keep this many of the newest.
    pub newest: Option<u32>,
    /// Delete what is older; the newest never goes.
    pub max_age: Option<Duration>,
}
