//! How a service shows that it is ready, and that it still is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Command, StatusSet, Text};

/// One condition of `ready` or `alive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A TCP connection is accepted: on every declared port (`None`) or on one.
    Tcp(Option<PortRef>),
    /// An HTTP request is answered as expected.
    Http(HttpCheck),
    /// A command exits with 0.
    Command(Command),
    /// A line printed since this start matches a regular expression.
    Prints(String),
    /// The service sends `READY=1` (sd_notify).
    Notify,
    /// This much time has passed since the start.
    Delay(Duration),
}

/// A port that a check names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortRef {
    /// By number: one of the service's own, or any other.
    Number(u16),
    /// By the name of a declared port.
    Name(String),
}

/// An HTTP request and the answers that will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Where to ask.
    pub target: HttpTarget,
    /// The statuses that will do; any 2xx and 3xx without.
    pub status: Option<StatusSet>,
    /// Headers to send, in order.
    pub headers: Vec<(String, Text)>,
    /// Whether to accept any certificate.
    pub insecure: bool,
}

/// Where an HTTP check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpTarget {
    /// A path on one of the service's own ports (its first without a name).
    Path {
        /// Path and query, beginning with `/`.
        path: Text,
        /// The name of the port.
        port: Option<String>,
    },
    /// A whole URL.
    Url(Text),
}

/// When a service counts as ready. Without checks: every declared port is listened on by the
/// service's own processes; with no port either, the process has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// All of these must hold.
    pub checks: Vec<Check>,
    /// How long a start may take.
    pub within: Duration,
    /// The longest pause between two attempts.
    pub every: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl Default for Ready {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            within: Duration::from_secs(60),
            every: Duration::from_millis(100),
            timeout: Duration::from_secs(5),
        }
    }
}

/// When a service that is ready stops being so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// All of these must hold.
    pub checks: Vec<Check>,
    /// The time from one attempt to the next.
    pub every: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// This many failures in a row are too many.
    pub failures: u32,
    /// The shortest time between two restarts for this reason.
    pub cooldown: Duration,
}

impl Default for Alive {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            failures: 3,
            cooldown: Duration::from_secs(60),
        }
    }
}
