//! What `status` needs: every service and task at this moment.

use super::{
    Supervisor,
    node::{Node, ServiceUnit, TaskUnit},
};
use crate::{
    core::lifecycle::{Phase, RunPhase, ServiceMachine, StartStage, StopStage, Stopping, Then},
    event::Tick,
    model::{Exit, TaskBody},
    status::{ServiceState, TaskState},
};

/// What is said of a service that was found, and whose definition was not.
pub(super) const LOST: &str =
    "what it was started by is not known any more (the record was lost); `stackrun up` restarts it";

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
    pub reason: Option<String>,
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
    pub notices: Vec<String>,
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
    pub reason: Option<String>,
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
    pub fn tasks(&self, now: Tick) -> Vec<TaskView> {
        let shown = self.nodes.iter().filter(|node| !node.gone || node.is_live());
        shown.filter_map(|node| Some(self.task_view(node, node.as_task()?, now))).collect()
    }

    fn service_view(&self, node: &Node, unit: &ServiceUnit, now: Tick) -> ServiceView {
        let machine = &unit.machine;
        ServiceView {
            name: node.name.clone(),
            state: self.service_state(node, unit),
            checked: machine.is_checked(&unit.now),
            proven: machine.phase != Phase::Ready || machine.is_proven(),
            wanted: node.wanted,
            reason: self.service_reason(node, unit, now),
            pid: machine.pid,
            generation: machine.generation,
            since: (machine.generation > 0).then_some(machine.since),
            started: machine.started,
            restarts: machine.restarts,
            exit: machine.exit,
            notices: failed_hook(machine).into_iter().collect(),
        }
    }

    fn task_view(&self, node: &Node, unit: &TaskUnit, now: Tick) -> TaskView {
        TaskView {
            name: node.name.clone(),
            state: self.task_state(node, unit),
            wanted: node.wanted,
            reason: self.task_reason(node, unit, now),
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

    pub(super) fn service_reason(
        &self,
        node: &Node,
        unit: &ServiceUnit,
        now: Tick,
    ) -> Option<String> {
        match &unit.machine.phase {
            Phase::Idle if !node.wanted => None,
            Phase::Idle => waiting(node),
            Phase::Starting(stage) => Some(starting(*stage, unit)),
            Phase::Ready if unit.now.is_lost => Some(LOST.to_owned()),
            Phase::Ready => None,
            Phase::Unhealthy { reason, until: Some(until) } => Some(format!(
                "{reason}; its restart is held back by the cooldown, due in {}",
                crate::model::time::elapsed(until.since(now))
            )),
            Phase::Unhealthy { reason, until: None } => {
                Some(format!("{reason}; `restart \"never\"` leaves it as it is"))
            }
            Phase::Stopping(stopping) => Some(stopping_reason(stopping)),
            Phase::Backoff { until, reason } => Some(format!(
                "{reason}; again in {}",
                crate::model::time::elapsed(until.since(now))
            )),
            Phase::Exited { .. } => unit.machine.exit.map(|exit| exit.to_string()),
            Phase::Failed { reason, .. } => Some(reason.clone()),
        }
    }

    pub(super) fn task_reason(&self, node: &Node, unit: &TaskUnit, _now: Tick) -> Option<String> {
        match &unit.run.phase {
            _ if !unit.run.is_live() && node.schedule.due.is_some() => waiting(node),
            RunPhase::Failed { reason } => Some(reason.clone()),
            RunPhase::Ending { failed, stuck, .. } if !stuck.is_empty() => {
                Some(format!("cannot be ended: {}", stuck.join(", "))).or(failed.clone())
            }
            RunPhase::Ending { failed, .. } => failed.clone(),
            RunPhase::Rescue { reason, .. } => Some(format!("{reason}; on-failure runs")),
            RunPhase::Recording { .. } => Some("its success is being written down".to_owned()),
            RunPhase::Skipped => Some("its inputs have not changed".to_owned()),
            RunPhase::Window => waiting(node),
            RunPhase::Running { .. } => running(unit),
            RunPhase::Idle | RunPhase::Inputs | RunPhase::Spawn | RunPhase::Done { .. } => None,
        }
    }
}

/// The hook beside a service that has failed: `after-ready failed: exit 1`.
pub(super) fn failed_hook(machine: &ServiceMachine) -> Option<String> {
    machine.failed_hook.as_ref().map(|(hook, how)| format!("{hook} failed: {how}"))
}

fn waiting(node: &Node) -> Option<String> {
    let schedule = &node.schedule;
    match (&schedule.held, &schedule.blocked) {
        (Some(task), _) => Some(format!("held by task {task}")),
        (None, Some(root)) => Some(format!("blocked by {root}")),
        (None, None) if schedule.waiting.is_empty() => None,
        (None, None) => Some(format!("waiting for {}", schedule.waiting.join(", "))),
    }
}

/// `step apply (2 of 3)`.
fn running(unit: &TaskUnit) -> Option<String> {
    let (step, TaskBody::Steps(steps)) = (unit.run.step.as_ref()?, &unit.now.body) else {
        return None;
    };
    let place = steps.iter().position(|declared| declared.name == *step)? + 1;
    Some(format!("step {step} ({place} of {})", steps.len()))
}

fn starting(stage: StartStage, unit: &ServiceUnit) -> String {
    match (stage, &unit.machine.answer) {
        (StartStage::Ports, _) => "looking at its ports".to_owned(),
        (StartStage::Cleanup, _) => "cleaning up".to_owned(),
        (StartStage::Hook, _) => "before-start runs".to_owned(),
        (StartStage::Spawn, _) => "starting its process".to_owned(),
        (StartStage::Check { .. }, None) => "waiting for its checks".to_owned(),
        (StartStage::Check { .. }, Some((check, answer))) => format!("{check}: {answer}"),
    }
}

fn stopping_reason(stopping: &Stopping) -> String {
    if !stopping.stuck.is_empty() {
        return format!("cannot be ended: {}", stopping.stuck.join(", "));
    }
    let doing = match stopping.stage {
        StopStage::Hook | StopStage::HookKill => "ending before-start",
        StopStage::Spawn => "its process is just being started",
        StopStage::Command => "the stop command runs",
        StopStage::Signal => "waiting for its processes to end",
        StopStage::Kill => "killing what is left of it",
        StopStage::Ports { .. } => "waiting for its ports to be free",
        StopStage::Cleanup => "cleaning up",
        StopStage::AfterStop => "after-stop runs",
        StopStage::AfterStopKill => "killing after-stop",
    };
    match &stopping.then {
        Then::Idle => doing.to_owned(),
        Then::Judge(ending) => format!("{ending}; {doing}"),
    }
}
