//! Drives every service and task one step towards what is wanted and what its needs allow.
//!
//! [`Supervisor::next_move`] looks and changes nothing; [`Supervisor::make`] changes one node.
//! Only nodes near a change are looked at again; in debug builds an oracle looks at all of them
//! and checks that nothing was overlooked.

use std::sync::Arc;

use super::{
    Supervisor, Turn,
    needs::Hold,
    node::{ServiceUnit, TaskUnit, Unit},
};
use crate::{
    event::{Cause, Event},
    graph::Id,
    lifecycle::{self, Phase, Run, RunPhase, Then},
};

/// The next step of one node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Move {
    /// Nothing to do.
    Stay,
    /// Go down.
    Stop(Cause),
    /// Down for a restart: from here on it is a start like any other.
    Restarted,
    /// It is about to start, for this `up`.
    Due(u64),
    /// It is not about to start any more.
    Rest,
    /// It waits for something else than before.
    Wait(Hold),
    /// Open a task's exclusive window.
    Open,
    /// Its window is open and empty: run.
    Go,
    /// Its window will not be empty, because of this one: it does not run.
    Refuse(String),
    /// Start.
    Start,
    /// An external service is to be looked at again, for the start of this one.
    Recheck(Id),
}

impl Supervisor {
    /// Moves nodes until none has anything left to do.
    pub(super) fn reconcile(&mut self, turn: &mut Turn) {
        let mut left = 100 * self.nodes.len() + 100;
        while let Some(rank) = self.dirty.pop_first() {
            let id = self.order[rank];
            match self.next_move(id) {
                Move::Stay => {}
                step @ (Move::Stop(_)
                | Move::Restarted
                | Move::Due(_)
                | Move::Rest
                | Move::Wait(_)
                | Move::Open
                | Move::Go
                | Move::Refuse(_)
                | Move::Start
                | Move::Recheck(_)) => {
                    left = left.saturating_sub(1);
                    debug_assert!(left > 0, "`{}` goes round: {step:?}", self.nodes[id].name);
                    self.make(id, step, turn);
                    self.touch(id);
                }
            }
        }
        #[cfg(debug_assertions)]
        self.check_oracle();
    }

    pub(super) fn next_move(&self, id: Id) -> Move {
        match &self.nodes[id].unit {
            Unit::Service(service) => self.next_of_service(id, service),
            Unit::Task(task) => self.next_of_task(id, task),
        }
    }

    fn next_of_service(&self, id: Id, service: &ServiceUnit) -> Move {
        let node = &self.nodes[id];
        if node.is_going_down() {
            return self.next_down(id, service);
        }
        let standing = &node.standing;
        if !node.wanted || standing.held.is_some() {
            return self.next_at_rest(id);
        }
        match &service.life.phase {
            Phase::Idle if standing.restart.is_some() => Move::Restarted,
            Phase::Idle if standing.due.is_none() => Move::Due(standing.revision),
            Phase::Idle => self.next_start(id),
            Phase::Ready if service.now.is_external() => {
                self.asks_again(id).map_or(Move::Stay, Move::Recheck)
            }
            Phase::Ready
            | Phase::Starting(_)
            | Phase::Unhealthy { .. }
            | Phase::Stopping(_)
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => Move::Stay,
        }
    }

