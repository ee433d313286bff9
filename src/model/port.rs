//! Ports that a service listens on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Where a service is found that does not say.
const LOOPBACK: &str = "127.0.0.1";

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

    /// Where HTTP is spoken on it: `http://127.0.0.1:8000`. What listens on all addresses is found
    /// at the loopback one.
    pub fn url(&self, number: u16) -> String {
        let host = match self.address() {
            Some(IpAddr::V4(address)) if address.is_unspecified() => LOOPBACK.to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) if address.is_unspecified() => LOOPBACK.to_owned(),
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            None => self.host.clone().unwrap_or_else(|| LOOPBACK.to_owned()),
        };
        format!("http://{host}:{number}")
    }

    /// The number that the file gives it, unless it leaves that open.
    pub fn declared(&self) -> Option<u16> {
        self.number.fixed().filter(|_| self.busy != Busy::Next)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_where_it_listens() {
        for (host, url) in [
            (None, "http://127.0.0.1:80"),
            (Some("localhost"), "http://localhost:80"),
            (Some("127.0.0.5"), "http://127.0.0.5:80"),
            (Some("0.0.0.0"), "http://127.0.0.1:80"),
            (Some("::"), "http://127.0.0.1:80"),
            (Some("::1"), "http://[::1]:80"),
            (Some("[::1]"), "http://[::1]:80"),
        ] {
            let port = Port {
                name: None,
                number: PortNumber::Fixed(80),
                host: host.map(str::to_owned),
                busy: Busy::Ask,
                share: false,
                any_owner: false,
            };
            assert_eq!(port.url(80), url, "{host:?}");
        }
    }
}
