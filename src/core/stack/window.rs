//! Exclusive windows: while a task runs `without` some services, those and everything that
//! needs them are held down. What is wanted does not change, so that afterwards exactly what is
//! wanted then comes back.

use std::collections::BTreeSet;

use super::{Supervisor, node::Unit};
use crate::{
    core::lifecycle::{Phase, RunPhase},
    event::Cause,
    graph::Id,
};

impl Supervisor {
    /// The services inside the window of a task. What it needs, and what waits for it, cannot be:
    /// neither would ever come.
    pub(super) fn window(&self, task: Id) -> BTreeSet<Id> {
        let Some(unit) = self.nodes[task].as_task() else { return BTreeSet::new() };
        // What runs keeps the window that it was started with.
        let task_now = if unit.run.is_live() { &unit.now } else { &unit.next };
        let without = task_now.without.iter().filter_map(|name| self.graph.id(name));
        let mut inside = self.graph.dependents(without);
        let outside = self.graph.closure([task]);
        let waiting = self.graph.dependents([task]);
        inside.retain(|id| {
            self.nodes[*id].as_service().is_some() && !outside.contains(id) && !waiting.contains(id)
        });
        inside
    }

    pub(super) fn open_window(&mut self, task: Id) {
        let name = self.nodes[task].name.clone();
        for id in self.window(task) {
            self.nodes[id].schedule.held = Some(name.clone());
            self.touch(id);
        }
        if let Some(unit) = self.nodes[task].as_task_mut() {
            unit.orders.window = true;
        }
    }

    /// Lets go of everything that the task held; returns what is to come back.
    pub(super) fn close_window(&mut self, task: Id) -> Vec<Id> {
        let name = self.nodes[task].name.clone();
        match self.nodes[task].as_task_mut() {
            Some(unit) if unit.orders.window => unit.orders.window = false,
            Some(_) | None => return Vec::new(),
        }
        let mut back = Vec::new();
        for id in 0..self.nodes.len() {
            let node = &mut self.nodes[id];
            if node.schedule.held.as_deref() == Some(&name) {
                node.schedule.held = None;
                if node.wanted && !is_over(&node.unit) {
                    node.schedule.because = Cause::Window { task: name.clone() };
                    back.push(id);
                }
                self.touch(id);
            } else if node.as_task().is_some_and(|unit| unit.run.phase == RunPhase::Window) {
                // It may have waited for this window to close.
                self.mark(id);
            }
        }
        back
    }

    /// The task whose window holds one of these down, and which.
    pub(super) fn held(&self, ids: impl IntoIterator<Item = Id>) -> Option<(Id, &str)> {
        ids.into_iter().find_map(|id| Some((id, self.nodes[id].schedule.held.as_deref()?)))
    }
}

/// Whether it had ended before the window and so was not up.
fn is_over(unit: &Unit) -> bool {
    match unit {
        Unit::Service(service) => {
            matches!(service.machine.phase, Phase::Exited { .. } | Phase::Failed { .. })
        }
        Unit::Task(_) => true,
    }
}
