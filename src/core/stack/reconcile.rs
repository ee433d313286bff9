//! Drives every service and task one step towards what is wanted and what its needs allow.
//!
//! [`Supervisor::next_move`] looks and changes nothing; [`Supervisor::make`] changes one node.
//! Only nodes near a change are looked at again; in debug builds an oracle looks at all of them
//! and checks that nothing was overlooked.

use std::sync::Arc;

use super::{
    Outbox, Supervisor,
    needs::StartBlock,
    node::{ServiceUnit, TaskUnit, Unit},
};
use crate::{
    core::lifecycle::{self, Phase, RunPhase, TaskMachine, Then},
    event::{Cause, Event},
    graph::Id,
    reason::Failure,
};

/// The next step of one node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
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
    Wait(StartBlock),
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
    pub(super) fn reconcile(&mut self, outbox: &mut Outbox) {
        let mut left = 100 * self.nodes.len() + 100;
        while let Some(rank) = self.dirty.pop_first() {
            let id = self.order[rank];
            match self.next_move(id) {
                Action::Stay => {}
                step @ (Action::Stop(_)
                | Action::Restarted
                | Action::Due(_)
                | Action::Rest
                | Action::Wait(_)
                | Action::Open
                | Action::Go
                | Action::Refuse(_)
                | Action::Start
                | Action::Recheck(_)) => {
                    left = left.saturating_sub(1);
                    debug_assert!(left > 0, "`{}` goes round: {step:?}", self.nodes[id].name);
                    self.make(id, step, outbox);
                    self.touch(id);
                }
            }
        }
        #[cfg(debug_assertions)]
        self.check_oracle();
    }

    pub(super) fn next_move(&self, id: Id) -> Action {
        match &self.nodes[id].unit {
            Unit::Service(service) => self.next_of_service(id, service),
            Unit::Task(task) => self.next_of_task(id, task),
        }
    }

    fn next_of_service(&self, id: Id, service: &ServiceUnit) -> Action {
        let node = &self.nodes[id];
        if node.is_going_down() {
            return self.next_down(id, service);
        }
        let schedule = &node.schedule;
        if !node.wanted || schedule.held.is_some() {
            return self.next_at_rest(id);
        }
        match &service.machine.phase {
            Phase::Idle if schedule.restart.is_some() => Action::Restarted,
            Phase::Idle if schedule.due.is_none() => Action::Due(schedule.revision),
            Phase::Idle => self.next_start(id),
            Phase::Ready if service.now.is_external() => {
                self.asks_again(id).map_or(Action::Stay, Action::Recheck)
            }
            Phase::Ready
            | Phase::Starting(_)
            | Phase::Unhealthy { .. }
            | Phase::Stopping(_)
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => Action::Stay,
        }
    }

    fn next_down(&self, id: Id, service: &ServiceUnit) -> Action {
        let may = match &service.machine.phase {
            Phase::Idle => false,
            // On its way already, unless the restart policy would have the last word.
            Phase::Stopping(stopping) => stopping.then != Then::Idle,
            Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. } => true,
            Phase::Starting(_) | Phase::Ready | Phase::Unhealthy { .. } => self.may_go_down(id),
        };
        if may { Action::Stop(self.why_down(id)) } else { Action::Stay }
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
        match (&node.schedule.held, &node.schedule.restart) {
            _ if !node.wanted => node.schedule.stop_because.clone(),
            (Some(task), _) => Cause::Window { task: task.clone() },
            (None, Some(cause)) => cause.clone(),
            (None, None) => node.schedule.stop_because.clone(),
        }
    }

    fn next_at_rest(&self, id: Id) -> Action {
        let schedule = &self.nodes[id].schedule;
        if schedule.due.is_some() || !schedule.waiting.is_empty() {
            Action::Rest
        } else {
            Action::Stay
        }
    }

    fn next_start(&self, id: Id) -> Action {
        let hold = self.hold(id);
        if hold.on.is_empty() { Action::Start } else { self.next_wait(id, hold) }
    }

    fn next_wait(&self, id: Id, hold: StartBlock) -> Action {
        let schedule = &self.nodes[id].schedule;
        if schedule.waiting == hold.on && schedule.blocked == hold.blocked {
            Action::Stay
        } else {
            Action::Wait(hold)
        }
    }

    fn next_of_task(&self, id: Id, task: &TaskUnit) -> Action {
        let node = &self.nodes[id];
        if task.run.is_live() {
            if node.is_going_down() && !task.run.is_cancelled() && self.may_go_down(id) {
                let cause = task.orders.cancel.as_ref();
                return Action::Stop(cause.unwrap_or(&node.schedule.stop_because).clone());
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
                | RunPhase::Failed { .. } => Action::Stay,
            };
        }
        let revision = match self.demand(id) {
            Some((revision, _)) if node.wanted => Some(revision),
            Some(_) | None => None,
        };
        let asked = task.is_asked().then_some(self.intent.revision);
        match (revision.max(asked), node.schedule.due) {
            (None, _) => self.next_at_rest(id),
            (Some(revision), None) => Action::Due(revision),
            (Some(_), Some(_)) => self.next_start(id),
        }
    }

    /// Opens the window, and runs once everything in it is down and the needs (still) hold.
    fn next_in_window(&self, id: Id, task: &TaskUnit) -> Action {
        let mut hold = self.hold(id);
        for inside in self.window(id) {
            let node = &self.nodes[inside];
            match &node.schedule.held {
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
            (true, true) => Action::Go,
            (true, false) => Action::Open,
            (false, _) => match hold.blocked {
                Some(by) => Action::Refuse(by),
                None => self.next_wait(id, hold),
            },
        }
    }

    fn make(&mut self, id: Id, step: Action, outbox: &mut Outbox) {
        match step {
            Action::Stay => {}
            Action::Stop(cause) => self.stop(id, cause, outbox),
            Action::Restarted => {
                let node = &mut self.nodes[id];
                if let Some(cause) = node.schedule.restart.take() {
                    node.schedule.because = cause;
                }
            }
            Action::Due(revision) => {
                let due = self.next_moment();
                let asked = self.nodes[id].as_task().is_none_or(TaskUnit::is_asked);
                let needing = self.demand(id).filter(|_| !asked);
                let needing = needing.map(|(_, of)| self.nodes[of].name.clone());
                let schedule = &mut self.nodes[id].schedule;
                schedule.due = Some(due);
                schedule.revision = schedule.revision.max(revision);
                if let Some(of) = needing {
                    schedule.because = Cause::Need { of };
                }
            }
            Action::Rest => self.nodes[id].rest(),
            Action::Wait(hold) => self.wait(id, hold, outbox),
            Action::Open => self.open_window(id),
            Action::Go => {
                self.nodes[id].rest();
                self.drive_task(id, outbox, TaskMachine::go);
            }
            Action::Refuse(by) => {
                let failure = match self.graph.id(&by).map(|by| &self.nodes[by]) {
                    Some(node) if node.stuck().is_some() => Failure::NotStopped { name: by },
                    Some(_) | None => Failure::NeedLost { name: by },
                };
                self.nodes[id].rest();
                self.drive_task(id, outbox, |run, step| run.refuse(failure, step));
            }
            Action::Start => self.start(id, outbox),
            Action::Recheck(asker) => {
                let of = self.nodes[asker].name.clone();
                let cause = Cause::Need { of };
                self.drive(id, outbox, |machine, step| machine.recheck(cause, step));
            }
        }
    }

    fn stop(&mut self, id: Id, cause: Cause, outbox: &mut Outbox) {
        let node = &mut self.nodes[id];
        if !node.wanted
            && let Some(service) = node.as_service_mut()
        {
            service.machine.begin_afresh();
        }
        match &self.nodes[id].unit {
            Unit::Service(_) => self.drive(id, outbox, |machine, step| machine.stop(cause, step)),
            Unit::Task(_) => self.drive_task(id, outbox, |run, step| run.cancel(cause, step)),
        }
    }

    fn start(&mut self, id: Id, outbox: &mut Outbox) {
        let revision = self.intent.revision;
        let node = &mut self.nodes[id];
        let because = node.schedule.because.clone();
        node.rest();
        match &mut node.unit {
            Unit::Service(service) => {
                service.now = Arc::clone(&service.next);
                self.drive(id, outbox, |machine, step| machine.start(because, step));
            }
            Unit::Task(task) => {
                task.now = Arc::clone(&task.next);
                task.orders.revision = revision;
                task.orders.current = task.orders.queue.pop_front();
                let order = task.orders.current.clone();
                self.drive_task(id, outbox, |run, step| match order {
                    Some(order) => run.start(order.args, order.force, order.cause, step),
                    None => run.start(Vec::new(), false, because, step),
                });
            }
        }
    }

    fn wait(&mut self, id: Id, hold: StartBlock, outbox: &mut Outbox) {
        let node = &mut self.nodes[id];
        let news = node.schedule.waiting != hold.on;
        node.schedule.waiting.clone_from(&hold.on);
        node.schedule.blocked = hold.blocked;
        if news {
            let event = Event::Waiting { on: hold.on };
            let effect = lifecycle::Effect::Publish(event, node.schedule.because.clone());
            outbox.unit(&node.name, node.generation(), effect);
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
            assert_eq!(self.next_move(id), Action::Stay, "`{}` was overlooked", node.name);
            let timer = node.deadline();
            assert!(
                timer.is_none_or(|at| self.timers.contains(&(at, id))),
                "`{}` timer",
                node.name
            );
        }
    }
}
