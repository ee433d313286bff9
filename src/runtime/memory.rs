//! `memory max`: a service whose tree has grown too large is restarted.

use std::time::Duration;

use super::{Internal, owner, world::World};
use crate::{
    event::{Cause, Event},
    keeper::protocol::UnitId,
    lifecycle,
    model::{Exit, Signal},
    platform::{self, Victim},
    supervisor::Input,
};

/// How often the memory of services with a limit is looked at.
const EVERY: Duration = Duration::from_secs(1);

impl World {
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

    /// Finds out whether the kernel has ended a service because memory ran out. Its cgroup tells
    /// for certain, and so does the kernel's log. Where neither may be read nothing is said: the
    /// count of all such kills on the machine proves nothing about this one.
    pub(super) fn note_oom(&mut self, unit: &UnitId, exit: Exit, by_cgroup: bool) {
        let kills = platform::oom_kills();
        let more = kills > std::mem::replace(&mut self.oom_kills, kills);
        if !(more || by_cgroup) || exit == Exit::SUCCESS {
            return;
        }
        let Some(known) = self.units.get(unit) else { return };
        let (main, started) = (known.owner.main, known.started);
        let mut victims = platform::oom_victims().unwrap_or_default();
        victims.retain(|victim| victim.at >= started);
        // A shell reports the end of its child as its own.
        let killed = exit.shell_status() == Exit::Signal(Signal::KILL).shell_status();
        let is_main = victims.iter().any(|victim| victim.pid == main);
        let UnitId { name, generation } = unit.clone();
        if killed && (by_cgroup || is_main) {
            let input = lifecycle::Input::OutOfMemory;
            self.feed(Input::Unit { name, generation, input });
        } else if by_cgroup {
            let text = "the kernel has killed one of its processes: out of memory".to_owned();
            self.publish(Some(&name), Some(generation), Event::Notice { text }, Cause::Memory);
        } else if let Some(Victim { pid, name: program, .. }) = victims.last() {
            // Whose it was cannot be told any more; a wrapper that ends after its program was
            // killed says nothing of it.
            let text =
                format!("while it ran the kernel killed process {pid} ({program}): out of memory");
            self.publish(Some(&name), Some(generation), Event::Notice { text }, Cause::Memory);
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
        let families = owner::trees(&mains);
        for ((name, generation, limit, _), family) in running.into_iter().zip(families) {
            let memory = platform::stats(&family).memory_bytes;
            if memory > limit {
                let input = lifecycle::Input::MemoryExceeded(memory);
                self.feed(Input::Unit { name, generation, input });
            }
        }
    }
}
