//! Open requests: what each waits for, and when it is done with.
//!
//! A request is answered exactly once, when the fate of each of its targets is known. One
//! failure does not end the wait for the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Effect, ItemOutcome, ItemResult, OpId, Outbox, Outcome, Supervisor, Until,
    fate::end_of,
    node::{Node, Unit},
};
use crate::{core::lifecycle::Phase, graph::Id, status::Asked};

/// An open request.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) id: OpId,
    pub(super) kind: Kind,
    /// What it is about, in start order.
    order: Vec<String>,
    pending: BTreeSet<String>,
    results: BTreeMap<String, ItemOutcome>,
    /// What was as asked for already, with its generation.
    pub(super) untouched: BTreeMap<String, u64>,
    /// What was waited for a second time. Nothing is a third time: of several that end again and
    /// again there may be no moment at which all are ready.
    again: BTreeSet<String>,
    /// What the window of a `run` held down.
    back: BTreeSet<String>,
    /// When (logically) it was opened.
    pub(super) since: u64,
}

/// What a request waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Up,
    Down,
    Restart,
    Run { task: String },
    Wait { until: Until, asked: Asked },
}

impl Operation {
    pub(super) fn new(id: OpId, kind: Kind) -> Self {
        Self {
            id,
            kind,
            order: Vec::new(),
            pending: BTreeSet::new(),
            results: BTreeMap::new(),
            untouched: BTreeMap::new(),
            again: BTreeSet::new(),
            back: BTreeSet::new(),
            since: 0,
        }
    }

    /// Whether it is not about that one's being ready for good: a task whose need has started goes
    /// ahead.
    pub(super) fn takes_start_for_ready(&self, name: &str) -> bool {
        matches!(self.kind, Kind::Run { .. }) && !self.back.contains(name)
    }

    /// Whether it is a restart that still waits for this service.
    pub(super) fn is_restarting(&self, name: &str) -> bool {
        self.kind == Kind::Restart && self.pending.contains(name)
    }

    fn conclude(&mut self, name: &str, how: ItemOutcome) {
        if self.pending.remove(name) {
            self.results.insert(name.to_owned(), how);
        }
    }

    fn outcome(mut self) -> Outcome {
        let superseded = self.results.values().any(|how| *how == ItemOutcome::Superseded);
        let mut results = Vec::new();
        for name in self.order {
            if let Some(how) = self.results.remove(&name) {
                results.push(ItemResult { name, how });
            }
        }
        Outcome { results, refused: None, superseded }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pending: Vec<&str> = self.pending.iter().map(String::as_str).collect();
        write!(f, "{} ({:?}) waits for {}", self.id.0, self.kind, pending.join(", "))
    }
}

impl Supervisor {
    pub(super) fn open(&mut self, mut op: Operation, targets: &BTreeSet<Id>) {
        op.since = self.moment;
        let order = self.order.iter().copied().filter(|id| targets.contains(id));
        for id in order.collect::<Vec<_>>() {
            let node = &self.nodes[id];
            op.order.push(node.name.clone());
            op.pending.insert(node.name.clone());
            if is_untouched(&op.kind, node) {
                op.untouched.insert(node.name.clone(), node.generation());
            }
            self.changed.insert(id);
        }
        self.ops.insert(op.id, op);
    }

    /// Says what became of a target that can no longer be asked.
    pub(super) fn conclude(&mut self, op: OpId, name: &str, how: ItemOutcome) {
        if let Some(op) = self.ops.get_mut(&op) {
            op.conclude(name, how);
        }
    }

    /// A `run` is also about what its window held down: that it comes back.
    pub(super) fn await_return(&mut self, op: Option<OpId>, back: &[Id]) {
        let Some(op) = op.and_then(|op| self.ops.get_mut(&op)) else { return };
        for &id in back {
            let name = &self.nodes[id].name;
            if op.pending.insert(name.clone()) {
                op.order.push(name.clone());
                op.results.remove(name);
            }
            op.untouched.remove(name);
            op.back.insert(name.clone());
        }
    }

    /// Answers the requests that are done with.
    pub(super) fn settle(&mut self, outbox: &mut Outbox) {
        let changed = std::mem::take(&mut self.changed);
        self.snapshot_progress.add(&changed);
        let open: Vec<OpId> = self.ops.keys().copied().collect();
        for id in open {
            self.judge(id, &changed);
            self.look_again(id);
            if self.ops.get(&id).is_some_and(|op| op.pending.is_empty())
                && let Some(op) = self.ops.remove(&id)
            {
                outbox.effects.push(Effect::CommandEnded { op: op.id, outcome: op.outcome() });
            }
        }
    }

    fn judge(&mut self, id: OpId, changed: &BTreeSet<Id>) {
        self.follow_all(id);
        let Some(op) = self.ops.get(&id) else { return };
        let mut fates: Vec<(String, ItemOutcome)> = match &op.kind {
            Kind::Wait { until, asked } => self.fates_of_wait(op, *until, *asked),
            Kind::Up | Kind::Down | Kind::Restart | Kind::Run { .. } => {
                let near = changed.iter().filter_map(|&id| self.nodes.get(id));
                let near = near.filter(|node| op.pending.contains(&node.name));
                near.filter_map(|node| Some((node.name.clone(), self.fate(op, node)?))).collect()
            }
        };
        self.drop_blocked_run(id, &fates);
        let Some(op) = self.ops.get_mut(&id) else { return };
        for (name, how) in fates.drain(..) {
            op.conclude(&name, how);
        }
        self.judge_the_rest(id);
    }

