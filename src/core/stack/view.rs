//! What `status` needs: every service and task at this moment.

use super::{
    Supervisor,
    node::{Node, ServiceUnit, TaskUnit},
};
use crate::{
    core::lifecycle::{
        Phase, RunPhase, ServiceMachine, StartStage, StopStage, Stopping, Then, millis,
    },
    event::Tick,
    model::{Exit, TaskBody},
    reason::Notice,
    status::{Because, ServiceState, StartStep, StopStep, TaskState},
};

/// What `status` needs of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// Its state, as people see it.
    pub state: ServiceState,
    /// Whether a check or a port tells that it is ready.
    pub checked: bool,
    /// Whether its being ready is to be believed.
    pub proven: bool,
    /// Whether it is part of all that was asked for.
    pub wanted: bool,
    /// Why it is not ready.
    pub because: Option<Because>,
    /// Its main process.
    pub pid: Option<u32>,
    /// Its generation; 0 before the first start.
    pub generation: u64,
    /// Since when it is in this state.
    pub since: Option<Tick>,
    /// Since when its process runs.
    pub started: Option<Tick>,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// How its last process ended.
    pub exit: Option<Exit>,
    /// What went wrong beside it and ended nothing.
    pub notices: Vec<Notice>,
}

/// What `status` needs of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// Its name.
    pub name: String,
    /// Its state, as people see it.
    pub state: TaskState,
    /// Whether it is part of all that was asked for.
    pub wanted: bool,
    /// Why it is not done.
    pub because: Option<Because>,
    /// Since when it is in this state.
    pub since: Option<Tick>,
    /// How its last run ended.
    pub exit: Option<Exit>,
}

impl Supervisor {
    /// Every service, in the order of the file; then those that the file no longer has and that
    /// still run.
    pub fn services(&self, now: Tick) -> Vec<ServiceView> {
        let shown = self.nodes.iter().filter(|node| !node.gone || node.is_live());
        shown.filter_map(|node| Some(self.service_view(node, node.as_service()?, now))).collect()
    }

    /// Every task, in the order of the file.
    pub fn tasks(&self) -> Vec<TaskView> {
        let shown = self.nodes.iter().filter(|node| !node.gone || node.is_live());
        shown.filter_map(|node| Some(self.task_view(node, node.as_task()?))).collect()
    }

    fn service_view(&self, node: &Node, unit: &ServiceUnit, now: Tick) -> ServiceView {
        let machine = &unit.machine;
        ServiceView {
            name: node.name.clone(),
            state: self.service_state(node, unit),
            checked: machine.is_checked(&unit.now),
            proven: machine.phase != Phase::Ready || machine.is_proven(),
            wanted: node.wanted,
            because: self.service_because(node, unit, now),
            pid: machine.pid,
            generation: machine.generation,
            since: (machine.generation > 0).then_some(machine.since),
            started: machine.started,
            restarts: machine.restarts,
            exit: machine.exit,
            notices: failed_hook(machine).into_iter().collect(),
        }
    }

    fn task_view(&self, node: &Node, unit: &TaskUnit) -> TaskView {
        TaskView {
            name: node.name.clone(),
            state: self.task_state(node, unit),
            wanted: node.wanted,
            because: self.task_because(node, unit),
            since: (unit.run.generation > 0).then_some(unit.run.since),
            exit: unit.run.exit,
        }
    }

    /// The state of a service with what only the supervisor knows: that it waits.
    pub(super) fn service_state(&self, node: &Node, unit: &ServiceUnit) -> ServiceState {
        match unit.machine.state() {
            ServiceState::Idle if node.wanted => ServiceState::Waiting,
            state @ (ServiceState::Idle
            | ServiceState::Waiting
            | ServiceState::Starting
            | ServiceState::Ready
            | ServiceState::Unhealthy
            | ServiceState::Stopping
            | ServiceState::Backoff
            | ServiceState::Exited
            | ServiceState::Failed) => state,
        }
    }

    pub(super) fn task_state(&self, node: &Node, unit: &TaskUnit) -> TaskState {
        if !unit.run.is_live() && node.schedule.due.is_some() {
            TaskState::Waiting
        } else {
            unit.run.state()
        }
    }

