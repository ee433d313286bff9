//! What to run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Text;

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// `run`: a program and its arguments, no shell. Never empty.
    Run(Vec<Text>),
    /// `shell`: a script for a shell.
    Shell {
        /// The script.
        script: Text,
        /// The shell (`with="bash"`); the platform's own without one.
        with: Option<String>,
    },
}

/// The value of one environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvValue {
    /// The value; `None` unsets the variable.
    pub value: Option<Text>,
    /// Masked wherever it would be shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// The env file that it was read from.
    #[serde(default, rename = "env-file", skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

impl EnvValue {
    /// A value that the stack file gives, and that is no secret.
    pub fn open(value: impl Into<Text>) -> Self {
        Self { value: Some(value.into()), secret: false, file: None }
    }
}

/// Commands around the life of a service, each run in its folder and environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hooks {
    /// Before the service's process; a failure fails the start.
    pub before_start: Vec<Command>,
    /// Once it is ready.
    pub after_ready: Vec<Command>,
    /// Once its whole tree is gone.
    pub after_stop: Vec<Command>,
    /// When it ends up failed.
    pub on_failure: Vec<Command>,
}

/// A program that must be there before anything is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// A name to look up in the service's PATH, or a path.
    pub program: Text,
    /// The versions that will do, such as `>=18`.
    pub version: Option<String>,
    /// How to get it.
    pub hint: Option<String>,
}

/// A word as a shell would want it.
pub fn shell_word(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./=:@%+,".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
