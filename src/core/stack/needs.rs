//! Whether a service or task may start: what it waits for, and whether that will come.

use super::{Supervisor, node::Unit};
use crate::{
    core::lifecycle::{Phase, RunPhase},
    event::Cause,
    graph::{Edge, Id},
    model::{Need, NeedUntil},
};

/// What keeps something from starting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct StartBlock {
    /// What it waits for, in the order of the file.
    pub on: Vec<String>,
    /// The root of those that will not come without help.
    pub blocked: Option<String>,
}

/// How a need stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NeedState {
    Holds,
    Pending,
    /// It will not hold without help, because of this one.
    Failed(String),
}

impl Supervisor {
    /// What keeps `id` from starting now.
    pub(super) fn hold(&self, id: Id) -> StartBlock {
        let mut hold = StartBlock::default();
        for (to, edge) in self.graph.edges(id) {
            let need_state = match edge {
                Edge::Need(need) if self.counts(id, to) => self.need_state(id, to, need),
                Edge::Need(_) => NeedState::Holds,
                Edge::After => self.after_state(id, to),
                // What is needed comes first: that brings this along.
                Edge::Through(_) => continue,
            };
            match need_state {
                NeedState::Holds => continue,
                NeedState::Pending => {}
                NeedState::Failed(root) => _ = hold.blocked.get_or_insert(root),
            }
            let name = &self.nodes[to].name;
            if !hold.on.contains(name) {
                hold.on.push(name.clone());
            }
        }
        if hold.on.is_empty() {
            hold.on = self.awaited_through_tasks(id);
        }
        hold
    }

    /// What `id` needs through tasks that are done, and that is on its way back: the task does not
    /// run again for a restart of both, and so waits for nothing.
    fn awaited_through_tasks(&self, id: Id) -> Vec<String> {
        let comes = |(to, edge): (Id, &Edge)| match edge {
            Edge::Through(until) => self.comes_back(id, to, *until).then_some(to),
            Edge::Need(_) | Edge::After => None,
        };
        let awaited = self.graph.edges(id).filter_map(comes);
        awaited.map(|to| self.nodes[to].name.clone()).collect()
    }

    fn comes_back(&self, id: Id, to: Id, until: NeedUntil) -> bool {
        let node = &self.nodes[to];
        let Some(service) = node.as_service().filter(|service| !service.now.is_external()) else {
            return false;
        };
        let enough = until == NeedUntil::Started && service.machine.has_started();
        let recovers = matches!(service.machine.phase, Phase::Backoff { .. } | Phase::Stopping(_))
            && node.wanted
            && node.schedule.held.is_none();
        !enough && (recovers || self.after_state(id, to) == NeedState::Pending)
    }

    /// Whether a need is to be looked at: with `--no-deps` only where somebody else wants it.
    fn counts(&self, id: Id, to: Id) -> bool {
        let node = &self.nodes[id];
        node.whole || node.as_task().is_some() || self.nodes[to].wanted
    }

    /// How the need of `id` for `to` stands.
    pub(super) fn need_state(&self, id: Id, to: Id, need: &Need) -> NeedState {
        let need_state = match &self.nodes[to].unit {
            Unit::Service(_) => self.stand_service(id, to, need),
            Unit::Task(_) => self.stand_task(id, to, need),
        };
        match need_state {
            NeedState::Failed(_) if need.optional => NeedState::Holds,
            NeedState::Pending if need.optional && self.has_failed_since_due(id, to) => {
                NeedState::Holds
            }
            NeedState::Holds | NeedState::Pending | NeedState::Failed(_) => need_state,
        }
    }

    fn stand_service(&self, id: Id, to: Id, need: &Need) -> NeedState {
        let node = &self.nodes[to];
        let Some(service) = node.as_service() else { return NeedState::Pending };
        if node.is_going_down() {
            return NeedState::Pending;
        }
        let started = need.until == NeedUntil::Started && !service.now.is_external();
        match &service.machine.phase {
            Phase::Ready if service.now.is_external() && !self.is_fresh(id, to) => {
                NeedState::Pending
            }
            Phase::Ready => NeedState::Holds,
            Phase::Unhealthy { .. } | Phase::Starting(_) => {
                if started && service.machine.has_started() {
                    NeedState::Holds
                } else {
                    NeedState::Pending
                }
            }
            Phase::Exited { .. } | Phase::Failed { .. } => NeedState::Failed(node.name.clone()),
            Phase::Idle => self.stand_waiting(to),
            Phase::Stopping(_) | Phase::Backoff { .. } => NeedState::Pending,
        }
    }

