//! A check that does not hold: what was asked, and what came back.

use serde::{Deserialize, Serialize};

use crate::model::Exit;

/// A check that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredCheck")]
pub struct FailedCheck {
    /// What was asked.
    pub check: CheckLabel,
    /// What came back.
    pub answer: CheckAnswer,
}

/// A failed check as it is stored: earlier versions had a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredCheck {
    Data { check: CheckLabel, answer: CheckAnswer },
    Text(String),
}

impl From<StoredCheck> for FailedCheck {
    fn from(stored: StoredCheck) -> Self {
        match stored {
            StoredCheck::Data { check, answer } => Self { check, answer },
            StoredCheck::Text(text) => {
                Self { check: CheckLabel::Other(text), answer: CheckAnswer::Error("failed".into()) }
            }
        }
    }
}

/// What a check asks, with everything filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CheckLabel {
    /// These ports are listened on.
    Listening {
        /// The ports.
        ports: Vec<u16>,
    },
    /// These ports accept a connection.
    Tcp {
        /// The ports.
        ports: Vec<u16>,
    },
    /// A request is answered as expected.
    Http {
        /// The path, or the whole URL.
        target: String,
    },
    /// A command exits with 0.
    Command {
        /// The command line.
        command: String,
    },
    /// The log has a line that matches.
    Prints {
        /// The regular expression.
        pattern: String,
    },
    /// The service has sent READY=1 (sd_notify(3)).
    Notify,
    /// Time has passed since the start.
    Delay {
        /// How much.
        delay_ms: u64,
    },
    /// The main process stays.
    Foreground,
    /// One of an earlier version, as it named it.
    #[serde(untagged)]
    Other(String),
}

/// The answer of a check that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CheckAnswer {
    /// An HTTP status that was not expected.
    Status {
        /// The status.
        code: u16,
    },
    /// Nothing listens on the port.
    NothingListens {
        /// The port.
        port: u16,
        /// On what the service listens in its place.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        instead: Vec<u16>,
    },
    /// Nothing listens on the port at this address, but something does at another one.
    OtherAddress {
        /// The port.
        port: u16,
        /// The address.
        host: String,
        /// The other one.
        instead: String,
    },
    /// A process that is none of the service's listens on the port.
    HeldByOther {
        /// The port.
        port: u16,
        /// Who that is.
        holder: String,
    },
    /// Nothing came in time.
    NoAnswer {
        /// How long it was waited for.
        within_ms: u64,
    },
    /// No line has matched so far.
    NoLine,
    /// READY=1 has not come so far.
    NotNotified,
    /// The time is not over.
    TooEarly,
    /// A command failed.
    Exit {
        /// How.
        exit: Exit,
        /// The last line that it printed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// An error, as the system words it.
    #[serde(untagged)]
    Error(String),
}

impl From<String> for CheckAnswer {
    fn from(error: String) -> Self {
        Self::Error(error)
    }
}