    fn next_down(&self, id: Id, service: &ServiceUnit) -> Move {
        let may = match &service.life.phase {
            Phase::Idle => false,
            // On its way already, unless the restart policy would have the last word.
            Phase::Stopping(stopping) => stopping.then != Then::Idle,
            Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. } => true,
            Phase::Starting(_) | Phase::Ready | Phase::Unhealthy { .. } => self.may_go_down(id),
        };
        if may { Move::Stop(self.why_down(id)) } else { Move::Stay }
    }

    /// Dependents go down first: those that are to go down at all, and can be ended.
    fn may_go_down(&self, id: Id) -> bool {
        self.graph.incoming(id).all(|(dependent, _)| {
            let node = &self.nodes[dependent];
            !(node.is_going_down() && node.is_live() && node.stuck().is_none())
        })
    }

    fn why_down(&self, id: Id) -> Cause {
        let node = &self.nodes[id];
        match (&node.standing.held, &node.standing.restart) {
            _ if !node.wanted => node.standing.stop_because.clone(),
            (Some(task), _) => Cause::Window { task: task.clone() },
            (None, Some(cause)) => cause.clone(),
            (None, None) => node.standing.stop_because.clone(),
        }
    }

    fn next_at_rest(&self, id: Id) -> Move {
        let standing = &self.nodes[id].standing;
        if standing.due.is_some() || !standing.waiting.is_empty() { Move::Rest } else { Move::Stay }
    }

    fn next_start(&self, id: Id) -> Move {
        let hold = self.hold(id);
        if hold.on.is_empty() { Move::Start } else { self.next_wait(id, hold) }
    }

    fn next_wait(&self, id: Id, hold: Hold) -> Move {
        let standing = &self.nodes[id].standing;
        if standing.waiting == hold.on && standing.blocked == hold.blocked {
            Move::Stay
        } else {
            Move::Wait(hold)
        }
    }

    fn next_of_task(&self, id: Id, task: &TaskUnit) -> Move {
        let node = &self.nodes[id];
        if task.run.is_live() {
            if node.is_going_down() && !task.run.is_cancelled() && self.may_go_down(id) {
                let cause = task.orders.cancel.as_ref();
                return Move::Stop(cause.unwrap_or(&node.standing.stop_because).clone());
            }
            return match &task.run.phase {
                RunPhase::Window => self.next_in_window(id, task),
                RunPhase::Idle
                | RunPhase::Inputs
                | RunPhase::Spawn
                | RunPhase::Running { .. }
                | RunPhase::Ending { .. }
                | RunPhase::Recording { .. }
                | RunPhase::Rescue { .. }
                | RunPhase::Done { .. }
                | RunPhase::Skipped
                | RunPhase::Failed { .. } => Move::Stay,
            };
        }
        let revision = match self.demand(id) {
            Some((revision, _)) if node.wanted => Some(revision),
            Some(_) | None => None,
        };
        let asked = task.is_asked().then_some(self.intent.revision);
        match (revision.max(asked), node.standing.due) {
            (None, _) => self.next_at_rest(id),
            (Some(revision), None) => Move::Due(revision),
            (Some(_), Some(_)) => self.next_start(id),
        }
    }

    /// Opens the window, and runs once everything in it is down and the needs (still) hold.
    fn next_in_window(&self, id: Id, task: &TaskUnit) -> Move {
        let mut hold = self.hold(id);
        for inside in self.window(id) {
            let node = &self.nodes[inside];
            match &node.standing.held {
                Some(holder) if *holder != self.nodes[id].name => hold.on.push(holder.clone()),
                Some(_) if node.is_live() => {
                    hold.on.push(node.name.clone());
                    if node.stuck().is_some() {
                        hold.blocked.get_or_insert_with(|| node.name.clone());
                    }
                }
                Some(_) | None => {}
            }
        }
        hold.on.dedup();
        match (hold.on.is_empty(), task.orders.window) {
            (true, true) => Move::Go,
            (true, false) => Move::Open,
            (false, _) => match hold.blocked {
                Some(by) => Move::Refuse(by),
                None => self.next_wait(id, hold),
            },
        }
    }

    fn make(&mut self, id: Id, step: Move, turn: &mut Turn) {
        match step {
            Move::Stay => {}
            Move::Stop(cause) => self.stop(id, cause, turn),
            Move::Restarted => {
                let node = &mut self.nodes[id];
                if let Some(cause) = node.standing.restart.take() {
                    node.standing.because = cause;
                }
            }
            Move::Due(revision) => {
                let due = self.next_moment();
                let asked = self.nodes[id].as_task().is_none_or(TaskUnit::is_asked);
                let needing = self.demand(id).filter(|_| !asked);
                let needing = needing.map(|(_, of)| self.nodes[of].name.clone());
                let standing = &mut self.nodes[id].standing;
                standing.due = Some(due);
                standing.revision = standing.revision.max(revision);
                if let Some(of) = needing {
                    standing.because = Cause::Need { of };
                }
            }
            Move::Rest => self.nodes[id].rest(),
            Move::Wait(hold) => self.wait(id, hold, turn),
            Move::Open => self.open_window(id),
            Move::Go => {
                self.nodes[id].rest();
                self.drive_task(id, turn, Run::go);
            }
            Move::Refuse(by) => {
                let reason = match self.graph.id(&by).map(|by| &self.nodes[by]) {
                    Some(node) if node.stuck().is_some() => format!("{by} could not be stopped"),
                    Some(_) | None => format!("it needs {by}"),
                };
                self.nodes[id].rest();
                self.drive_task(id, turn, |run, step| run.refuse(reason, step));
            }
            Move::Start => self.start(id, turn),
            Move::Recheck(asker) => {
                let of = self.nodes[asker].name.clone();
                let cause = Cause::Need { of };
                self.drive(id, turn, |life, step| life.recheck(cause, step));
            }
        }
    }

    fn stop(&mut self, id: Id, cause: Cause, turn: &mut Turn) {
        let node = &mut self.nodes[id];
        if !node.wanted
            && let Some(service) = node.as_service_mut()
        {
            service.life.begin_afresh();
        }
        match &self.nodes[id].unit {
            Unit::Service(_) => self.drive(id, turn, |life, step| life.stop(cause, step)),
            Unit::Task(_) => self.drive_task(id, turn, |run, step| run.cancel(cause, step)),
        }
    }

    fn start(&mut self, id: Id, turn: &mut Turn) {
        let revision = self.intent.revision;
        let node = &mut self.nodes[id];
        let because = node.standing.because.clone();
        node.rest();
        match &mut node.unit {
            Unit::Service(service) => {
                service.now = Arc::clone(&service.next);
                self.drive(id, turn, |life, step| life.start(because, step));
            }
            Unit::Task(task) => {
                task.now = Arc::clone(&task.next);
                task.orders.revision = revision;
                task.orders.current = task.orders.queue.pop_front();
                let order = task.orders.current.clone();
                self.drive_task(id, turn, |run, step| match order {
                    Some(order) => run.start(order.args, order.force, order.cause, step),
                    None => run.start(Vec::new(), false, because, step),
                });
            }
        }
    }

    fn wait(&mut self, id: Id, hold: Hold, turn: &mut Turn) {
        let node = &mut self.nodes[id];
        let news = node.standing.waiting != hold.on;
        node.standing.waiting.clone_from(&hold.on);
        node.standing.blocked = hold.blocked;
        if news {
            let event = Event::Waiting { on: hold.on };
            let effect = lifecycle::Effect::Publish(event, node.standing.because.clone());
            turn.unit(&node.name, node.generation(), effect);
        }
    }

    /// Looks at everything from scratch: nothing may be left to do, and what is kept up to date
    /// step by step must equal what is worked out anew.
    #[cfg(debug_assertions)]
    fn check_oracle(&self) {
        let wanted = self.reachable();
        for (id, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.wanted, wanted.any.contains(&id), "`{}` wanted", node.name);
            assert_eq!(node.whole, wanted.whole.contains(&id), "`{}` whole", node.name);
            assert_eq!(self.next_move(id), Move::Stay, "`{}` was overlooked", node.name);
            let timer = node.deadline();
            assert!(
                timer.is_none_or(|at| self.timers.contains(&(at, id))),
                "`{}` timer",
                node.name
            );
        }
    }
}
