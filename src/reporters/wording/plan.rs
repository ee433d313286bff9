//! What a command would do, and why.

use crate::{
    model::{State, TaskState},
    reason::{Action, Change, PlanReason, PlanStep, TakesEffect},
};

/// A step in one line: `restart api: run changed`.
pub fn plan_step(step: &PlanStep) -> String {
    format!("{} {}: {}", action(step.action), step.name, plan_reason(step))
}

/// What is done, in a word.
pub fn action(action: Action) -> &'static str {
    match action {
        Action::Start => "start",
        Action::Restart => "restart",
        Action::Stop => "stop",
        Action::Run => "run",
        Action::RunIfChanged => "run?",
        Action::Update => "update",
        Action::Keep => "keep",
    }
}

/// Why it is done.
pub fn plan_reason(step: &PlanStep) -> String {
    match (step.action, &step.reason) {
        (Action::RunIfChanged, PlanReason::NeededBy { name }) => {
            format!("only if its inputs changed; {name} needs it")
        }
        (Action::RunIfChanged, _) => "only if its inputs changed".to_owned(),
        (_, PlanReason::Requested) => "asked for".to_owned(),
        (_, PlanReason::NotRunning) => "not running".to_owned(),
        (_, PlanReason::NeededBy { name }) => format!("needed by {name}"),
        (_, PlanReason::Edited { changes }) => edited(changes),
        (_, PlanReason::Follows { name }) => format!("follows {name}"),
        (_, PlanReason::Window { task }) => format!("{task} runs without it"),
        (_, PlanReason::WindowOver { task }) => format!("{task} is over"),
        (_, PlanReason::NotInFile) => "not in the file any more".to_owned(),
        (_, PlanReason::NeedStops { name }) => format!("needs {name}, which stops"),
        (_, PlanReason::NotWanted) => "not wanted any more".to_owned(),
        (_, PlanReason::Already { state }) => already(*state),
    }
}

fn already(state: State) -> String {
    match state {
        State::Service(state) => format!("already {state}"),
        State::Task(TaskState::Done | TaskState::Skipped) => "already done".to_owned(),
        State::Task(TaskState::Running) => "already running".to_owned(),
        State::Task(state @ (TaskState::Idle | TaskState::Waiting | TaskState::Failed)) => {
            format!("{state}; nothing that needs it starts")
        }
    }
}

/// Several changes. Unless the service is restarted for them, those that count only from its next
/// start say so.
fn edited(changes: &[Change]) -> String {
    let restarts = changes.iter().any(Change::restarts);
    let words = changes.iter().map(|change| match change.takes_effect {
        TakesEffect::NextStart if !restarts => {
            format!("{} (from the next start on)", changed(change))
        }
        TakesEffect::NextStart | TakesEffect::Restart | TakesEffect::Live => changed(change),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn changed(change: &Change) -> String {
    let Change { key, from, to, takes_effect: _ } = change;
    // What is not to be shown is empty, or the same on both sides: it is told by its name alone.
    let hidden = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    let by_name = hidden(from) || hidden(to);
    match (from, to) {
        (Some(from), Some(to)) if from == to || by_name => format!("{key} changed"),
        (Some(from), Some(to)) => format!("{key} changed: {from} → {to}"),
        (None, Some(_)) if by_name => format!("{key} added"),
        (None, Some(to)) => format!("{key} added: {to}"),
        (Some(_), None) if by_name => format!("{key} removed"),
        (Some(from), None) => format!("{key} removed: {from}"),
        (None, None) => "what it was started by is not known any more".to_owned(),
    }
}
