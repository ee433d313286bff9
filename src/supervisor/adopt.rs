//! Taking on a stack: new definitions for what exists, nodes for what is new, and a last while
//! for what the file no longer has.

use std::{collections::HashMap, sync::Arc};

use super::{
    Supervisor, Turn,
    node::{Node, Unit},
};
use crate::{
    event::Cause,
    graph::{Entry, Graph, Id},
    model::{Service, Stack, Task},
    plan::{self, Change},
};

impl Supervisor {
    /// Makes this the stack that nodes are started by from now on. Nothing that runs is touched.
    pub(super) fn adopt(&mut self, stack: Stack) {
        let mut old: HashMap<String, Node> = HashMap::new();
        let mut order = Vec::new();
        for node in self.nodes.drain(..) {
            order.push(node.name.clone());
            old.insert(node.name.clone(), node);
        }
        for service in &stack.services {
            let node = renew_service(old.remove(&service.name), service, self.seed);
            self.nodes.push(node);
        }
        for task in &stack.tasks {
            let node = renew_task(old.remove(&task.name), task);
            self.nodes.push(node);
        }
        let left = order.into_iter().filter_map(|name| old.remove(&name));
        for mut node in left.filter(|node| node.is_live() || self.intent.has(&node.name)) {
            node.gone = true;
            self.nodes.push(node);
        }
        self.stack = stack;
        self.rebuild();
    }

    /// Works out anew what follows from the nodes.
    pub(super) fn rebuild(&mut self) {
        self.graph = Graph::new(self.nodes.iter().map(entry));
        self.timers.clear();
        self.timer_of = self.nodes.iter().map(Node::deadline).collect();
        let timers = self.timer_of.iter().enumerate();
        self.timers.extend(timers.filter_map(|(id, at)| at.map(|at| (at, id))));
        self.changed = (0..self.nodes.len()).collect();
        self.dirty = self.changed.clone();
        self.want();
    }

    /// What an edit has in store for a service that runs: what differs between the definition it
    /// runs by and the newest.
    pub(super) fn edit_of(&self, id: Id) -> Vec<Change> {
        match self.nodes[id].as_service() {
            Some(unit) if !Arc::ptr_eq(&unit.now, &unit.next) => {
                plan::compare(&unit.now, &unit.next)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Brings what runs to the newest definitions: restarts where the process is concerned, and
    /// takes on the rest as it runs. Returns what is restarted.
    pub(super) fn apply_edits(&mut self, turn: &mut Turn) -> Vec<Id> {
        let mut restarted = Vec::new();
        for id in 0..self.nodes.len() {
            let changes = self.edit_of(id);
            let live = self.nodes[id].is_live();
            let restarts = changes.iter().filter(|change| change.restarts);
            let keys: Vec<String> = restarts.map(|change| change.key.clone()).collect();
            if live && !keys.is_empty() {
                // What is on its way down is stopped as it was started.
                if self.nodes[id].wanted {
                    self.nodes[id].standing.revision = self.intent.revision;
                    self.restart_live(id, &Cause::Edit { keys });
                    restarted.push(id);
                }
            } else if let Some(unit) = self.nodes[id].as_service_mut() {
                let before = std::mem::replace(&mut unit.now, Arc::clone(&unit.next));
                if !changes.is_empty() {
                    self.drive(id, turn, |life, step| life.update(&before, step));
                }
            }
        }
        restarted
    }
}

fn entry(node: &Node) -> Entry<'_> {
    let (needs, after) = match &node.unit {
        Unit::Service(unit) => (&unit.next.needs, &unit.next.after),
        Unit::Task(unit) => (&unit.next.needs, &unit.next.after),
    };
    Entry { name: &node.name, needs, after }
}

fn renew_service(old: Option<Node>, service: &Service, seed: u64) -> Node {
    let Some(mut node) = old else { return Node::service(Arc::new(service.clone()), seed) };
    node.gone = false;
    match &mut node.unit {
        Unit::Service(unit) => {
            if *unit.next != *service {
                unit.next = Arc::new(service.clone());
            }
            if !unit.life.is_live() {
                unit.now = Arc::clone(&unit.next);
            } else if *unit.now == *unit.next {
                // Edited and edited back: nothing to do.
                unit.now = Arc::clone(&unit.next);
            }
            node
        }
        // A name that was a task: what still runs of it goes first.
        Unit::Task(unit) if unit.run.is_live() => Node { gone: true, ..node },
        Unit::Task(_) => Node::service(Arc::new(service.clone()), seed),
    }
}

fn renew_task(old: Option<Node>, task: &Task) -> Node {
    let Some(mut node) = old else { return Node::task(Arc::new(task.clone())) };
    node.gone = false;
    match &mut node.unit {
        Unit::Task(unit) => {
            if *unit.next != *task {
                unit.next = Arc::new(task.clone());
            }
            node
        }
        // A name that was a service: what still runs of it goes first.
        Unit::Service(unit) if unit.life.is_live() => Node { gone: true, ..node },
        Unit::Service(_) => Node::task(Arc::new(task.clone())),
    }
}
