//! The commands around the life of a service or task.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Command, Service};

/// A command around the life of a service or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// `before-start`.
    BeforeStart,
    /// `after-ready`.
    AfterReady,
    /// The command of `stop`.
    Stop,
    /// `after-stop`.
    AfterStop,
    /// `on-failure`.
    OnFailure,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 5] =
        [Self::BeforeStart, Self::AfterReady, Self::Stop, Self::AfterStop, Self::OnFailure];

    /// What a service has for it, in its order.
    pub fn commands(self, service: &Service) -> &[Command] {
        match self {
            Self::BeforeStart => &service.hooks.before_start,
            Self::AfterReady => &service.hooks.after_ready,
            Self::AfterStop => &service.hooks.after_stop,
            Self::OnFailure => &service.hooks.on_failure,
            Self::Stop => service.stop.command.as_slice(),
        }
    }

    /// The hook's node in the stack file.
    pub fn key(self) -> &'static str {
        match self {
            Self::BeforeStart => "before-start",
            Self::AfterReady => "after-ready",
            Self::Stop => "stop",
            Self::AfterStop => "after-stop",
            Self::OnFailure => "on-failure",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Hook {
    type Err = String;

    fn from_str(key: &str) -> Result<Self, String> {
        let hook = Self::ALL.into_iter().find(|hook| hook.key() == key);
        hook.ok_or_else(|| format!("there is no hook `{key}`"))
    }
}
