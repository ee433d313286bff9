//! Why something failed.

use super::{failing, mib, millis, setting};
use crate::{
    model::Exit,
    reason::{
        CheckAnswer, EarlyExit, FailedCheck, Failure, HookFailure, LastLine, Reason, Repeated,
    },
};

/// Why something failed: `Cannot find module 'express': exit 1, 6 times in 8.7s`.
pub fn reason(reason: &Reason) -> String {
    let Reason { failure, repeated, last_line, on_failure } = reason;
    let line = last_line.as_ref().map(|line| (line, leads(line, failure)));
    let mut text = match (failure, repeated, line) {
        (
            Failure::NotReady { check: Some(check), .. },
            Some(Repeated { times, alike: true, .. }),
            _,
        ) if answers(check) => {
            return format!("{} at {times} starts", failing(check));
        }
        (Failure::Exited { exit, early }, _, Some((line, true))) => {
            let early = early.filter(|_| *exit == Exit::SUCCESS);
            format!("{}: {}", cause_in(line), exited(*exit, early))
        }
        _ => words(failure),
    };
    match repeated {
        Some(Repeated { times, over_ms, alike: true }) => {
            text.push_str(&format!(", {times} times in {}", millis(*over_ms)));
        }
        Some(Repeated { times, over_ms, alike: false }) => {
            text.push_str(&format!(", the last of {times} failures in {}", millis(*over_ms)));
        }
        None => {}
    }
    if let Some((line, false)) = line {
        text.push_str(&format!(", last line: {}", line.text));
    }
    if let Some(how) = on_failure {
        text.push_str(&format!("; on-failure failed too: {}", hook_failure(how)));
    }
    text
}

/// A failure and the pause that follows it: `exit 3 (tries again in 150ms)`. `attempt` is the number
/// of the try among those that there may be.
pub fn backoff(why: &Reason, again_in_ms: u64, attempt: Option<(u32, u32)>) -> String {
    let verb = if ended_well(why) { "starts" } else { "tries" };
    let attempt = attempt.filter(|(attempt, _)| *attempt > 0);
    let attempt = attempt.map(|(attempt, of)| format!(", {attempt} of {of}")).unwrap_or_default();
    format!("{} ({verb} again in {}{attempt})", reason(why), millis(again_in_ms))
}

/// The same with what happened: `crashed: exit 3 (tries again in 150ms)`.
pub fn tried_again(why: &Reason, again_in_ms: u64, attempt: Option<(u32, u32)>) -> String {
    let verb = match &why.failure {
        _ if ended_well(why) => "ended",
        Failure::Exited { .. } => "crashed",
        _ => "failed",
    };
    format!("{verb}: {}", backoff(why, again_in_ms, attempt))
}

/// Whether it is about an end that was no failure.
fn ended_well(reason: &Reason) -> bool {
    matches!(reason.failure, Failure::Exited { exit: Exit::SUCCESS, early: None })
}

/// A failure by itself.
pub(super) fn words(failure: &Failure) -> String {
    match failure {
        Failure::Exited { exit, early } => exited(*exit, *early),
        Failure::Background { process, instead } => {
            format!("it put itself into the background ({process}): {instead}")
        }
        Failure::BeforeStart { how } => format!("before-start: {}", hook_failure(how)),
        Failure::NotReady { within_ms, check: None } => {
            format!("not ready after {}", setting(*within_ms))
        }
        Failure::NotReady { within_ms, check: Some(check) } => {
            format!("{}: not ready after {}", failing(check), setting(*within_ms))
        }
        Failure::Unhealthy { check } => format!("{} (unhealthy)", failing(check)),
        Failure::Memory { max_bytes, .. } => format!("memory above {} MiB", mib(*max_bytes)),
        Failure::OutOfMemory => "killed by the kernel: out of memory".to_owned(),
        Failure::PortHeld { port, holder } => format!("port {port} is held by {holder}"),
        Failure::Step { step, error } => format!("step `{step}`: {error}"),
        Failure::TooLong { within_ms, step: None } => {
            format!("not done within {}", setting(*within_ms))
        }
        Failure::TooLong { within_ms, step: Some(step) } => {
            format!("not done within {}, in step `{step}`", setting(*within_ms))
        }
        Failure::Cancelled => "cancelled".to_owned(),
        Failure::NotStopped { name } => format!("{name} could not be stopped"),
        Failure::NeedLost { name } => format!("it needs {name}"),
        Failure::NotStarted { error: text } | Failure::Other(text) => text.clone(),
    }
}

/// How a hook failed.
pub(super) fn hook_failure(how: &HookFailure) -> String {
    match how {
        HookFailure::Exit { exit } => exit.to_string(),
        HookFailure::TooLong => "it took too long and was killed".to_owned(),
        HookFailure::Stuck => "it could not be ended".to_owned(),
        HookFailure::Error(error) => error.clone(),
    }
}

fn exited(exit: Exit, early: Option<EarlyExit>) -> String {
    match early {
        None => exit.to_string(),
        Some(EarlyExit::BeforeReady) => format!("{exit} before it was ready"),
        Some(EarlyExit::AfterStart) => format!("{exit} right after its start"),
    }
}

/// Whether a line of the log says more than the exit: an error always does, any other only of what
/// never came up.
fn leads(line: &LastLine, failure: &Failure) -> bool {
    match failure {
        Failure::Exited { exit: Exit::Code(code), early: Some(_) } => *code != 0 || line.is_error,
        Failure::Exited { .. } => line.is_error,
        Failure::Background { .. }
        | Failure::BeforeStart { .. }
        | Failure::NotStarted { .. }
        | Failure::NotReady { .. }
        | Failure::Unhealthy { .. }
        | Failure::Memory { .. }
        | Failure::OutOfMemory
        | Failure::PortHeld { .. }
        | Failure::Step { .. }
        | Failure::TooLong { .. }
        | Failure::Cancelled
        | Failure::NotStopped { .. }
        | Failure::NeedLost { .. }
        | Failure::Other(_) => false,
    }
}

/// What a line says, without the word that many programs put before it.
fn cause_in(line: &LastLine) -> &str {
    line.text.strip_prefix("Error: ").unwrap_or(&line.text)
}

/// Whether the server is there, and answers something else.
fn answers(check: &FailedCheck) -> bool {
    matches!(check.answer, CheckAnswer::Status { .. })
}
