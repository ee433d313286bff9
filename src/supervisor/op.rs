//! Open requests: what each waits for, and when it is done with.
//!
//! A request is answered exactly once, when the fate of each of its targets is known. One
//! failure does not end the wait for the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Effect, How, OpId, Outcome, Settled, Supervisor, Turn, Until,
    node::{Node, ServiceUnit, TaskUnit, Unit},
};
use crate::{
    event::{Cause, Event},
    graph::Id,
    lifecycle::{Ending, Phase, Run, RunPhase},
    model::Exit,
    status::{Asked, Verdict},
};

/// An open request.
#[derive(Debug, Clone)]
pub(super) struct Op {
    id: OpId,
    kind: Kind,
    cause: Cause,
    /// What it is about, in start order.
    order: Vec<String>,
    pending: BTreeSet<String>,
    results: BTreeMap<String, How>,
    /// What was as asked for already, with its generation.
    untouched: BTreeMap<String, u64>,
    /// What was waited for a second time. Nothing is a third time: of several that end again and
    /// again there may be no moment at which all are ready.
    again: BTreeSet<String>,
    /// What the window of a `run` held down.
    back: BTreeSet<String>,
    /// When (logically) it was opened.
    since: u64,
}

/// What a request waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Up,
    Down { all: bool },
    Restart,
    Run { task: String },
    Wait { until: Until, asked: Asked },
}

