//! Finds the causal chain behind the state of a service or task.

use std::collections::BTreeSet;

use super::{
    Supervisor, Why, WhyLink,
    needs::NeedState,
    node::{Node, ServiceUnit, TaskUnit, Unit},
    view::failed_hook,
};
use crate::{
    core::lifecycle::{Phase, RunPhase, StartStage, Stopping, millis},
    event::Tick,
    graph::{Edge, Id},
    model::{Command, Exit, State, TaskBody},
    reason::{CheckAnswer, FailedCheck, Failure, Notice},
    status::{Advice, Evidence, ServiceState, TaskState},
};

impl Supervisor {
    /// Why a service or task is not ready or done; `None` for a name that is neither.
    pub fn why(&self, name: &str, now: Tick) -> Option<Why> {
        let mut next = Some(self.graph.id(name)?);
        let mut links = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = next.filter(|&id| seen.insert(id)) {
            links.push(self.link(id, now));
            next = self.behind(id);
        }
        Some(Why { links })
    }

    /// What is behind the state of this one: the need that will not come, else the first that has
    /// not come yet, else the task that holds it down.
    fn behind(&self, id: Id) -> Option<Id> {
        let schedule = &self.nodes[id].schedule;
        if let Some(holder) = schedule.held.as_ref().filter(|_| !self.nodes[id].is_live()) {
            return self.graph.id(holder);
        }
        let in_window = |unit: &TaskUnit| unit.run.phase == RunPhase::Window;
        if schedule.due.is_none() && !self.nodes[id].as_task().is_some_and(in_window) {
            return None;
        }
        let failed = self.graph.edges(id).find(|(to, edge)| match edge {
            Edge::Need(need) => matches!(self.need_state(id, *to, need), NeedState::Failed(_)),
            Edge::After | Edge::Through(_) => false,
        });
        let first = || schedule.waiting.first().and_then(|name| self.graph.id(name));
        failed.map(|(to, _)| to).or_else(first)
    }

    fn link(&self, id: Id, now: Tick) -> WhyLink {
        let node = &self.nodes[id];
        match &node.unit {
            Unit::Service(unit) => self.link_of_service(node, unit, now),
            Unit::Task(unit) => self.link_of_task(node, unit),
        }
    }

    fn link_of_service(&self, node: &Node, unit: &ServiceUnit, now: Tick) -> WhyLink {
        let state = self.service_state(node, unit);
        WhyLink {
            name: node.name.clone(),
            state: State::Service(state),
            checked: unit.machine.is_checked(&unit.now),
            because: self.service_because(node, unit, now),
            evidence: evidence_of_service(unit, now),
            setting: setting_of_service(node, unit).map(|key| format!("{}.{key}", node.name)),
            advice: advice_for_service(unit),
            next: next_for_service(&node.name, unit, state),
        }
    }

    fn link_of_task(&self, node: &Node, unit: &TaskUnit) -> WhyLink {
        let state = self.task_state(node, unit);
        let (name, run) = (&node.name, &unit.run);
        let (setting, next) = match state {
            TaskState::Idle => (None, vec![format!("stackrun run {name}")]),
            TaskState::Waiting => (Some("needs"), Vec::new()),
            TaskState::Running => (None, vec![format!("stackrun logs -f {name}")]),
            TaskState::Done => (None, Vec::new()),
            TaskState::Failed => {
                let next = vec![format!("stackrun logs {name}"), format!("stackrun run {name}")];
                (Some(key_of_body(&unit.now.body)), next)
            }
            TaskState::Skipped => (Some("inputs"), vec![format!("stackrun run --force {name}")]),
        };
        // That of a failure says so itself.
        let exit = run.exit.filter(|exit| !is_about(&run.phase, *exit));
        let mut evidence: Vec<_> = exit.map(|exit| Evidence::Exit { exit }).into_iter().collect();
        if let Some(process) = run.background.clone() {
            let notice = Notice::Background { hook: None, process };
            evidence.push(Evidence::Notice { notice });
        }
        if let RunPhase::Ending { stuck, .. } = &run.phase {
            evidence.extend(stuck.iter().cloned().map(|process| Evidence::Stuck { process }));
        }
        WhyLink {
            name: name.clone(),
            state: State::Task(state),
            checked: true,
            because: self.task_because(node, unit),
            evidence,
            setting: setting.map(|key| format!("{name}.{key}")),
            advice: Vec::new(),
            next,
        }
    }
}

