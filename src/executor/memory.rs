//! `memory max`: a service whose tree has grown too large is restarted.

use std::time::Duration;

use super::{Internal, listener_owner, state::Executor};
use crate::{
    core::lifecycle,
    core::stack::Input,
    event::{Cause, Event},
    keeper::protocol::UnitId,
    model::Exit,
    platform::{self, Victim},
    status::ServiceState,
};

/// How often the memory of services with a limit is looked at.
const EVERY: Duration = Duration::from_secs(1);

impl Executor {
    /// Begins or ends the looking, as the stack in force has limits or none.
    pub(super) fn watch_memory(&mut self) {
        if let Some(task) = self.sampling.take() {
            task.abort();
        }
        if self.core.stack().services.iter().all(|service| service.memory_max.is_none()) {
            return;
        }
        let internal = self.internal.clone();
        let task = tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                if internal.send(Internal::Sample).is_err() {
                    return;
                }
            }
        });
        self.sampling = Some(task.abort_handle());
    }

    /// Tells of a service that ended while the kernel had no memory left, though it was not its
    /// main process that was killed for it: a wrapper whose program is killed says nothing of it.
    /// Whose the killed process was cannot be told any more.
    pub(super) fn tell_of_victims(&mut self, unit: &UnitId, exit: Exit, out_of_memory: bool) {
        let kills = platform::oom_kills();
        let more = kills > std::mem::replace(&mut self.oom_kills, kills);
        if out_of_memory || !more || exit == Exit::SUCCESS {
            return;
        }
        // One that was asked to end, or is over its own limit, needs no other reason.
        if self.view_of(&unit.owner).is_some_and(|view| view.state == ServiceState::Stopping) {
            return;
        }
        let Some(started) = self.core.started(&unit.owner) else { return };
        let mut victims = platform::oom_victims().unwrap_or_default().into_iter();
        let last = victims.rfind(|victim| victim.at >= started);
        if let Some(Victim { pid, name: program, .. }) = last {
            let text =
                format!("while it ran the kernel killed process {pid} ({program}): out of memory");
            self.publish(
                Some(&unit.owner),
                Some(unit.generation),
                Event::notice(text),
                Cause::Memory,
            );
        }
    }

    /// Tells the core of every service that is over its limit.
    pub(super) fn sample_memory(&mut self) {
        let services = self.core.stack().services.iter();
        let limits = services.filter_map(|service| Some((&service.name, service.memory_max?)));
        let views = self.core.services(platform::now());
        let running = limits.filter_map(|(name, limit)| {
            let view = views.iter().find(|view| view.name == *name)?;
            Some((name.clone(), view.generation, limit, view.pid?))
        });
        let running: Vec<_> = running.collect();
        let mains: Vec<u32> = running.iter().map(|(.., main)| *main).collect();
        let families = listener_owner::trees(&mains);
        for ((name, generation, limit, _), family) in running.into_iter().zip(families) {
            let memory = platform::stats(&family).memory_bytes;
            if memory > limit {
                let input = lifecycle::Input::MemoryExceeded(memory);
                self.feed(Input::Unit { name, generation, input });
            }
        }
    }
}
