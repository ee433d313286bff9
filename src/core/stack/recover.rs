//! Going on where no note tells how far everything was: with what is found to run.
//!
//! Of what is found, the stack that was last applied may not be known either, or not all of it. A
//! definition that knows nothing stands in for that: what runs by it is shown, and can be stopped;
//! the next `up` restarts it, since nobody can say whether it runs as the file has it.

use std::sync::Arc;

use super::{
    Supervisor,
    intent::Root,
    node::{FOUND, Node, Order, Unit},
};
use crate::{
    event::{Cause, Tick},
    model::{Service, Stack, Task, TaskBody},
};

/// Something of a stack that was started once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The name of the service or task.
    pub name: String,
    /// Which start of it.
    pub generation: u64,
    /// Whether its main process may still run.
    pub runs: bool,
    /// Whether that is the helper that runs the steps of a task.
    pub is_task: bool,
    /// Whether it was started by the definition that the stack has.
    pub is_known: bool,
}

impl Supervisor {
    /// Since when the main process of a service or task runs.
    pub fn started(&self, name: &str) -> Option<Tick> {
        match &self.nodes[self.graph.id(name)?].unit {
            Unit::Service(unit) => unit.machine.started,
            Unit::Task(unit) => unit.run.started,
        }
    }

    /// The generations of the tasks that run.
    pub fn running_tasks(&self) -> Vec<(String, u64)> {
        let live = self.nodes.iter().filter(|node| node.as_task().is_some() && node.is_live());
        live.map(|node| (node.name.clone(), node.generation())).collect()
    }

    /// The services and tasks that have a main process, each with its generation.
    pub fn with_process(&self) -> Vec<(String, u64)> {
        let has_one = |node: &&Node| match &node.unit {
            Unit::Service(unit) => unit.machine.is_live() && unit.machine.pid.is_some(),
            Unit::Task(unit) => unit.run.is_live() && unit.run.pid.is_some(),
        };
        let with_process = self.nodes.iter().filter(has_one);
        with_process.map(|node| (node.name.clone(), node.generation())).collect()
    }

    /// A supervisor of a stack of which this much is found and nothing else is known. What runs
    /// is wanted, by itself, and taken for just started: [`super::Input::Unit`] is to follow.
    /// What does not run is not wanted; who had asked for it asks again.
    pub fn find(mut stack: Stack, seed: u64, found: Vec<Recovered>, now: Tick) -> Self {
        let undeclared = |stack: &Stack, name: &str| !stack.names().any(|known| known == name);
        for Recovered { name, is_task, .. } in found.iter().filter(|found| found.runs) {
            match is_task {
                _ if !undeclared(&stack, name) => {}
                true => stack.tasks.push(Task::new(name, &stack.dir, TaskBody::Steps(Vec::new()))),
                false => stack.services.push(Service::lost(name, &stack.dir)),
            }
        }
        let dir = stack.dir.clone();
        let mut this = Self::new(stack, seed);
        let mut tasks = Vec::new();
        for Recovered { name, generation, runs, is_known, .. } in found {
            let Some(id) = this.graph.id(&name) else {
                let past = this.past.entry(name).or_default();
                *past = generation.max(*past);
                continue;
            };
            if generation < this.nodes[id].generation() {
                continue;
            }
            match &mut this.nodes[id].unit {
                Unit::Service(unit) => {
                    unit.machine.find(generation, runs, now);
                    if runs {
                        this.intent.add(&name, Root::Bare);
                        if !is_known {
                            unit.now = Arc::new(Service::lost(name, &dir));
                        }
                    }
                }
                Unit::Task(unit) => {
                    unit.run.find(generation, runs, now);
                    if runs {
                        let cause = Cause::Supervisor;
                        let order = Order { op: FOUND, args: Vec::new(), force: false, cause };
                        unit.orders.current = Some(order);
                        tasks.push(id);
                    }
                }
            }
        }
        this.rebuild();
        for id in tasks {
            this.open_window(id);
        }
        this.changed.clear();
        this
    }
}
