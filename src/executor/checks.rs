//! One attempt of one check: connect, ask, run, look. An attempt is a future; dropping it ends
//! whatever it had started.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::net::TcpStream;

use super::{
    check_command::CheckCommand,
    foreground::Foreground,
    http::HttpRequest,
    listener_owner::{LOOPBACK, Owner},
    log_search::LogSearch,
};
use crate::{
    core::lifecycle::{ProbeAnswer, millis},
    event::Tick,
    platform,
    reason::{CheckAnswer, CheckLabel, FailedCheck},
};

/// A check with everything filled in, and what it has learnt from earlier attempts.
#[derive(Debug)]
pub(super) enum Attempt {
    /// These ports are listened on (by the service's own processes).
    Listening(Vec<Endpoint>),
    /// These ports accept a connection.
    Tcp(Vec<Endpoint>),
    /// A request is answered as expected.
    Http(Box<HttpRequest>),
    /// A command exits with 0.
    Command(CheckCommand),
    /// The log has a line that matches.
    Prints(LogSearch),
    /// The service has said so itself (sd_notify(3)).
    Notified(Arc<AtomicBool>),
    /// This much time has passed since the start.
    Delay { started: Tick, delay: Duration },
    /// Its main process stays: asked once everything else holds.
    Foreground(Foreground),
    /// It cannot be asked at all.
    Broken(FailedCheck),
}

/// A port to ask, and who must be listening on it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// A host, where the file names one.
    pub(super) host: Option<String>,
    /// The port.
    pub(super) port: u16,
    /// Whose processes must listen; `None` where anybody may.
    pub(super) owner: Option<Owner>,
}

impl Attempt {
    /// Whether an attempt starts a process, which costs more than a system call.
    pub(super) fn is_expensive(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// How long to wait before asking makes sense at all.
    pub(super) fn not_before(&self, now: Tick) -> Option<Duration> {
        match self {
            Self::Delay { started, delay } => Some((*started + *delay).since(now)),
            Self::Listening(_)
            | Self::Tcp(_)
            | Self::Http(_)
            | Self::Command(_)
            | Self::Prints(_)
            | Self::Notified(_)
            | Self::Foreground(_)
            | Self::Broken(_) => None,
        }
    }

    /// Asks once.
    pub(super) async fn ask(&mut self, timeout: Duration) -> ProbeAnswer {
        let result = match self {
            // A command brings its own time-out, so that its tree is killed before the answer.
            Self::Command(command) => command.run(timeout).await,
            Self::Listening(_)
            | Self::Tcp(_)
            | Self::Http(_)
            | Self::Prints(_)
            | Self::Notified(_)
            | Self::Delay { .. }
            | Self::Foreground(_)
            | Self::Broken(_) => {
                let late = |_| Err(CheckAnswer::NoAnswer { within_ms: millis(timeout) });
                tokio::time::timeout(timeout, self.ask_unbounded()).await.unwrap_or_else(late)
            }
        };
        match result {
            Ok(()) => ProbeAnswer::Holds,
            Err(answer) => ProbeAnswer::Fails(FailedCheck { check: self.label(), answer }),
        }
    }

    async fn ask_unbounded(&mut self) -> Result<(), CheckAnswer> {
        match self {
            Self::Listening(endpoints) => endpoints.iter().try_for_each(Endpoint::listened_on),
            Self::Tcp(endpoints) => {
                for endpoint in endpoints {
                    endpoint.connect().await?;
                }
                Ok(())
            }
            Self::Http(request) => request.send().await,
            Self::Prints(search) => search.look(),
            Self::Notified(said) if said.load(Ordering::Acquire) => Ok(()),
            Self::Notified(_) => Err(CheckAnswer::NotNotified),
            Self::Delay { started, delay } => {
                let passed = platform::now().since(*started);
                if passed >= *delay { Ok(()) } else { Err(CheckAnswer::TooEarly) }
            }
            Self::Command(_) => Ok(()),
            Self::Foreground(foreground) => Ok(foreground.holds()?),
            Self::Broken(failed) => Err(failed.answer.clone()),
        }
    }

    fn label(&self) -> CheckLabel {
        let ports = |endpoints: &[Endpoint]| endpoints.iter().map(|at| at.port).collect();
        match self {
            Self::Listening(endpoints) => CheckLabel::Listening { ports: ports(endpoints) },
            Self::Tcp(endpoints) => CheckLabel::Tcp { ports: ports(endpoints) },
            Self::Http(request) => CheckLabel::Http { target: request.label.clone() },
            Self::Command(command) => CheckLabel::Command { command: command.label().to_owned() },
            Self::Prints(search) => CheckLabel::Prints { pattern: search.pattern().to_owned() },
            Self::Notified(_) => CheckLabel::Notify,
            Self::Delay { delay, .. } => CheckLabel::Delay { delay_ms: millis(*delay) },
            Self::Foreground(_) => CheckLabel::Foreground,
            Self::Broken(failed) => failed.check.clone(),
        }
    }
}

impl Endpoint {
    /// Somebody who may listens on the port.
    fn listened_on(&self) -> Result<(), CheckAnswer> {
        let host = self.host.as_deref().and_then(|host| host.parse().ok());
        match &self.owner {
            Some(owner) => owner.listens_on(self.port, host),
            None => match platform::in_the_way(self.port, host) {
                Ok(listeners) if listeners.is_empty() => {
                    Err(CheckAnswer::NothingListens { port: self.port, instead: Vec::new() })
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string().into()),
            },
        }
    }

    /// A connection to the port, which only a proper owner may have accepted.
    pub(super) async fn connect(&self) -> Result<TcpStream, CheckAnswer> {
        // Asked first: a stranger on the port must not even see a request.
        if self.owner.is_some() {
            self.listened_on()?;
        }
        let mut refusal = None;
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    // An address that this machine has not, as those of IPv6 in many containers,
                    // tells nothing about the server.
                    let unknown = |error: &io::Error| error.kind() == ErrorKind::AddrNotAvailable;
                    if refusal.as_ref().is_none_or(unknown) {
                        refusal = Some(error);
                    }
                }
            }
        }
        Err(refusal.map_or_else(String::new, |error| super::io_errors::os_error(&error)).into())
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        match self.host.as_deref() {
            None | Some("localhost") => {
                Ok(LOOPBACK.map(|ip| SocketAddr::new(ip, self.port)).to_vec())
            }
            Some(host) => match tokio::net::lookup_host((host, self.port)).await {
                Ok(found) => Ok(found.collect()),
                Err(error) => Err(format!("{host}: {}", super::io_errors::os_error(&error))),
            },
        }
    }
}

/// The environment of a check's command, ready for duct.
pub(super) type Environment = BTreeMap<String, String>;
