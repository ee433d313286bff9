//! The whole stack, pure: intent, reconcile, snapshot, why.
//!
//! [`Supervisor`] is told [`Input`]s and the time, and answers with [`Effect`]s. It never asks for
//! the time and never calls out, so a test can drive it through any history.
//!
//! Commands change *intent*, the roots that are wanted. From it follows what is `wanted`
//! (reachable by needs), and from that and the state of its needs whether something may start.
//! After each input every node near a change is driven one step (`reconcile`), until none has
//! anything left to do; then the requests that are done with are answered (`op`).

mod apply;
pub mod command;
mod dry_run;
mod explain;
mod fate;
mod handle_command;
mod intent;
mod names;
mod needs;
mod node;
mod operation;
mod reconcile;
mod recover;
mod restart;
mod snapshot;
mod view;
pub mod why;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use command::{Command, ItemOutcome, ItemResult, OpId, Outcome, Refusal, Until};
pub use recover::Recovered;
pub use snapshot::SnapshotDelta;
pub use view::{ServiceView, TaskView};
pub use why::{Why, WhyLink};

use crate::{
    core::lifecycle::{self, Phase, ServiceMachine, TaskMachine, TaskStep, Transition},
    event::{Cause, Event, Tick},
    graph::{Graph, Id},
    model::{Service, Stack, Task},
};
use intent::Intent;
use node::{Node, Unit};
use operation::Operation;
use snapshot::SnapshotProgress;

/// What the supervisor is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A client asks for something; it is answered by one [`Effect::CommandEnded`].
    Command {
        /// The number of the request.
        op: OpId,
        /// What it asks for.
        command: Command,
        /// Who asks.
        cause: Cause,
    },
    /// The client of a request does not want its answer any more; the work goes on.
    Forget {
        /// The number of the request.
        op: OpId,
    },
    /// End the run of a task: Ctrl-C of `run`.
    CancelRun {
        /// The number of the request.
        op: OpId,
    },
    /// Something happened to a service or task, in that generation.
    Unit {
        /// Its name.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What happened.
        input: lifecycle::Input,
    },
    /// Time has passed.
    Timer,
}

/// What the supervisor wants done.
#[must_use = "an effect that is not carried out stalls the stack"]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something for one service or task, in that generation.
    Unit {
        /// Its name.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What.
        effect: lifecycle::Effect,
    },
    /// Write something about the whole stack to the ledger.
    Publish(Event, Cause),
    /// A request is done.
    CommandEnded {
        /// Its number.
        op: OpId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Intent or stack have changed: store them before anything that follows is carried out.
    Save,
}

/// The supervisor of one stack.
#[derive(Debug, Clone)]
pub struct Supervisor {
    stack: Stack,
    seed: u64,
    /// Of the nodes, in their order: those of the stack, then those that it no longer has.
    graph: Graph,
    nodes: Vec<Node>,
    intent: Intent,
    ops: BTreeMap<OpId, Operation>,
    /// The last generation of what the stack had and has no more.
    past: BTreeMap<String, u64>,
    /// Logical time: counts the moments that must be told apart.
    moment: u64,
    /// The nodes in start order, and the place of each in it.
    order: Vec<Id>,
    rank: Vec<usize>,
    /// The places of the nodes to look at. In start order, so that whoever is looked at finds
    /// settled what it depends on: no answer is given on stale grounds.
    dirty: BTreeSet<usize>,
    /// Nodes that changed in this turn.
    changed: BTreeSet<Id>,
    /// What has changed since the snapshot was last made.
    snapshot_progress: SnapshotProgress,
    /// The time of the last turn.
    now: Tick,
    /// When nodes have something to do by themselves.
    timers: BTreeSet<(Tick, Id)>,
    /// The entry of each node in `timers`.
    timer_of: Vec<Option<Tick>>,
}

/// One call of [`Supervisor::handle`].
#[derive(Debug, Default)]
struct Outbox {
    effects: Vec<Effect>,
}

impl Outbox {
    fn unit(&mut self, name: &str, generation: u64, effect: lifecycle::Effect) {
        self.effects.push(Effect::Unit { name: name.to_owned(), generation, effect });
    }
}

impl Supervisor {
    /// A supervisor of a stack of which nothing runs and nothing is wanted. `seed` varies the
    /// jitter of its backoff.
    pub fn new(stack: Stack, seed: u64) -> Self {
        let mut this = Self {
            stack: Stack::default(),
            seed,
            graph: Graph::default(),
            nodes: Vec::new(),
            intent: Intent::default(),
            ops: BTreeMap::new(),
            past: BTreeMap::new(),
            moment: 0,
            order: Vec::new(),
            rank: Vec::new(),
            dirty: BTreeSet::new(),
            changed: BTreeSet::new(),
            snapshot_progress: SnapshotProgress::default(),
            now: Tick::default(),
            timers: BTreeSet::new(),
            timer_of: Vec::new(),
        };
        this.adopt(stack);
        this.changed.clear();
        this
    }

