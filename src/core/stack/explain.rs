//! Finds the causal chain behind the state of a service or task.

use std::collections::BTreeSet;

use super::{
    Supervisor, Why, WhyLink,
    needs::NeedState,
    node::{Node, ServiceUnit, TaskUnit, Unit},
    view::{LOST, failed_hook},
};
use crate::{
    core::lifecycle::{EndReason, Phase, RunPhase, StartStage, left_by_task},
    core::plan::UNKNOWN,
    event::{Cause, Tick},
    graph::{Edge, Id},
    model::{Command, TaskBody},
    status::{ServiceState, TaskState},
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
            Unit::Task(unit) => self.link_of_task(node, unit, now),
        }
    }

    fn link_of_service(&self, node: &Node, unit: &ServiceUnit, now: Tick) -> WhyLink {
        let state = self.service_state(node, unit);
        let because = match state {
            ServiceState::Ready if unit.now.is_lost => format!("it is ready; {LOST}"),
            ServiceState::Ready if unit.machine.is_checked(&unit.now) => "it is ready".to_owned(),
            ServiceState::Ready => "it has started, and nothing checks more than that".to_owned(),
            ServiceState::Idle => "nothing asks for it".to_owned(),
            ServiceState::Waiting
            | ServiceState::Starting
            | ServiceState::Unhealthy
            | ServiceState::Stopping
            | ServiceState::Backoff
            | ServiceState::Exited
            | ServiceState::Failed => self
                .service_reason(node, unit, now)
                .unwrap_or_else(|| "its start is about to begin".to_owned()),
        };
        WhyLink {
            name: node.name.clone(),
            state: state.to_string(),
            because,
            evidence: evidence_of_service(unit, now),
            setting: setting_of_service(node, unit).map(|key| format!("{}.{key}", node.name)),
            advice: advice_for_service(unit),
            next: next_for_service(&node.name, unit, state),
            port: missed_port(unit, state),
        }
    }

    fn link_of_task(&self, node: &Node, unit: &TaskUnit, now: Tick) -> WhyLink {
        let state = self.task_state(node, unit);
        let reason = self.task_reason(node, unit, now);
        let (because, setting) = match state {
            TaskState::Idle => ("nothing has asked for it yet".to_owned(), None),
            TaskState::Waiting => (reason.unwrap_or_default(), Some("needs")),
            TaskState::Running => (reason.unwrap_or_else(|| "it runs".to_owned()), None),
            TaskState::Done => ("it is done".to_owned(), None),
            TaskState::Failed => (reason.unwrap_or_default(), Some(key_of_body(&unit.now.body))),
            TaskState::Skipped => (reason.unwrap_or_default(), Some("inputs")),
        };
        let next = match state {
            TaskState::Failed => {
                vec![format!("stackrun logs {}", node.name), format!("stackrun run {}", node.name)]
            }
            TaskState::Idle => vec![format!("stackrun run {}", node.name)],
            TaskState::Skipped => vec![format!("stackrun run --force {}", node.name)],
            TaskState::Running => vec![format!("stackrun logs -f {}", node.name)],
            TaskState::Waiting | TaskState::Done => Vec::new(),
        };
        let mut evidence: Vec<String> = unit.run.exit.iter().map(ToString::to_string).collect();
        evidence.extend(unit.run.background.as_ref().map(left_by_task));
        if let RunPhase::Ending { stuck, .. } = &unit.run.phase {
            evidence.extend(stuck.iter().cloned());
        }
        WhyLink {
            name: node.name.clone(),
            state: state.to_string(),
            because,
            evidence,
            setting: setting.map(|key| format!("{}.{key}", node.name)),
            advice: Vec::new(),
            next,
            port: None,
        }
    }
}

