//! What a command would do and why, without doing it.
//!
//! There is no second opinion: the command is given to a copy, and the outlook is read off what
//! the copy then means to do. The ledger's `applied` is read off the supervisor itself in the
//! same way.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Command, OpId, Outbox, Refusal, Supervisor,
    node::{Node, ServiceUnit, TaskUnit, Unit},
};
use crate::{
    core::lifecycle::Phase,
    core::plan::{Action, Change, Plan, PlanReason, PlanStep},
    event::{Cause, Tick},
    graph::Id,
    model::State,
};

/// What a command did to intent and definitions.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// What it is about.
    pub targets: BTreeSet<Id>,
    /// What took on new settings as it runs, and which.
    pub updated: BTreeMap<Id, Vec<Change>>,
    /// Whether the stack is another now.
    pub applied: bool,
}

impl Supervisor {
    /// What a command would do and why; changes nothing.
    ///
    /// # Errors
    /// What would make the supervisor refuse it.
    pub fn plan(&self, command: &Command, now: Tick) -> Result<Plan, Refusal> {
        let (copy, accepted) = self.obeyed(command, now)?;
        Ok(copy.outlook(&accepted))
    }

    /// What would make the supervisor refuse a command; changes nothing.
    pub fn refusal(&self, command: &Command, now: Tick) -> Option<Refusal> {
        self.obeyed(command, now).err()
    }

    /// As it would be after a command.
    fn obeyed(&self, command: &Command, now: Tick) -> Result<(Self, Accepted), Refusal> {
        let mut copy = self.clone();
        copy.now = now;
        let cause = Cause::Supervisor;
        let op = OpId(u64::MAX);
        let accepted = copy.obey(op, command.clone(), &cause, &mut Outbox::default())?;
        Ok((copy, accepted))
    }

    /// What is going to happen to everything that a command touched or was about: first what
    /// goes down, dependents first; then the rest in start order.
    pub(super) fn outlook(&self, accepted: &Accepted) -> Plan {
        let order = &self.order;
        let runs = self.runs_ahead(order);
        let step = |&id: &Id| {
            let node = &self.nodes[id];
            let (action, reason) = match &node.unit {
                Unit::Service(unit) => self.outlook_of_service(id, node, unit, accepted)?,
                Unit::Task(unit) => self.outlook_of_task(id, node, unit, &runs, accepted)?,
            };
            Some(PlanStep { name: node.name.clone(), action, reason })
        };
        let stops = order.iter().rev().filter_map(step).filter(|step| step.action == Action::Stop);
        let others = order.iter().filter_map(step).filter(|step| step.action != Action::Stop);
        Plan { steps: stops.chain(others).collect() }
    }

    fn outlook_of_service(
        &self,
        id: Id,
        node: &Node,
        unit: &ServiceUnit,
        accepted: &Accepted,
    ) -> Option<(Action, PlanReason)> {
        let live = node.is_live();
        if live && !node.wanted {
            return Some((Action::Stop, self.reason_to_stop(id, node)));
        }
        if let Some(cause) = node.schedule.restart.as_ref().filter(|_| live) {
            return Some((Action::Restart, self.reason_to_restart(id, cause)));
        }
        if let Some(task) = self.window_ahead(id).filter(|_| live) {
            let task = task.to_owned();
            return Some((Action::Restart, PlanReason::Window { task }));
        }
        if let Some(changes) = accepted.updated.get(&id) {
            let changes = changes.clone();
            return Some((Action::Update, PlanReason::Edited { changes }));
        }
        let starts = match &unit.machine.phase {
            Phase::Idle => node.schedule.due.is_none(),
            Phase::Stopping(_) => true,
            Phase::Starting(_)
            | Phase::Ready
            | Phase::Unhealthy { .. }
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => false,
        };
        if node.wanted && starts {
            return Some((Action::Start, reason_to_start(&node.schedule.because)));
        }
        let state = State::Service(self.service_state(node, unit));
        accepted.targets.contains(&id).then_some((Action::Keep, PlanReason::Already { state }))
    }

