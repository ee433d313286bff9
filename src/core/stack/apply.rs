//! Taking on a stack: new definitions for what exists, nodes for what is new, and a last while
//! for what the file no longer has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Outbox, Supervisor,
    node::{Node, Unit},
};
use crate::{
    core::plan::{self, Change},
    event::Cause,
    graph::{Entry, Graph, Id},
    model::{Service, Stack, Task},
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
            let known = old.remove(&service.name);
            let node = renew_service(known, service, self.seed, &mut self.past);
            self.nodes.push(node);
        }
        for task in &stack.tasks {
            let node = renew_task(old.remove(&task.name), task, &mut self.past);
            self.nodes.push(node);
        }
        for name in order {
            let Some(mut node) = old.remove(&name) else { continue };
            node.gone = true;
            self.nodes.push(node);
        }
        self.stack = stack;
        self.rebuild();
    }

    /// Lets go of what the file no longer has, once nothing of it is left; says whether anything
    /// changed by that.
    pub(super) fn forget_gone(&mut self) -> bool {
        let intent = &self.intent;
        let is_over = |node: &Node| node.gone && !node.is_live() && !intent.has(&node.name);
        if !self.nodes.iter().any(is_over) {
            return false;
        }
        for node in self.nodes.iter().filter(|node| is_over(node) && node.generation() > 0) {
            self.past.insert(node.name.clone(), node.generation());
        }
        self.nodes.retain(|node| !is_over(node));
        // A name that was a task and became a service, or the other way round, begins anew.
        let stack = std::mem::take(&mut self.stack);
        self.adopt(stack);
        true
    }

    /// Works out anew what follows from the nodes.
    pub(super) fn rebuild(&mut self) {
        self.graph = Graph::new(self.nodes.iter().map(entry));
        self.snapshot_progress.begin_anew();
        self.timers.clear();
        self.timer_of = self.nodes.iter().map(Node::deadline).collect();
        let timers = self.timer_of.iter().enumerate();
        self.timers.extend(timers.filter_map(|(id, at)| at.map(|at| (at, id))));
        self.changed = (0..self.nodes.len()).collect();
        self.order = self.graph.start_order();
        self.rank = vec![0; self.order.len()];
        for (rank, &id) in self.order.iter().enumerate() {
            self.rank[id] = rank;
        }
        // What was marked was so by places that are no more; `want` marks everything.
        self.dirty.clear();
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
    /// takes on the rest as it runs. Returns what is restarted, and what is updated by which changes.
    pub(super) fn apply_edits(
        &mut self,
        outbox: &mut Outbox,
    ) -> (Vec<Id>, BTreeMap<Id, Vec<Change>>) {
        let mut restarted = Vec::new();
        let mut updated = BTreeMap::new();
        for id in 0..self.nodes.len() {
            let changes = self.edit_of(id);
            let live = self.nodes[id].is_live();
            let restarts = changes.iter().filter(|change| change.restarts());
            let keys: Vec<String> = restarts.map(|change| change.key.clone()).collect();
            if live && !keys.is_empty() {
                // What is on its way down is stopped as it was started.
                if self.nodes[id].wanted {
                    self.nodes[id].schedule.revision = self.intent.revision;
                    self.restart_live(id, &Cause::Edit { keys });
                    restarted.push(id);
                }
            } else if let Some(unit) = self.nodes[id].as_service_mut() {
                let before = std::mem::replace(&mut unit.now, Arc::clone(&unit.next));
                if live && !changes.is_empty() {
                    updated.insert(id, changes);
                    self.drive(id, outbox, |machine, step| machine.update(&before, step));
                }
            }
        }
        (restarted, updated)
    }
}

fn entry(node: &Node) -> Entry<'_> {
    let (is_task, needs, after) = match &node.unit {
        Unit::Service(unit) => (false, &unit.next.needs, &unit.next.after),
        Unit::Task(unit) => (true, &unit.next.needs, &unit.next.after),
    };
    Entry { name: &node.name, is_task, needs, after }
}

fn renew_service(
    old: Option<Node>,
    service: &Service,
    seed: u64,
    past: &mut BTreeMap<String, u64>,
) -> Node {
    let Some(mut node) = old else { return new_service(service, seed, past) };
    match &mut node.unit {
        Unit::Service(unit) => {
            if *unit.next != *service {
                unit.next = Arc::new(service.clone());
            }
            // Nothing runs by the old one, or it was edited and edited back.
            if !unit.machine.is_live() || *unit.now == *unit.next {
                unit.now = Arc::clone(&unit.next);
            }
            Node { gone: false, ..node }
        }
        // A name that was a task: what still runs of it goes first.
        Unit::Task(unit) if unit.run.is_live() => Node { gone: true, ..node },
        Unit::Task(unit) => {
            past.insert(service.name.clone(), unit.run.generation);
            new_service(service, seed, past)
        }
    }
}

fn renew_task(old: Option<Node>, task: &Task, past: &mut BTreeMap<String, u64>) -> Node {
    let Some(mut node) = old else { return new_task(task, past) };
    match &mut node.unit {
        Unit::Task(unit) => {
            if *unit.next != *task {
                unit.next = Arc::new(task.clone());
            }
            if !unit.run.is_live() || *unit.now == *unit.next {
                unit.now = Arc::clone(&unit.next);
            }
            Node { gone: false, ..node }
        }
        // A name that was a service: what still runs of it goes first.
        Unit::Service(unit) if unit.machine.is_live() => Node { gone: true, ..node },
        Unit::Service(unit) => {
            past.insert(task.name.clone(), unit.machine.generation);
            new_task(task, past)
        }
    }
}

fn new_service(service: &Service, seed: u64, past: &mut BTreeMap<String, u64>) -> Node {
    let mut node = Node::service(Arc::new(service.clone()), seed);
    if let Some(unit) = node.as_service_mut() {
        unit.machine.generation = past.remove(&service.name).unwrap_or(0);
    }
    node
}

fn new_task(task: &Task, past: &mut BTreeMap<String, u64>) -> Node {
    let mut node = Node::task(Arc::new(task.clone()));
    if let Some(unit) = node.as_task_mut() {
        unit.run.generation = past.remove(&task.name).unwrap_or(0);
    }
    node
}