impl Op {
    pub(super) fn new(id: OpId, kind: Kind, cause: &Cause) -> Self {
        Self {
            id,
            kind,
            cause: cause.clone(),
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
    fn takes_start_for_ready(&self, name: &str) -> bool {
        matches!(self.kind, Kind::Run { .. }) && !self.back.contains(name)
    }

    /// Whether it is a restart that still waits for this service.
    pub(super) fn is_restarting(&self, name: &str) -> bool {
        self.kind == Kind::Restart && self.pending.contains(name)
    }

    fn conclude(&mut self, name: &str, how: How) {
        if self.pending.remove(name) {
            self.results.insert(name.to_owned(), how);
        }
    }

    fn outcome(mut self) -> Outcome {
        let superseded = self.results.values().any(|how| *how == How::Superseded);
        let mut results = Vec::new();
        for name in self.order {
            if let Some(how) = self.results.remove(&name) {
                results.push(Settled { name, how });
            }
        }
        Outcome { results, refused: None, superseded }
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pending: Vec<&str> = self.pending.iter().map(String::as_str).collect();
        write!(f, "{} ({:?}) waits for {}", self.id.0, self.kind, pending.join(", "))
    }
}

impl Supervisor {
    pub(super) fn open(&mut self, mut op: Op, targets: &BTreeSet<Id>) {
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
    pub(super) fn conclude(&mut self, op: OpId, name: &str, how: How) {
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
    pub(super) fn settle(&mut self, turn: &mut Turn) {
        let changed = std::mem::take(&mut self.changed);
        self.noted.add(&changed);
        let open: Vec<OpId> = self.ops.keys().copied().collect();
        for id in open {
            self.judge(id, &changed);
            self.look_again(id);
            if self.ops.get(&id).is_some_and(|op| op.pending.is_empty())
                && let Some(op) = self.ops.remove(&id)
            {
                self.answer(op, turn);
            }
        }
    }

    fn answer(&self, op: Op, turn: &mut Turn) {
        let (id, cause) = (op.id, op.cause.clone());
        let all = op.kind == Kind::Down { all: true };
        let outcome = op.outcome();
        if all && !self.nodes.iter().any(Node::is_live) {
            turn.effects.push(Effect::Publish(Event::Down, cause));
        }
        turn.effects.push(Effect::Settled { op: id, outcome });
    }

    fn judge(&mut self, id: OpId, changed: &BTreeSet<Id>) {
        self.follow_all(id);
        let Some(op) = self.ops.get(&id) else { return };
        let mut fates: Vec<(String, How)> = match &op.kind {
            Kind::Wait { until, asked } => self.fates_of_wait(op, *until, *asked),
            Kind::Up | Kind::Down { .. } | Kind::Restart | Kind::Run { .. } => {
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
        let is_of_all = |op: &&mut Op| matches!(op.kind, Kind::Wait { until: Until::Ready | Until::Done, asked } if asked == all);
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
        let was_ready = |how: &How| matches!(how, How::Ready { .. } | How::Unchanged);
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
                !unit.run.is_live() && !unit.is_asked() && node.standing.due.is_none()
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
                    Some(Some(failed @ How::Failed { .. })) if op.kind == Kind::Up => {
                        op.conclude(&name, failed);
                    }
                    Some(Some(_)) | None => op.conclude(&name, How::Unchanged),
                }
            }
        }
    }

    /// A `run` whose needs will not come is over: its task must not run later by surprise.
    fn drop_blocked_run(&mut self, op: OpId, fates: &[(String, How)]) {
        let Some(Kind::Run { task }) = self.ops.get(&op).map(|op| &op.kind) else { return };
        let blocked =
            |(name, how): &(String, How)| name == task && matches!(how, How::Blocked { .. });
        if fates.iter().any(blocked)
            && let Some(id) = self.graph.id(task)
            && let Some(unit) = self.nodes[id].as_task_mut()
        {
            unit.orders.queue.retain(|order| order.op != op);
            self.touch(id);
        }
    }

    fn fate(&self, op: &Op, node: &Node) -> Option<How> {
        match (&op.kind, &node.unit) {
            (Kind::Down { .. }, _) => fate_of_down(op, node),
            (Kind::Up | Kind::Restart | Kind::Run { .. }, _) if node.gone => fate_of_down(op, node),
            (Kind::Up | Kind::Restart | Kind::Run { .. }, Unit::Service(unit)) => {
                fate_of_start(op, node, unit)
            }
            (Kind::Up | Kind::Restart | Kind::Run { .. }, Unit::Task(unit)) => {
                fate_of_run(op, node, unit)
            }
            (Kind::Wait { .. }, _) => None,
        }
    }

    /// All at once: `wait` is about a moment at which everything holds.
    fn fates_of_wait(&self, op: &Op, until: Until, asked: Asked) -> Vec<(String, How)> {
        let mut fates = Vec::new();
        for name in &op.order {
            let how = match self.graph.id(name) {
                Some(id) => self.fate_of_wait(&self.nodes[id], until, asked),
                None if until == Until::Down => Some(How::Stopped),
                None => Some(How::Superseded),
            };
            match how {
                Some(how) => fates.push((name.clone(), how)),
                None => return Vec::new(),
            }
        }
        fates
    }

    fn fate_of_wait(&self, node: &Node, until: Until, asked: Asked) -> Option<How> {
        match (until, &node.unit) {
            (Until::Down, _) => match node.stuck() {
                Some(processes) => Some(How::Stuck { processes: processes.to_vec() }),
                None => (!node.is_live()).then_some(How::Stopped),
            },
            (Until::Ready | Until::Done, Unit::Service(unit)) => {
                // One that is to be restarted is about to stop.
                let proven = unit.life.is_proven() && node.standing.restart.is_none();
                match self.service_state(node, unit).verdict(proven, asked) {
                    Verdict::Holds | Verdict::Fails => end_of_start(unit),
                    Verdict::Pending => blocked(node),
                }
            }
            // A run that is still to come is the one that counts.
            (Until::Ready | Until::Done, Unit::Task(unit)) if unit.is_asked() => blocked(node),
            (Until::Ready | Until::Done, Unit::Task(unit)) => {
                match self.task_state(node, unit).verdict(asked) {
                    Verdict::Holds => end_of(&unit.run).or(Some(How::Unchanged)),
                    Verdict::Fails => end_of(&unit.run),
                    Verdict::Pending => blocked(node),
                }
            }
        }
    }
}

fn is_untouched(kind: &Kind, node: &Node) -> bool {
    match (kind, &node.unit) {
        (Kind::Down { .. }, _) => !node.is_live(),
        (Kind::Up, _) if node.gone => !node.is_live(),
        (Kind::Up | Kind::Run { .. }, Unit::Service(unit)) => {
            unit.life.phase == Phase::Ready && node.standing.restart.is_none()
        }
        (Kind::Up | Kind::Run { .. }, Unit::Task(_)) | (Kind::Restart | Kind::Wait { .. }, _) => {
            false
        }
    }
}

fn fate_of_down(op: &Op, node: &Node) -> Option<How> {
    if node.wanted {
        return Some(How::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    if node.is_live() {
        return None;
    }
    let untouched = op.untouched.contains_key(&node.name);
    Some(if untouched { How::Unchanged } else { How::Stopped })
}

fn fate_of_start(op: &Op, node: &Node, unit: &ServiceUnit) -> Option<How> {
    if !node.wanted {
        return Some(How::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    if node.standing.restart.is_some() {
        return None;
    }
    match &unit.life.phase {
        // A task that needs it goes ahead at once; what its window held down is to come back.
        Phase::Ready if !unit.life.is_proven() && !op.takes_start_for_ready(&node.name) => None,
        Phase::Ready if op.untouched.get(&node.name) == Some(&unit.life.generation) => {
            Some(How::Unchanged)
        }
        Phase::Ready | Phase::Exited { .. } | Phase::Failed { .. } => end_of_start(unit),
        Phase::Idle => blocked(node),
        Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Stopping(_)
        | Phase::Backoff { .. } => None,
    }
}

/// How the start of a service ended, if it is over.
fn end_of_start(unit: &ServiceUnit) -> Option<How> {
    let life = &unit.life;
    match &life.phase {
        Phase::Ready => Some(How::Ready { after_ms: life.ready_after_ms().unwrap_or(0) }),
        Phase::Exited { .. } => Some(How::Ended { exit: life.exit }),
        Phase::Failed { reason, port } => {
            let (reason, exit) = (reason.clone(), exit_of_failure(unit));
            Some(How::Failed { reason, exit, port: *port })
        }
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Stopping(_)
        | Phase::Backoff { .. } => None,
    }
}

fn exit_of_failure(unit: &ServiceUnit) -> Option<Exit> {
    // The exit of an earlier start is no part of this story.
    match &unit.life.ending {
        Some(Ending::Exit(exit)) => Some(*exit),
        Some(Ending::OutOfMemory) => unit.life.exit,
        Some(
            Ending::Hook(_)
            | Ending::Start(_)
            | Ending::Unhealthy(_)
            | Ending::Memory(_)
            | Ending::Busy { .. },
        )
        | None => None,
    }
}

fn blocked(node: &Node) -> Option<How> {
    let standing = &node.standing;
    match (&standing.due, &standing.blocked) {
        (Some(_), Some(by)) => Some(How::Blocked { by: by.clone() }),
        (Some(_), None) | (None, _) => None,
    }
}

fn fate_of_run(op: &Op, node: &Node, unit: &TaskUnit) -> Option<How> {
    let own = matches!(&op.kind, Kind::Run { task } if *task == node.name);
    if let Some(processes) = unit.run.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    let over = if own {
        unit.orders.finished == Some(op.id)
    } else {
        !unit.run.is_live() && node.standing.settled > op.since
    };
    if !over {
        return if unit.run.is_live() { None } else { blocked(node) };
    }
    end_of(&unit.run)
}

/// How a task's run ended, if it is over.
fn end_of(run: &Run) -> Option<How> {
    match &run.phase {
        RunPhase::Done { after_ms } => Some(How::Ready { after_ms: *after_ms }),
        RunPhase::Skipped => Some(How::Skipped),
        RunPhase::Failed { reason } => {
            Some(How::Failed { reason: reason.clone(), exit: run.exit, port: None })
        }
        RunPhase::Idle
        | RunPhase::Inputs
        | RunPhase::Window
        | RunPhase::Spawn
        | RunPhase::Running { .. }
        | RunPhase::Ending { .. }
        | RunPhase::Recording { .. }
        | RunPhase::Rescue { .. } => None,
    }
}