    fn outlook_of_task(
        &self,
        id: Id,
        node: &Node,
        unit: &TaskUnit,
        runs: &BTreeMap<Id, PlanReason>,
        accepted: &Accepted,
    ) -> Option<(Action, PlanReason)> {
        if node.is_going_down() {
            return Some((Action::Stop, self.reason_to_stop(id, node)));
        }
        if let Some(reason) = runs.get(&id) {
            let action = match unit.next.inputs.is_empty() {
                true => Action::Run,
                false => Action::RunIfChanged,
            };
            return Some((action, reason.clone()));
        }
        let state = State::Task(self.task_state(node, unit));
        accepted.targets.contains(&id).then_some((Action::Keep, PlanReason::Already { state }))
    }

    /// The tasks that will run, each with the reason: dependents are looked at first.
    fn runs_ahead(&self, order: &[Id]) -> BTreeMap<Id, PlanReason> {
        let mut runs = BTreeMap::new();
        for &id in order.iter().rev() {
            let Some(unit) = self.nodes[id].as_task() else { continue };
            if unit.is_asked() {
                runs.insert(id, PlanReason::Requested);
                continue;
            }
            let needed = self.graph.needed_by(id).map(|(from, _)| from).find(|&from| {
                let node = &self.nodes[from];
                let starts = match &node.unit {
                    Unit::Service(unit) => self.starts_ahead(node, unit),
                    Unit::Task(_) => runs.contains_key(&from),
                };
                let stale = !unit.run.is_done()
                    || unit.orders.done < node.schedule.revision
                    || !unit.next.inputs.is_empty();
                starts && stale
            });
            if let Some(from) = needed {
                let name = self.nodes[from].name.clone();
                runs.insert(id, PlanReason::NeededBy { name });
            }
        }
        runs
    }

    fn starts_ahead(&self, node: &Node, unit: &ServiceUnit) -> bool {
        let down = match &unit.machine.phase {
            Phase::Idle | Phase::Stopping(_) => true,
            Phase::Starting(_)
            | Phase::Ready
            | Phase::Unhealthy { .. }
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => node.schedule.restart.is_some(),
        };
        node.wanted && down
    }

    /// The task that was asked for and will run without this service.
    fn window_ahead(&self, id: Id) -> Option<&str> {
        let tasks = (0..self.nodes.len()).filter(|&task| {
            self.nodes[task].as_task().is_some_and(|unit| {
                unit.is_asked() && !unit.next.without.is_empty() && self.window(task).contains(&id)
            })
        });
        tasks.map(|task| self.nodes[task].name.as_str()).next()
    }

    fn reason_to_stop(&self, id: Id, node: &Node) -> PlanReason {
        if node.gone {
            return PlanReason::NotInFile;
        }
        let down = self.graph.needs(id).map(|(to, _)| to).find(|&to| !self.nodes[to].wanted);
        match down {
            Some(to) => PlanReason::NeedStops { name: self.nodes[to].name.clone() },
            None => PlanReason::NotWanted,
        }
    }

    fn reason_to_restart(&self, id: Id, cause: &Cause) -> PlanReason {
        match cause {
            Cause::Edit { .. } => PlanReason::Edited { changes: self.edit_of(id) },
            Cause::Follow { of } => PlanReason::Follows { name: of.clone() },
            Cause::Command { .. }
            | Cause::Need { .. }
            | Cause::Exit
            | Cause::Start
            | Cause::Check
            | Cause::Memory
            | Cause::Watch { .. }
            | Cause::Schedule
            | Cause::Window { .. }
            | Cause::Supervisor => PlanReason::Requested,
        }
    }
}

fn reason_to_start(because: &Cause) -> PlanReason {
    match because {
        Cause::Need { of } => PlanReason::NeededBy { name: of.clone() },
        Cause::Window { task } => PlanReason::WindowOver { task: task.clone() },
        Cause::Command { .. }
        | Cause::Edit { .. }
        | Cause::Follow { .. }
        | Cause::Exit
        | Cause::Start
        | Cause::Check
        | Cause::Memory
        | Cause::Watch { .. }
        | Cause::Schedule
        | Cause::Supervisor => PlanReason::NotRunning,
    }
}