    fn stand_task(&self, id: Id, to: Id, need: &Need) -> NeedState {
        let node = &self.nodes[to];
        let Some(task) = node.as_task() else { return NeedState::Pending };
        match &task.run.phase {
            RunPhase::Running { .. } if need.until == NeedUntil::Started => NeedState::Holds,
            RunPhase::Inputs
            | RunPhase::Window
            | RunPhase::Spawn
            | RunPhase::Running { .. }
            | RunPhase::Ending { .. }
            | RunPhase::Recording { .. }
            | RunPhase::Rescue { .. } => NeedState::Pending,
            RunPhase::Done { .. } | RunPhase::Skipped if self.is_done_for(id, to) => {
                NeedState::Holds
            }
            RunPhase::Failed { .. } if self.has_run_for(id, to) => {
                NeedState::Failed(node.name.clone())
            }
            RunPhase::Idle
            | RunPhase::Done { .. }
            | RunPhase::Skipped
            | RunPhase::Failed { .. } => self.stand_waiting(to),
        }
    }

    fn stand_waiting(&self, to: Id) -> NeedState {
        let schedule = &self.nodes[to].schedule;
        match (&schedule.due, &schedule.blocked) {
            (Some(_), Some(root)) => NeedState::Failed(root.clone()),
            (Some(_), None) | (None, _) => NeedState::Pending,
        }
    }

    /// Whether a task need not run (again) for the start of `id`: it was done for the `up` that
    /// the start belongs to, and where it has inputs, those were looked at for this very start.
    fn is_done_for(&self, id: Id, to: Id) -> bool {
        self.nodes[to].as_task().is_some_and(|task| {
            task.orders.done >= self.nodes[id].schedule.revision
                && (task.next.inputs.is_empty() || self.has_run_for(id, to))
        })
    }

    /// Whether the task has done for `id` what it could.
    fn is_answered(&self, id: Id, task: Id) -> bool {
        self.nodes[task].as_task().is_some_and(|unit| match &unit.run.phase {
            RunPhase::Done { .. } | RunPhase::Skipped => self.is_done_for(id, task),
            RunPhase::Failed { .. } => self.has_run_for(id, task),
            RunPhase::Idle
            | RunPhase::Inputs
            | RunPhase::Window
            | RunPhase::Spawn
            | RunPhase::Running { .. }
            | RunPhase::Ending { .. }
            | RunPhase::Recording { .. }
            | RunPhase::Rescue { .. } => false,
        })
    }

    /// Whether a task's last run counts for this start of `id`. What comes back from a window was
    /// up before: its tasks are not run for that. (Two of them, each with a window around what
    /// needs the other, would take turns for ever.)
    fn has_run_for(&self, id: Id, task: Id) -> bool {
        let because = &self.nodes[id].schedule.because;
        matches!(because, Cause::Window { .. }) || self.is_fresh(id, task)
    }

    /// Whether `to` settled after `id` became due.
    fn is_fresh(&self, id: Id, to: Id) -> bool {
        self.nodes[id].schedule.due.is_none_or(|due| self.nodes[to].schedule.settled > due)
    }

    fn has_failed_since_due(&self, id: Id, to: Id) -> bool {
        self.nodes[id].schedule.due.is_some_and(|due| self.nodes[to].schedule.failed > due)
    }

    /// Order alone: waits for what is on its way up, and for nothing else.
    fn after_state(&self, id: Id, to: Id) -> NeedState {
        let node = &self.nodes[to];
        let on_its_way = match &node.unit {
            Unit::Service(service) => {
                node.wanted
                    && node.schedule.held.is_none()
                    && match &service.machine.phase {
                        Phase::Idle => node.schedule.blocked.is_none(),
                        Phase::Starting(_) => true,
                        Phase::Stopping(_) => node.schedule.restart.is_some(),
                        Phase::Ready
                        | Phase::Unhealthy { .. }
                        | Phase::Backoff { .. }
                        | Phase::Exited { .. }
                        | Phase::Failed { .. } => false,
                    }
            }
            Unit::Task(task) => {
                task.run.is_live()
                    || (node.schedule.due.is_some() && node.schedule.blocked.is_none())
            }
        };
        if on_its_way && !self.has_failed_since_due(id, to) {
            NeedState::Pending
        } else {
            NeedState::Holds
        }
    }

    /// Who is about to start and needs this task to run, and for which `up`; none if nobody does.
    pub(super) fn demand(&self, task: Id) -> Option<(u64, Id)> {
        let asking = self.graph.needed_by(task).filter(|&(id, _)| {
            self.nodes[id].schedule.due.is_some()
                && self.counts(id, task)
                && !self.is_answered(id, task)
        });
        asking.map(|(id, _)| (self.nodes[id].schedule.revision, id)).max()
    }

    /// Who is about to start and needs this external service to be looked at again.
    pub(super) fn asks_again(&self, external: Id) -> Option<Id> {
        let mut asking = self.graph.needed_by(external).map(|(id, _)| id);
        asking.find(|&id| {
            self.nodes[id].schedule.due.is_some()
                && self.counts(id, external)
                && !self.is_fresh(id, external)
        })
    }
}
