//! Ports that a service listens on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A port that a service listens on. The first one of a service is `{{port}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The port's name, for `{{port.NAME}}` and `PORT_NAME`.
    pub name: Option<String>,
    /// Its number.
    pub number: PortNumber,
    /// Where checks connect to; both loopback addresses without one.
    pub host: Option<String>,
    /// What to do when somebody else holds it.
    pub busy: Busy,
    /// Whether stackrun holds the listening socket and hands it over (`LISTEN_FDS`).
    pub share: bool,
    /// Whether the listener may be a process outside the service's tree (`owner="any"`).
    pub any_owner: bool,
}

impl Port {
    /// The address that it listens on, where the file says so with one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.as_deref()?.trim_matches(['[', ']']).parse().ok()
    }

    /// Whether another number would do where somebody else holds this one.
    pub fn may_move(&self) -> bool {
        self.number == PortNumber::Auto || self.busy == Busy::Next
    }
}

/// A port's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortNumber {
    /// As the file says.
    Fixed(u16),
    /// A free one, the same at every start of this stack as long as it is free.
    Auto,
}

impl PortNumber {
    /// The number, where the file gives it.
    pub fn fixed(self) -> Option<u16> {
        match self {
            Self::Fixed(number) => Some(number),
            Self::Auto => None,
        }
    }
}

/// What to do when somebody else holds a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Busy {
    /// Ask at a terminal; fail without one.
    #[default]
    Ask,
    /// Stop the holder, if it is the user's own.
    Take,
    /// Use the next free port.
    Next,
    /// Fail the start.
    Fail,
}