/// Whether a task has failed by this exit.
fn is_about(phase: &RunPhase, exit: Exit) -> bool {
    let exited = Failure::Exited { exit, early: None };
    matches!(phase, RunPhase::Failed { reason } if reason.failure == exited)
}

fn evidence_of_service(unit: &ServiceUnit, now: Tick) -> Vec<Evidence> {
    let machine = &unit.machine;
    let mut evidence = Vec::new();
    // The reason for a pause says how long that takes.
    if machine.generation > 0 && !matches!(machine.phase, Phase::Backoff { .. }) {
        evidence.push(Evidence::Since {
            state: State::Service(machine.state()),
            checked: machine.is_checked(&unit.now),
            for_ms: millis(now.since(machine.since)),
            cause: machine.cause.clone(),
            after: machine.failure.clone().filter(|_| machine.cause.is_own_fault()),
        });
    }
    evidence.extend(failed_hook(machine).map(|notice| Evidence::Notice { notice }));
    match &machine.phase {
        Phase::Stopping(Stopping { stuck, .. }) => {
            evidence.extend(stuck.iter().cloned().map(|process| Evidence::Stuck { process }));
        }
        Phase::Backoff { .. } | Phase::Failed { .. } if machine.restarts > 0 => {
            evidence.push(Evidence::Restarts { times: machine.restarts });
        }
        // While a start is on its way, the check is the reason; that of a failure is, too.
        Phase::Ready => {
            let failed = machine.failed_check.clone();
            evidence.extend(failed.map(|failed| Evidence::Check { failed }));
        }
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Backoff { .. }
        | Phase::Exited { .. }
        | Phase::Failed { .. } => {}
    }
    evidence
}

/// The setting behind a state, as the stack file calls it.
fn setting_of_service(node: &Node, unit: &ServiceUnit) -> Option<&'static str> {
    match &unit.machine.phase {
        Phase::Ready => None,
        Phase::Idle if node.schedule.due.is_some() => Some("needs"),
        Phase::Idle => None,
        Phase::Starting(StartStage::Ports) => Some("port"),
        Phase::Starting(StartStage::Cleanup) => Some("cleanup"),
        Phase::Starting(StartStage::Hook) => Some("before-start"),
        Phase::Starting(StartStage::Spawn) => Some(key_of_command(unit)),
        Phase::Starting(StartStage::Check { .. }) => Some("ready"),
        Phase::Unhealthy { .. } => Some("alive"),
        Phase::Stopping(_) => Some("stop"),
        Phase::Exited { .. } => Some("restart"),
        Phase::Backoff { reason, .. } | Phase::Failed { reason } => {
            key_of_failure(&reason.failure, unit)
        }
    }
}

/// The setting that a failure is about.
fn key_of_failure(failure: &Failure, unit: &ServiceUnit) -> Option<&'static str> {
    match failure {
        // It ended well, and is started again because the file says so.
        Failure::Exited { exit, early: None } if exit.is_success(&unit.now.succeeds_with) => {
            Some("restart")
        }
        Failure::BeforeStart { .. } => Some("before-start"),
        Failure::NotReady { .. } => Some("ready"),
        Failure::Unhealthy { .. } => Some("alive"),
        Failure::Memory { .. } | Failure::OutOfMemory => Some("memory"),
        Failure::PortHeld { .. } => Some("port"),
        Failure::Exited { .. }
        | Failure::Background { .. }
        | Failure::NotStarted { .. }
        | Failure::Step { .. }
        | Failure::TooLong { .. }
        | Failure::Cancelled
        | Failure::NotStopped { .. }
        | Failure::NeedLost { .. }
        | Failure::Other(_) => Some(key_of_command(unit)),
    }
}

fn key_of_command(unit: &ServiceUnit) -> &'static str {
    match &unit.now.command {
        Some(Command::Run(_)) => "run",
        Some(Command::Shell { .. }) => "shell",
        None => "external",
    }
}

fn key_of_body(body: &TaskBody) -> &'static str {
    match body {
        TaskBody::Command(Command::Run(_)) => "run",
        TaskBody::Command(Command::Shell { .. }) => "shell",
        TaskBody::Steps(_) => "step",
    }
}