fn evidence_of_service(unit: &ServiceUnit, now: Tick) -> Vec<String> {
    let machine = &unit.machine;
    let mut evidence = Vec::new();
    if machine.generation > 0 {
        let since = crate::model::time::elapsed(now.since(machine.since));
        let by = by(&machine.cause);
        evidence.push(match machine.phase {
            Phase::Ready if !machine.is_checked(&unit.now) => format!("started {since} ago, {by}"),
            Phase::Ready => format!("ready for {since}, started {by}"),
            _ => format!("{} for {since}, {by}", machine.state()),
        });
    }
    evidence.extend(failed_hook(machine));
    let ending = machine.ending.as_ref().map(ToString::to_string);
    if let Some((check, answer)) = &machine.answer {
        let answer = format!("{check}: {answer}");
        // The start that failed for it says so.
        let is_told = ending.as_ref().is_some_and(|ending| ending.contains(&answer));
        if !is_told && !matches!(machine.ending, Some(EndReason::Background(_))) {
            evidence.push(answer);
        }
    }
    match &machine.phase {
        Phase::Stopping(stopping) => evidence.extend(stopping.stuck.iter().cloned()),
        Phase::Backoff { .. } | Phase::Failed { .. } => {
            evidence.extend(ending);
            match machine.restarts {
                0 => {}
                1 => evidence.push("started again once so far".to_owned()),
                times => evidence.push(format!("started again {times} times so far")),
            }
        }
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Ready
        | Phase::Unhealthy { .. }
        | Phase::Exited { .. } => {}
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
        Phase::Backoff { .. } | Phase::Failed { .. } => match &unit.machine.ending {
            // It ended well, and is started again because the file says so.
            Some(EndReason::Exit(exit))
                if unit.machine.was_ready() && exit.is_success(&unit.now.succeeds_with) =>
            {
                Some("restart")
            }
            Some(EndReason::Exit(_) | EndReason::Background(_)) | None => {
                Some(key_of_command(unit))
            }
            Some(EndReason::Hook(_)) => Some("before-start"),
            Some(EndReason::Start(_)) => Some("ready"),
            Some(EndReason::Unhealthy(_)) => Some("alive"),
            Some(EndReason::Memory(_) | EndReason::OutOfMemory) => Some("memory"),
            Some(EndReason::Busy { .. }) => Some("port"),
        },
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

/// What mends an end whose cause is known, and that another start alone will not.
fn advice_for_service(unit: &ServiceUnit) -> Vec<String> {
    let machine = &unit.machine;
    let ending = match &machine.phase {
        Phase::Backoff { .. } | Phase::Failed { .. } => machine.ending.as_ref(),
        Phase::Unhealthy { .. } => return advice_for_health(unit),
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Ready
        | Phase::Stopping(_)
        | Phase::Exited { .. } => None,
    };
    match ending {
        Some(EndReason::Memory(_)) => {
            let max = unit.now.memory_max.map(|bytes| format!(" ({} MiB)", bytes >> 20));
            let max = max.unwrap_or_default();
            vec![format!("find out what grows in it, or raise `memory max`{max} if it needs more")]
        }
        Some(EndReason::OutOfMemory) => vec![
            "the machine, or the container around it, has no memory left: end what is not needed, \
             or give it more"
                .to_owned(),
            "`memory max` has it restarted before the kernel kills it".to_owned(),
        ],
        Some(EndReason::Unhealthy(_)) => advice_for_health(unit),
        Some(EndReason::Exit(exit))
            if !machine.was_ready() && exit.is_success(&unit.now.succeeds_with) =>
        {
            advice_for_early_success(unit)
        }
        Some(
            EndReason::Exit(_)
            | EndReason::Background(_)
            | EndReason::Hook(_)
            | EndReason::Start(_)
            | EndReason::Busy { .. },
        )
        | None => Vec::new(),
    }
}

/// What ends well before it is ready was not meant to stay, has nothing to read, or stays somewhere
/// else.
fn advice_for_early_success(unit: &ServiceUnit) -> Vec<String> {
    let mut advice = vec!["if it is done when it ends, make it a `task`".to_owned()];
    if !unit.now.stdin_open {
        advice
            .push("if it stops where its input ends, as many watchers do: `stdin \"open\"`".into());
    }
    advice.push(
        "if it puts itself into the background, have it stay in the foreground: a service is the \
         process that is started for it"
            .to_owned(),
    );
    advice
}

fn advice_for_health(unit: &ServiceUnit) -> Vec<String> {
    let Some(alive) = &unit.now.alive else { return Vec::new() };
    let (timeout, failures) = (crate::model::time::setting(alive.timeout), alive.failures);
    vec![
        "its log tells what it did last before it stopped answering".to_owned(),
        format!(
            "if it is slow and not frozen, raise the `timeout` ({timeout}) or the `failures` \
             ({failures}) of `alive`"
        ),
    ]
}

/// The port for want of which it was not started.
fn missed_port(unit: &ServiceUnit, state: ServiceState) -> Option<u16> {
    match (state, &unit.machine.ending) {
        (ServiceState::Failed, Some(EndReason::Busy { port, .. })) => Some(*port),
        _ => None,
    }
}

fn next_for_service(name: &str, unit: &ServiceUnit, state: ServiceState) -> Vec<String> {
    let logs = format!("stackrun logs {name}");
    let restart = format!("stackrun restart {name}");
    // Neither has a log: what runs elsewhere, and what was not started for its port.
    let has_log = unit.now.command.is_some() && missed_port(unit, state).is_none();
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

/// A cause in a few words.
fn by(cause: &Cause) -> String {
    match cause {
        Cause::Command { command, .. } => format!("by `{command}`"),
        Cause::Need { of } => format!("because {of} needs it"),
        Cause::Edit { keys } if *keys == [UNKNOWN] => "because its definition was lost".to_owned(),
        Cause::Edit { keys } => format!("because of an edit of {}", keys.join(", ")),
        Cause::Follow { of } => format!("because it follows {of}"),
        Cause::Exit => "because it ended".to_owned(),
        Cause::Start => "because its start failed".to_owned(),
        Cause::Check => "because its checks failed".to_owned(),
        Cause::Memory => "because of its memory".to_owned(),
        Cause::Watch { path } => format!("because {path} changed"),
        Cause::Schedule => "by its schedule".to_owned(),
        Cause::Window { task } => format!("because {task} runs without it"),
        Cause::Supervisor => "by stackrun".to_owned(),
    }
}
