//! Claiming a port that somebody holds: whoever may be stopped for it is stopped.
//!
//! What an earlier run of this stack left is swept without asking. A stranger is stopped where
//! the file (`busy="take"`) or the user (`up --take-ports`) says so; a service of another stack
//! only where the user does, since two stacks would else take it from each other for ever. The
//! own user's processes alone.

use std::{net::IpAddr, time::Duration};

use super::{Internal, owner, world::World};
use crate::{
    event::{Cause, Event},
    lifecycle::{self, PortsAnswer},
    model::Busy,
    platform::{self, Holder, Places},
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
    places: Places,
    /// The main processes and hooks of this stack that run.
    units: Vec<u32>,
    may_take: MayTake,
}

/// Who may be stopped for a port, besides what this stack itself has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MayTake {
    Nobody,
    Strangers,
    /// Services of other stacks, too.
    Anybody,
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

impl World {
    /// Claims a port for a service that is about to start, and tells [`Internal::Claimed`].
    /// `claimed` have been claimed for this start already.
    pub(super) fn claim(&self, name: &str, generation: u64, port: u16, claimed: Vec<u16>) {
        let service = self.service(name);
        let declared = service.and_then(|service| {
            self.ports.all(service).find(|(_, number)| *number == port).map(|(port, _)| port)
        });
        let may_take = match declared {
            // Once is enough: whoever comes back at once would come back for ever.
            _ if claimed.contains(&port) => MayTake::Nobody,
            // It gives way.
            Some(port) if port.may_move() => MayTake::Nobody,
            _ if self.clients.takes_ports() => MayTake::Anybody,
            Some(port) if port.busy == Busy::Take => MayTake::Strangers,
            Some(_) | None => MayTake::Nobody,
        };
        let units = self.units.values().map(|unit| unit.owner.main).collect();
        let host = declared.and_then(crate::model::Port::address);
        let claim = Claim { port, host, places: self.places.clone(), units, may_take };
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
            self.publish(Some(name), Some(generation), Event::Notice { text }, Cause::Supervisor);
        }
        let may_move = self.service(name).is_some_and(|service| {
            self.ports.all(service).any(|(declared, number)| number == port && declared.may_move())
        });
        if let Some(holder) = held.as_ref().filter(|_| may_move) {
            let text = format!("port {port} is held by {holder}: the next free one is used");
            self.publish(Some(name), Some(generation), Event::Notice { text }, Cause::Supervisor);
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
            let named = self.named(&holder);
            match self.end(&holder) {
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
    fn end(&self, holder: &Holder) -> Option<std::io::Result<()>> {
        let process = holder.own_process()?;
        let (allowed, mark) = match holder {
            Holder::Service { mark, .. } if mark.is_of(&self.places) => {
                (!self.is_live(process.id.pid), Some(&*mark.text))
            }
            Holder::Service { .. } => (self.may_take >= MayTake::Anybody, None),
            Holder::Stranger(_) => (self.may_take >= MayTake::Strangers, None),
            Holder::Free | Holder::Hidden { .. } => (false, None),
        };
        allowed.then(|| platform::end_tree(process.id, mark))
    }

    /// Whether a process belongs to something of this stack that runs.
    fn is_live(&self, pid: u32) -> bool {
        owner::trees(&self.units).iter().any(|tree| tree.contains(&pid))
    }

    fn named(&self, holder: &Holder) -> String {
        match holder {
            Holder::Service { mark, process } if mark.is_of(&self.places) => {
                let name = &mark.name;
                match self.is_live(process.id.pid) {
                    true => format!("`{name}` of this stack: {process}"),
                    false => format!("what an earlier `{name}` has left: {process}"),
                }
            }
            Holder::Service { .. } | Holder::Stranger(_) | Holder::Free | Holder::Hidden { .. } => {
                holder.to_string()
            }
        }
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
