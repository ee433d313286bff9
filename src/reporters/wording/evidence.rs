//! What is known besides a reason.

use super::{STARTED, cause, failing, failure::words, millis, notice};
use crate::{
    event::Cause,
    model::{Exit, ServiceState, State, TaskState},
    reason::Failure,
    status::Evidence,
};

/// One fact: `ready for 722ms, restarted after a crash (SIGKILL)`, `failed 21ms ago`.
pub fn evidence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Since { state, checked, for_ms, cause, after } => {
            since(*state, *checked, &millis(*for_ms), &started_by(cause, after.as_ref()))
        }
        Evidence::Check { failed } => failing(failed),
        Evidence::Exit { exit } => exit.to_string(),
        Evidence::Stuck { process } => process.clone(),
        Evidence::Restarts { times: 1 } => "restarted once so far".to_owned(),
        Evidence::Restarts { times } => format!("restarted {times} times so far"),
        Evidence::LogLine { text } => format!("log: {text}"),
        Evidence::Notice { notice: one } => notice(one),
    }
}

fn since(state: State, checked: bool, time: &str, by: &str) -> String {
    match state {
        State::Service(ServiceState::Ready) if checked => format!("ready for {time}{by}"),
        State::Service(ServiceState::Ready) => format!("{STARTED} {time} ago{by}"),
        State::Service(ServiceState::Failed) | State::Task(TaskState::Failed) => {
            format!("failed {time} ago")
        }
        State::Service(ServiceState::Exited) => format!("ended {time} ago"),
        State::Service(
            state @ (ServiceState::Idle
            | ServiceState::Waiting
            | ServiceState::Starting
            | ServiceState::Unhealthy
            | ServiceState::Stopping
            | ServiceState::Backoff),
        ) => format!("{state} for {time}{by}"),
        State::Task(
            state @ (TaskState::Idle
            | TaskState::Waiting
            | TaskState::Running
            | TaskState::Done
            | TaskState::Skipped),
        ) => format!("{state} for {time}"),
    }
}

/// Why it does what it does: ` (stackrun up, pid 12)`, `, restarted after a crash (SIGKILL)`.
fn started_by(why: &Cause, after: Option<&Failure>) -> String {
    match after {
        None => format!(" ({})", cause(why)),
        Some(Failure::Exited { exit: Exit::SUCCESS, early: None }) => {
            ", restarted after it ended (exit 0)".to_owned()
        }
        Some(failure @ Failure::Exited { .. }) => {
            format!(", restarted after a crash ({})", words(failure))
        }
        Some(failure) => format!(", restarted after a failure ({})", words(failure)),
    }
}
