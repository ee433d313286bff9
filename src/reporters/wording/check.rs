//! Checks and their answers.

use super::{list, setting};
use crate::reason::{CheckAnswer, CheckLabel, FailedCheck};

/// A check, in short: `GET /health`.
pub fn check_label(check: &CheckLabel) -> String {
    let joined = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    match check {
        CheckLabel::Listening { ports } => format!("port {}", joined(ports)),
        CheckLabel::Tcp { ports } => format!("tcp {}", joined(ports)),
        CheckLabel::Http { target } => format!("GET {target}"),
        CheckLabel::Command { command: text } | CheckLabel::Other(text) => text.clone(),
        CheckLabel::Prints { pattern } => format!("prints {pattern}"),
        CheckLabel::Notify => "notify".to_owned(),
        CheckLabel::Delay { delay_ms } => format!("delay {}", setting(*delay_ms)),
        CheckLabel::Foreground => "foreground".to_owned(),
    }
}

/// An answer: `503`, `connection refused`.
pub fn check_answer(answer: &CheckAnswer) -> String {
    match answer {
        CheckAnswer::Status { code } => code.to_string(),
        CheckAnswer::NothingListens { port, instead } if instead.is_empty() => {
            format!("nothing listens on port {port}")
        }
        CheckAnswer::NothingListens { port, instead } => {
            let instead: Vec<String> = instead.iter().map(u16::to_string).collect();
            let instead = list(&instead);
            format!("nothing listens on port {port}, but the service listens on {instead}")
        }
        CheckAnswer::OtherAddress { port, host, instead } => {
            format!("nothing listens on port {port} at {host}, but at {instead}: is `host` right?")
        }
        CheckAnswer::HeldByOther { port, holder } => {
            format!("port {port} is held by {holder}, not by this service")
        }
        CheckAnswer::NoAnswer { within_ms } => format!("no answer within {}", setting(*within_ms)),
        CheckAnswer::NoLine => "no such line yet".to_owned(),
        CheckAnswer::NotNotified => "READY=1 has not come yet".to_owned(),
        CheckAnswer::TooEarly => "not yet".to_owned(),
        CheckAnswer::Exit { exit, output: None } => exit.to_string(),
        CheckAnswer::Exit { exit, output: Some(line) } => format!("{exit}: {line}"),
        CheckAnswer::Error(error) => error.clone(),
    }
}

/// A check of a service that is starting: `checking GET /health → 503`, `waiting for a line that
/// matches ^ready`.
pub fn pending(FailedCheck { check, answer }: &FailedCheck) -> String {
    match (check, answer) {
        (CheckLabel::Prints { pattern }, CheckAnswer::NoLine) => {
            format!("waiting for a line that matches {pattern}")
        }
        (_, CheckAnswer::NotNotified) => "waiting for READY=1".to_owned(),
        (CheckLabel::Delay { delay_ms }, CheckAnswer::TooEarly) => {
            format!("waiting for its delay of {}", setting(*delay_ms))
        }
        (_, CheckAnswer::NothingListens { instead, .. }) if instead.is_empty() => {
            format!("{} yet", check_answer(answer))
        }
        (
            _,
            CheckAnswer::NothingListens { .. }
            | CheckAnswer::OtherAddress { .. }
            | CheckAnswer::HeldByOther { .. },
        )
        | (CheckLabel::Foreground, _) => check_answer(answer),
        (check, answer) => format!("checking {} → {}", check_label(check), check_answer(answer)),
    }
}

/// A check that made something fail: `GET /health answered 503`, `nothing listens on port 8000`.
pub fn failing(FailedCheck { check, answer }: &FailedCheck) -> String {
    match (check, answer) {
        (check, CheckAnswer::Status { code }) => format!("{} answered {code}", check_label(check)),
        (CheckLabel::Prints { pattern }, CheckAnswer::NoLine) => {
            format!("no line matches {pattern}")
        }
        (
            _,
            CheckAnswer::NothingListens { .. }
            | CheckAnswer::OtherAddress { .. }
            | CheckAnswer::HeldByOther { .. },
        )
        | (CheckLabel::Notify, CheckAnswer::NotNotified)
        | (CheckLabel::Foreground, _) => check_answer(answer),
        (check, answer) => format!("{}: {}", check_label(check), check_answer(answer)),
    }
}