    pub(super) fn service_because(
        &self,
        node: &Node,
        unit: &ServiceUnit,
        now: Tick,
    ) -> Option<Because> {
        let time_to = |at: Tick| millis(at.since(now));
        match &unit.machine.phase {
            Phase::Idle if !node.wanted => None,
            Phase::Idle => waiting(node),
            Phase::Starting(stage) => Some(starting(*stage, unit)),
            Phase::Ready if unit.now.is_lost => Some(Because::DefinitionLost),
            Phase::Ready => None,
            Phase::Unhealthy { check, until } => {
                Some(Because::Unhealthy { check: check.clone(), restart_in_ms: until.map(time_to) })
            }
            Phase::Stopping(stopping) => Some(stopping_because(stopping)),
            Phase::Backoff { until, reason } => {
                Some(Because::Backoff { reason: reason.clone(), again_in_ms: time_to(*until) })
            }
            Phase::Exited { .. } => unit.machine.exit.map(|exit| Because::Exited { exit }),
            Phase::Failed { reason } => Some(Because::Failed { reason: reason.clone() }),
        }
    }

    pub(super) fn task_because(&self, node: &Node, unit: &TaskUnit) -> Option<Because> {
        match &unit.run.phase {
            _ if !unit.run.is_live() && node.schedule.due.is_some() => waiting(node),
            RunPhase::Failed { reason } => Some(Because::Failed { reason: reason.clone() }),
            RunPhase::Ending { stuck, .. } if !stuck.is_empty() => {
                Some(Because::Stuck { processes: stuck.clone() })
            }
            RunPhase::Ending { failed, .. } => {
                failed.clone().map(|failure| Because::Failed { reason: failure.into() })
            }
            RunPhase::Rescue { failure, .. } => {
                Some(Because::OnFailure { reason: failure.clone().into() })
            }
            RunPhase::Recording { .. } => Some(Because::Recording),
            RunPhase::Skipped => Some(Because::InputsUnchanged),
            RunPhase::Window => waiting(node),
            RunPhase::Running { .. } => running(unit),
            RunPhase::Idle | RunPhase::Inputs | RunPhase::Spawn | RunPhase::Done { .. } => None,
        }
    }
}

/// The hook beside a service that has failed.
pub(super) fn failed_hook(machine: &ServiceMachine) -> Option<Notice> {
    let (hook, how) = machine.failed_hook.clone()?;
    Some(Notice::HookFailed { hook, how })
}

fn waiting(node: &Node) -> Option<Because> {
    let schedule = &node.schedule;
    match (&schedule.held, &schedule.blocked) {
        (Some(task), _) => Some(Because::Held { by: task.clone() }),
        (None, Some(root)) => Some(Because::Blocked { by: root.clone() }),
        (None, None) if schedule.waiting.is_empty() => None,
        (None, None) => Some(Because::Waiting { on: schedule.waiting.clone() }),
    }
}

fn running(unit: &TaskUnit) -> Option<Because> {
    let (step, TaskBody::Steps(steps)) = (unit.run.step.as_ref()?, &unit.now.body) else {
        return None;
    };
    let number = steps.iter().position(|declared| declared.name == *step)? + 1;
    Some(Because::Step { step: step.clone(), number, of: steps.len() })
}

fn starting(stage: StartStage, unit: &ServiceUnit) -> Because {
    let stage = match stage {
        StartStage::Ports => StartStep::Ports,
        StartStage::Cleanup => StartStep::Cleanup,
        StartStage::Hook => StartStep::Hook,
        StartStage::Spawn => StartStep::Spawn,
        StartStage::Check { .. } => {
            return Because::Checking { failed: unit.machine.failed_check.clone() };
        }
    };
    Because::Starting { stage }
}

fn stopping_because(stopping: &Stopping) -> Because {
    if !stopping.stuck.is_empty() {
        return Because::Stuck { processes: stopping.stuck.clone() };
    }
    let stage = match stopping.stage {
        StopStage::Hook | StopStage::HookKill => StopStep::Hook,
        StopStage::Spawn => StopStep::Spawn,
        StopStage::Command => StopStep::Command,
        StopStage::Signal => StopStep::Signal,
        StopStage::Kill => StopStep::Kill,
        StopStage::Ports { .. } => StopStep::Ports,
        StopStage::Cleanup => StopStep::Cleanup,
        StopStage::AfterStop => StopStep::AfterStop,
        StopStage::AfterStopKill => StopStep::AfterStopKill,
    };
    let after = match &stopping.then {
        Then::Idle => None,
        Then::Judge(failure) => Some(failure.clone()),
    };
    Because::Stopping { stage, after }
}