    /// Takes in what happened and says what to do, in this order. Store [`Supervisor::snapshot_delta`]
    /// before any of it reaches the world.
    pub fn handle(&mut self, input: Input, now: Tick) -> Vec<Effect> {
        let mut outbox = Outbox::default();
        self.now = now;
        match input {
            Input::Command { op, command, cause } => self.accept(op, command, &cause, &mut outbox),
            Input::Forget { op } => _ = self.ops.remove(&op),
            Input::CancelRun { op } => self.cancel_run(op),
            Input::Unit { name, generation, input } => {
                self.deliver(&name, generation, input, &mut outbox);
            }
            Input::Timer => {
                // What is due may end in something else that is (a grace of nothing).
                while self.deadline().is_some_and(|at| at <= now) {
                    self.expire(&mut outbox);
                    self.finish_turn(&mut outbox);
                }
            }
        }
        self.finish_turn(&mut outbox);
        if self.forget_gone() {
            self.finish_turn(&mut outbox);
        }
        outbox.effects
    }

    /// Drives everything until nothing is left to do, and answers what is done with.
    fn finish_turn(&mut self, outbox: &mut Outbox) {
        // An answered request may be the last thing that kept something going.
        let mut rounds = 0;
        while !self.dirty.is_empty() || !self.changed.is_empty() {
            rounds += 1;
            debug_assert!(rounds < 100, "no end of it: {}", self.open_ops());
            self.reconcile(outbox);
            self.settle(outbox);
        }
        self.settle(outbox);
    }

    /// What was asked of the world and may have been lost with the supervisor that asked; to be
    /// carried out once after [`Supervisor::restore`]. A process or hook among it that runs
    /// already is not to be started again.
    pub fn resume(&self, now: Tick) -> Vec<Effect> {
        let mut outbox = Outbox::default();
        for node in &self.nodes {
            let mut effects = lifecycle::Effects::new();
            match &node.unit {
                Unit::Service(unit) => {
                    let service = &unit.now;
                    unit.machine.resume(&mut Transition { service, now, effects: &mut effects });
                }
                Unit::Task(unit) => {
                    let (task, called_off) = (&unit.now, node.is_going_down());
                    let effects = &mut effects;
                    unit.run.resume(&mut TaskStep { task, called_off, now, effects });
                }
            }
            for (generation, effect) in effects {
                outbox.unit(&node.name, generation, effect);
            }
        }
        outbox.effects
    }

    /// When to send [`Input::Timer`], if nothing else happens before.
    pub fn deadline(&self) -> Option<Tick> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The stack last applied.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The definition of a service that its present generation runs by: also of one that the
    /// stack no longer has, as long as anything of it runs.
    pub fn service(&self, name: &str) -> Option<&Service> {
        let node = &self.nodes[self.graph.id(name)?];
        node.as_service().map(|unit| &*unit.now)
    }

    /// The definition of a task that its present run runs by.
    pub fn task(&self, name: &str) -> Option<&Task> {
        let node = &self.nodes[self.graph.id(name)?];
        node.as_task().map(|unit| &*unit.now)
    }

    /// The task whose exclusive window holds a service down.
    pub fn held_by(&self, name: &str) -> Option<&str> {
        self.nodes[self.graph.id(name)?].schedule.held.as_deref()
    }

    /// When the present run of a task began, or its last one.
    pub fn began(&self, name: &str) -> Option<Tick> {
        let node = &self.nodes[self.graph.id(name)?];
        node.as_task().map(|unit| unit.run.began)
    }

    /// Whether nothing runs, nothing is wanted and no request is open.
    pub fn is_idle(&self) -> bool {
        self.intent.roots.is_empty()
            && self.ops.is_empty()
            && self
                .nodes
                .iter()
                .all(|node| !node.is_live() && node.as_task().is_none_or(|task| !task.is_asked()))
    }

    /// The open requests and what each still waits for, for people who look into a stall.
    pub fn open_ops(&self) -> String {
        self.ops.values().map(Operation::to_string).collect::<Vec<_>>().join("; ")
    }

    fn deliver(
        &mut self,
        name: &str,
        generation: u64,
        input: lifecycle::Input,
        outbox: &mut Outbox,
    ) {
        let Some(id) = self.graph.id(name) else { return };
        // An exit or an answer of an earlier start.
        if self.nodes[id].generation() != generation {
            return;
        }
        match &self.nodes[id].unit {
            Unit::Service(_) => self.drive(id, outbox, |machine, step| machine.input(input, step)),
            Unit::Task(_) => self.drive_task(id, outbox, |run, step| run.input(input, step)),
        }
    }

