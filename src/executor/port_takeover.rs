//! Claiming a port that somebody holds: whoever may be stopped for it is stopped.
//!
//! What an earlier run of this stack left is swept without asking. A stranger is stopped where
//! the file (`busy="take"`) or the user (`up --take-ports`) says so. A service of another stack
//! never is: that stack would start it again, and there is a command that stops it. The own user's
//! processes alone.

use std::{net::IpAddr, time::Duration};

use super::{Internal, listener_owner, state::Executor};
use crate::{
    control::{ProcessOwner, owners},
    core::lifecycle::{self, PortsAnswer},
    event::{Cause, Event},
    model::{Busy, Port},
    platform::{self, Holder, Mark, StackPaths},
    status::ServiceState,
};

/// How many processes in a row may be stopped for one port: several can share it.
const HOLDERS: usize = 8;
/// How long a port may take to be free after its holder has ended.
const RELEASE: Duration = Duration::from_secs(1);

/// A port that somebody holds, and who may be stopped for it.
#[derive(Debug)]
struct Claim {
    port: u16,
    /// The address that is to be had, if that is known.
    host: Option<IpAddr>,
    places: StackPaths,
    /// The name of this stack.
    stack: String,
    /// The main processes and hooks of this stack that run.
    units: Vec<(String, u32)>,
    /// Whether strangers may be stopped for it.
    takes: bool,
}

/// Whose the holder of a port is.
enum Whose {
    /// Part of this service of this stack, which runs.
    Own(String),
    /// What an earlier start of this service has left, which is known by this mark.
    Leftover(Mark),
    Other(ProcessOwner),
    Nobody,
}

/// What became of a claim.
#[derive(Debug)]
pub(super) struct Claimed {
    port: u16,
    /// Who was stopped.
    stopped: Vec<String>,
    /// The port is still held by this one.
    held: Option<String>,
}

impl Executor {
    /// Claims a port for a service that is about to start, and tells [`Internal::Claimed`].
    /// `claimed` have been claimed for this start already.
    pub(super) fn claim(&self, name: &str, generation: u64, port: u16, claimed: Vec<u16>) {
        let service = self.service(name);
        let declared = service.and_then(|service| {
            self.ports.all(service).find(|(_, number)| *number == port).map(|(port, _)| port)
        });
        // Once is enough: whoever comes back at once would come back for ever. And one that may
        // have another number gives way.
        let takes = !claimed.contains(&port)
            && !service.is_some_and(|service| self.ports.may_move(service, port))
            && (self.clients.takes_ports() || declared.is_some_and(|it| it.busy == Busy::Take));
        let units = self.units.iter();
        let units = units.map(|(id, unit)| (id.name(), unit.owner.main)).collect();
        let host = declared.and_then(Port::address);
        let (places, stack) = (self.places.clone(), self.core.stack().name.clone());
        let claim = Claim { port, host, places, stack, units, takes };
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let claimed_now = tokio::task::spawn_blocking(move || claim.carry_out()).await;
            let result = claimed_now.unwrap_or_else(|error| Claimed {
                port,
                stopped: Vec::new(),
                held: Some(format!("somebody ({error})")),
            });
            let _ = internal.send(Internal::Claimed { name, generation, claimed, result });
        });
    }

    /// Goes on with a start, or ends it.
    pub(super) fn claimed(
        &mut self,
        name: &str,
        generation: u64,
        mut claimed: Vec<u16>,
        result: Claimed,
    ) {
        let Claimed { port, stopped, held } = result;
        for holder in stopped {
            let text = format!("port {port} was held by {holder}: it was stopped");
            self.publish(Some(name), Some(generation), Event::notice(text), Cause::Supervisor);
        }
        let may_move = self.service(name).is_some_and(|service| self.ports.may_move(service, port));
        if let Some(holder) = held.as_ref().filter(|_| may_move) {
            let text = format!("port {port} is held by {holder}: the next free one is used");
            self.publish(Some(name), Some(generation), Event::notice(text), Cause::Supervisor);
        }
        if let Some(holder) = held.filter(|_| !may_move) {
            let answer = PortsAnswer::Busy { port, holder };
            self.tell(name, generation, lifecycle::Input::Ports(answer));
        } else if self.is_starting(name, generation) {
            claimed.push(port);
            self.find_ports(name, generation, claimed);
        }
    }

    /// Whether this start is still wanted: nobody is stopped for one that was taken back.
    pub(super) fn is_starting(&self, name: &str, generation: u64) -> bool {
        self.view_of(name).is_some_and(|view| {
            view.generation == generation && view.state == ServiceState::Starting
        })
    }
}

