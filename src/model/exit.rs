//! How a process ended.

use serde::{Deserialize, Serialize};

use super::Signal;

/// How a process ended, as far as anybody can know: never invented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// A signal ended it.
    Signal(Signal),
    /// It ended while nobody who may know was watching. Always `true`.
    Unknown(bool),
}

impl Exit {
    /// Status 0.
    pub const SUCCESS: Self = Self::Code(0);
    /// The end that nobody saw.
    pub const UNKNOWN: Self = Self::Unknown(true);

    /// The status a shell would report: the code, or 128 and the signal's number; 1 if unknown.
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal.number(),
            Self::Unknown(_) => 1,
        }
    }

    /// The status of a program that fails because of this end: the one a shell would report, but
    /// never 0, and 1 for what is no exit status.
    pub fn failure_code(self) -> u8 {
        u8::try_from(self.shell_status()).unwrap_or(1).max(1)
    }

    /// Whether this end is no failure: status 0 or one of `patterns`.
    pub fn is_success(self, patterns: &[ExitPattern]) -> bool {
        self == Self::SUCCESS
            || patterns.iter().any(|pattern| match (pattern, self) {
                (ExitPattern::Code(want), Self::Code(code)) => *want == code,
                (ExitPattern::Signal(want), Self::Signal(signal)) => *want == signal,
                (ExitPattern::Code(_) | ExitPattern::Signal(_), _) => false,
            })
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Unknown(_) => f.write_str("exit unknown"),
        }
    }
}

/// An end that is no failure (`succeeds-with`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitPattern {
    /// An exit status.
    Code(i32),
    /// A signal.
    Signal(Signal),
}
