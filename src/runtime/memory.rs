//! `memory max`: a service whose tree has grown too large is restarted.

use std::time::Duration;

use super::{
    Internal,
    event_loop::{World, main_unit},
};
use crate::{lifecycle, platform, supervisor::Input};

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

    /// Tells the core of every service that is over its limit.
    pub(super) fn sample_memory(&mut self) {
        let services = self.core.stack().services.iter();
        let limits = services.filter_map(|service| Some((&service.name, service.memory_max?)));
        let views = self.core.services(platform::now());
        let running = limits.filter_map(|(name, limit)| {
            let view = views.iter().find(|view| view.name == *name && view.pid.is_some())?;
            let unit = self.units.get(&main_unit(name, view.generation))?;
            Some((name.clone(), view.generation, limit, (unit.pid, unit.owner.cookie.clone())))
        });
        let running: Vec<_> = running.collect();
        let roots: Vec<_> = running.iter().map(|(.., root)| Some(root.clone())).collect();
        let trees = platform::tree_stats(&roots);
        for ((name, generation, limit, _), tree) in running.into_iter().zip(trees) {
            if tree.memory > limit {
                let input = lifecycle::Input::MemoryExceeded(tree.memory);
                self.feed(Input::Unit { name, generation, input });
            }
        }
    }
}