    /// Who waits for all waits for what is asked for now, whatever was added or taken back since.
    fn follow_all(&mut self, id: OpId) {
        let all = Asked::AsPartOfAll;
        let is_of_all = |op: &&mut Operation| matches!(op.kind, Kind::Wait { until: Until::Ready | Until::Done, asked } if asked == all);
        let Some(op) = self.ops.get_mut(&id).filter(is_of_all) else { return };
        let wanted = self.order.iter().map(|&id| &self.nodes[id]).filter(|node| node.wanted);
        op.order = wanted.map(|node| node.name.clone()).collect();
        op.pending = op.order.iter().cloned().collect();
    }

    /// What was ready may have ended while the others were waited for: `up` is about a moment at
    /// which all of it is ready.
    fn look_again(&mut self, id: OpId) {
        let Some(op) = self.ops.get(&id) else { return };
        if !op.pending.is_empty() || !matches!(op.kind, Kind::Up | Kind::Restart) {
            return;
        }
        let was_ready =
            |how: &ItemOutcome| matches!(how, ItemOutcome::Ready { .. } | ItemOutcome::Unchanged);
        let mut lost = Vec::new();
        let once = |name: &String| !op.again.contains(name);
        for (name, _) in op.results.iter().filter(|(name, how)| once(name) && was_ready(how)) {
            let Some(node) = self.graph.id(name).map(|id| &self.nodes[id]) else { continue };
            let fate = self.fate(op, node);
            let is_ready = fate.as_ref().is_some_and(was_ready);
            if node.wanted && node.as_service().is_some() && !is_ready {
                lost.push((name.clone(), fate));
            }
        }
        let Some(op) = self.ops.get_mut(&id) else { return };
        for (name, fate) in lost {
            op.results.remove(&name);
            op.pending.insert(name.clone());
            op.again.insert(name.clone());
            if let Some(how) = fate {
                op.conclude(&name, how);
            }
        }
    }

    /// Tasks that nobody turned out to need, once nothing else is open. One that has never run is
    /// no part of the answer; one whose last run failed has not become good by being left alone.
    fn judge_the_rest(&mut self, id: OpId) {
        let Some(op) = self.ops.get(&id) else { return };
        if !matches!(op.kind, Kind::Up | Kind::Restart | Kind::Run { .. }) {
            return;
        }
        let resting = |name: &String| match self.graph.id(name).map(|id| &self.nodes[id]) {
            Some(node) => node.as_task().is_some_and(|unit| {
                !unit.run.is_live() && !unit.is_asked() && node.schedule.due.is_none()
            }),
            None => true,
        };
        if op.pending.iter().all(resting)
            && let Some(op) = self.ops.get_mut(&id)
        {
            for name in op.pending.clone() {
                let node = self.graph.id(&name).map(|id| &self.nodes[id]);
                match node.and_then(Node::as_task).map(|unit| end_of(&unit.run)) {
                    Some(None) => _ = op.pending.remove(&name),
                    Some(Some(failed @ ItemOutcome::Failed { .. })) if op.kind == Kind::Up => {
                        op.conclude(&name, failed);
                    }
                    Some(Some(_)) | None => op.conclude(&name, ItemOutcome::Unchanged),
                }
            }
        }
    }

    /// A `run` whose needs will not come is over: its task must not run later by surprise.
    fn drop_blocked_run(&mut self, op: OpId, fates: &[(String, ItemOutcome)]) {
        let Some(Kind::Run { task }) = self.ops.get(&op).map(|op| &op.kind) else { return };
        let blocked = |(name, how): &(String, ItemOutcome)| {
            name == task && matches!(how, ItemOutcome::Blocked { .. })
        };
        if fates.iter().any(blocked)
            && let Some(id) = self.graph.id(task)
            && let Some(unit) = self.nodes[id].as_task_mut()
        {
            unit.orders.queue.retain(|order| order.op != op);
            self.touch(id);
        }
    }

    /// All at once: `wait` is about a moment at which everything holds.
    fn fates_of_wait(
        &self,
        op: &Operation,
        until: Until,
        asked: Asked,
    ) -> Vec<(String, ItemOutcome)> {
        let mut fates = Vec::new();
        for name in &op.order {
            let how = match self.graph.id(name) {
                Some(id) => self.fate_of_wait(&self.nodes[id], until, asked),
                None if until == Until::Down => Some(ItemOutcome::Stopped),
                None => Some(ItemOutcome::Superseded),
            };
            match how {
                Some(how) => fates.push((name.clone(), how)),
                None => return Vec::new(),
            }
        }
        fates
    }
}

fn is_untouched(kind: &Kind, node: &Node) -> bool {
    match (kind, &node.unit) {
        (Kind::Down, _) => !node.is_live(),
        (Kind::Up, _) if node.gone => !node.is_live(),
        (Kind::Up | Kind::Run { .. }, Unit::Service(unit)) => {
            unit.machine.phase == Phase::Ready && node.schedule.restart.is_none()
        }
        (Kind::Up | Kind::Run { .. }, Unit::Task(_)) | (Kind::Restart | Kind::Wait { .. }, _) => {
            false
        }
    }
}