    fn expire(&mut self, outbox: &mut Outbox) {
        while let Some(&(_, id)) = self.timers.first().filter(|(at, _)| *at <= self.now) {
            match &self.nodes[id].unit {
                Unit::Service(_) => self.drive(id, outbox, ServiceMachine::tick),
                Unit::Task(_) => self.drive_task(id, outbox, TaskMachine::tick),
            }
        }
    }

    /// Takes one step in the life of a service, and draws the conclusions.
    fn drive(
        &mut self,
        id: Id,
        outbox: &mut Outbox,
        step: impl FnOnce(&mut ServiceMachine, &mut Transition<'_>),
    ) {
        let node = &mut self.nodes[id];
        let Unit::Service(unit) = &mut node.unit else { return };
        let mut effects = lifecycle::Effects::new();
        let before = std::mem::discriminant(&unit.machine.phase);
        let mut context = Transition { service: &unit.now, now: self.now, effects: &mut effects };
        step(&mut unit.machine, &mut context);
        for (generation, effect) in effects {
            outbox.unit(&node.name, generation, effect);
        }
        if std::mem::discriminant(&unit.machine.phase) != before {
            self.has_moved(id);
        }
        self.touch(id);
    }

    fn has_moved(&mut self, id: Id) {
        let moment = self.next_moment();
        let node = &mut self.nodes[id];
        let Unit::Service(unit) = &node.unit else { return };
        match &unit.machine.phase {
            Phase::Ready => node.schedule.settled = moment,
            Phase::Failed { .. } => node.schedule.failed = moment,
            Phase::Backoff { .. } => {
                node.schedule.failed = moment;
                node.schedule.because = unit.machine.cause.clone();
                self.restart_followers(id);
            }
            Phase::Idle
            | Phase::Starting(_)
            | Phase::Unhealthy { .. }
            | Phase::Stopping(_)
            | Phase::Exited { .. } => {}
        }
    }

    /// Takes one step in the life of a task, and draws the conclusions.
    fn drive_task(
        &mut self,
        id: Id,
        outbox: &mut Outbox,
        step: impl FnOnce(&mut TaskMachine, &mut TaskStep<'_>),
    ) {
        let node = &mut self.nodes[id];
        // Its end may have to wait for that of its dependents; another try of it does not.
        let called_off = node.is_going_down();
        let Unit::Task(unit) = &mut node.unit else { return };
        let mut effects = lifecycle::Effects::new();
        let ran = unit.run.is_live();
        let (task, now) = (&unit.now, self.now);
        let mut context = TaskStep { task, called_off, now, effects: &mut effects };
        step(&mut unit.run, &mut context);
        let over = ran && !unit.run.is_live();
        for (generation, effect) in effects {
            outbox.unit(&node.name, generation, effect);
        }
        if over {
            self.run_is_over(id);
        }
        self.touch(id);
    }

    fn run_is_over(&mut self, id: Id) {
        let moment = self.next_moment();
        let node = &mut self.nodes[id];
        let Unit::Task(unit) = &mut node.unit else { return };
        node.schedule.settled = moment;
        if unit.run.is_done() {
            unit.orders.done = unit.orders.revision;
        } else {
            node.schedule.failed = moment;
        }
        let order = unit.orders.current.take();
        unit.orders.finished = order.as_ref().map(|order| order.op);
        unit.orders.ended = order.map(|order| order.cause);
        unit.orders.asked = false;
        unit.orders.cancel = None;
        let op = unit.orders.finished;
        node.rest();
        let back = self.close_window(id);
        self.await_return(op, &back);
    }

    /// A node changed: it and its neighbours are to be looked at.
    fn touch(&mut self, id: Id) {
        self.changed.insert(id);
        self.mark(id);
        let neighbours = self.graph.incoming(id).chain(self.graph.edges(id));
        self.dirty.extend(neighbours.map(|(neighbour, _)| self.rank[neighbour]));
        if let Some(holder) = &self.nodes[id].schedule.held
            && let Some(holder) = self.graph.id(holder)
        {
            self.mark(holder);
        }
        let (old, new) = (self.timer_of[id], self.nodes[id].deadline());
        if old != new {
            if let Some(old) = old {
                self.timers.remove(&(old, id));
            }
            self.timers.extend(new.map(|at| (at, id)));
            self.timer_of[id] = new;
        }
    }

    /// A node is to be looked at.
    fn mark(&mut self, id: Id) {
        self.dirty.insert(self.rank[id]);
    }

    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }
}