impl Claim {
    fn carry_out(self) -> Claimed {
        let mut stopped = Vec::new();
        loop {
            let holder = match Holder::at(self.port, self.host) {
                Ok(Holder::Free) => break Claimed { port: self.port, stopped, held: None },
                Ok(holder) => holder,
                Err(error) => {
                    let held = Some(format!("somebody ({error})"));
                    break Claimed { port: self.port, stopped, held };
                }
            };
            let whose = self.whose(&holder);
            let named = named(&holder, &whose);
            match self.end(&holder, &whose) {
                Some(Ok(())) if stopped.len() < HOLDERS => {
                    self.await_release();
                    stopped.push(named);
                }
                Some(Err(error)) => {
                    let held = Some(format!("{named}, which could not be stopped: {error}"));
                    break Claimed { port: self.port, stopped, held };
                }
                Some(Ok(())) | None => {
                    break Claimed { port: self.port, stopped, held: Some(named) };
                }
            }
        }
    }

    /// Ends the holder, if it may be ended.
    fn end(&self, holder: &Holder, whose: &Whose) -> Option<std::io::Result<()>> {
        let process = holder.own_process()?;
        let mark = match whose {
            Whose::Leftover(mark) => Some(&*mark.text),
            Whose::Nobody if self.takes => None,
            Whose::Own(_) | Whose::Other(_) | Whose::Nobody => return None,
        };
        Some(platform::end_tree(process.id, mark))
    }

    fn whose(&self, holder: &Holder) -> Whose {
        let Some(process) = holder.process() else { return Whose::Nobody };
        let pid = process.id.pid;
        let mains: Vec<u32> = self.units.iter().map(|(_, main)| *main).collect();
        let trees = listener_owner::trees(&mains);
        let own = trees.iter().zip(&self.units).find(|(tree, _)| tree.contains(&pid));
        if let Some((_, (name, _))) = own {
            return Whose::Own(name.clone());
        }
        match holder {
            Holder::Service { mark, .. } if mark.is_of(&self.places) => {
                return Whose::Leftover(mark.clone());
            }
            Holder::Service { .. } | Holder::Stranger(_) | Holder::Free | Holder::Hidden { .. } => {
            }
        }
        let other = owners(&[pid], Some(self.places.id), &self.stack).remove(&pid);
        let by_mark = || match holder {
            Holder::Service { mark, .. } => ProcessOwner::of_mark(mark),
            Holder::Stranger(_) | Holder::Free | Holder::Hidden { .. } => None,
        };
        other.or_else(by_mark).map_or(Whose::Nobody, Whose::Other)
    }

    /// A process is gone a moment before its sockets are.
    fn await_release(&self) {
        let deadline = platform::now() + RELEASE;
        let is_free =
            || platform::in_the_way(self.port, self.host).is_ok_and(|found| found.is_empty());
        while !is_free() && platform::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// In one line, as it follows "is held by".
fn named(holder: &Holder, whose: &Whose) -> String {
    match (whose, holder.process()) {
        (Whose::Own(name), Some(process)) => format!("`{name}` of this stack: {process}"),
        (Whose::Leftover(Mark { name, .. }), Some(process)) => {
            format!("what an earlier `{name}` has left: {process}")
        }
        (Whose::Other(owner), Some(process)) => format!("{owner}: {process}"),
        (_, _) => holder.to_string(),
    }
}