/// What helps against a failure that another start alone will not change.
fn advice_for_service(unit: &ServiceUnit) -> Vec<Advice> {
    match &unit.machine.phase {
        Phase::Backoff { reason, .. } | Phase::Failed { reason } => {
            advice_for_failure(&reason.failure, unit)
        }
        Phase::Unhealthy { .. } => advice_for_health(unit),
        Phase::Starting(StartStage::Check { .. }) => unit
            .machine
            .failed_check
            .as_ref()
            .map(|check| advice_for_check(check, unit))
            .unwrap_or_default(),
        Phase::Idle | Phase::Starting(_) | Phase::Ready | Phase::Stopping(_) | Phase::Exited {} => {
            Vec::new()
        }
    }
}

fn advice_for_failure(failure: &Failure, unit: &ServiceUnit) -> Vec<Advice> {
    match failure {
        Failure::Memory { max_bytes, .. } => vec![Advice::RaiseMemoryMax { max_bytes: *max_bytes }],
        Failure::OutOfMemory => vec![Advice::FreeMemory, Advice::SetMemoryMax],
        Failure::Unhealthy { .. } => advice_for_health(unit),
        Failure::NotReady { check: Some(check), .. } => advice_for_check(check, unit),
        // It was not meant to stay, has nothing to read, or stays somewhere else.
        Failure::Exited { exit, early: Some(_) } if exit.is_success(&unit.now.succeeds_with) => {
            let stdin = (!unit.now.stdin_open).then_some(Advice::OpenStdin);
            let advice = [Some(Advice::MakeTask), stdin, Some(Advice::StayInForeground)];
            advice.into_iter().flatten().collect()
        }
        Failure::Exited { .. }
        | Failure::Background { .. }
        | Failure::BeforeStart { .. }
        | Failure::NotStarted { .. }
        | Failure::NotReady { check: None, .. }
        | Failure::PortHeld { .. }
        | Failure::Step { .. }
        | Failure::TooLong { .. }
        | Failure::Cancelled
        | Failure::NotStopped { .. }
        | Failure::NeedLost { .. }
        | Failure::Other(_) => Vec::new(),
    }
}

fn advice_for_check(failed: &FailedCheck, unit: &ServiceUnit) -> Vec<Advice> {
    match &failed.answer {
        CheckAnswer::Status { .. } => vec![Advice::CheckPath],
        CheckAnswer::NoLine if !unit.now.tty => vec![Advice::UseTty],
        CheckAnswer::NoLine
        | CheckAnswer::NothingListens { .. }
        | CheckAnswer::OtherAddress { .. }
        | CheckAnswer::HeldByOther { .. }
        | CheckAnswer::NoAnswer { .. }
        | CheckAnswer::NotNotified
        | CheckAnswer::TooEarly
        | CheckAnswer::Exit { .. }
        | CheckAnswer::Error(_) => Vec::new(),
    }
}

fn advice_for_health(unit: &ServiceUnit) -> Vec<Advice> {
    let Some(alive) = &unit.now.alive else { return Vec::new() };
    let (timeout_ms, failures) = (millis(alive.timeout), alive.failures);
    vec![Advice::ReadLog, Advice::RelaxAlive { timeout_ms, failures }]
}

/// Whether it was not started for want of a port.
fn lacks_port(unit: &ServiceUnit) -> bool {
    matches!(&unit.machine.phase, Phase::Failed { reason } if reason.port().is_some())
}

fn next_for_service(name: &str, unit: &ServiceUnit, state: ServiceState) -> Vec<String> {
    let logs = format!("stackrun logs {name}");
    let restart = format!("stackrun restart {name}");
    // Neither has a log: what runs elsewhere, and what was not started for its port.
    let has_log = unit.now.command.is_some() && !lacks_port(unit);
    match state {
        ServiceState::Ready | ServiceState::Waiting => Vec::new(),
        ServiceState::Idle | ServiceState::Exited => vec![format!("stackrun up {name}")],
        ServiceState::Starting | ServiceState::Stopping => {
            has_log.then(|| format!("stackrun logs -f {name}")).into_iter().collect()
        }
        ServiceState::Unhealthy | ServiceState::Backoff | ServiceState::Failed => {
            has_log.then_some(logs).into_iter().chain([restart]).collect()
        }
    }
}
