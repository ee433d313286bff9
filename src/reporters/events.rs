//! The ledger for people: a line for each thing that happened.

use jiff::tz::TimeZone;

use super::{
    theme::{Theme, Tone},
    words,
};
use crate::{
    core::plan::UNKNOWN,
    event::{Cause, Event, Record},
};

/// One record in one line.
pub fn show(record: &Record, zone: &TimeZone, theme: Theme) -> String {
    let time = record.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f");
    let time = theme.paint(Tone::Faint, time.to_string());
    let (text, tone) = text_of(&record.event);
    let text = theme.plain_words(&text).into_owned();
    let text = tone.map_or(text.clone(), |tone| theme.paint(tone, text));
    let name = record.name.as_deref().map(|name| format!("{} ", theme.paint(Tone::Strong, name)));
    let cause = cause_of(&record.cause);
    let cause = theme.paint(Tone::Faint, format!("({})", theme.plain_words(&cause)));
    format!("{time}  {}{text}  {cause}", name.unwrap_or_default())
}

fn text_of(event: &Event) -> (String, Option<Tone>) {
    let text = match event {
        Event::SupervisorStarted { pid, version, took_over } => {
            let how = if *took_over { "took over" } else { "started" };
            format!("supervisor {version} {how}, pid {pid}")
        }
        Event::Applied { plan } => match plan.as_slice() {
            [] => "stack applied: nothing to do".into(),
            plan => format!("stack applied: {}", plan.join("; ")),
        },
        Event::Waiting { on } => format!("waits for {}", words::list(on)),
        Event::Starting => "starts".into(),
        Event::Spawned { pid, .. } | Event::Running { pid, .. } => format!("runs, pid {pid}"),
        Event::Checked { check, answer } => format!("{check} → {answer}"),
        Event::Ready { unhealthy_ms: Some(unhealthy), .. } => {
            return (words::healthy_again(*unhealthy), Some(Tone::Good));
        }
        Event::Ready { after_ms, checked, .. } => {
            return (words::ready(*after_ms, *checked), Some(Tone::Good));
        }
        Event::Done { after_ms } => {
            return (format!("done in {}", words::millis(*after_ms)), Some(Tone::Good));
        }
        Event::Unhealthy { reason } => {
            return (format!("unhealthy: {reason}"), Some(Tone::Warn));
        }
        Event::Stopping => "stops".into(),
        Event::Signalled { signal, tree } => {
            let whom = if *tree { "every process" } else { "the main process" };
            format!("{signal} sent to {whom}")
        }
        Event::Exited { exit, expected: true, .. } => format!("ended: {exit}"),
        Event::Exited { exit, expected: false, .. } => {
            return (format!("ended: {exit}"), Some(Tone::Warn));
        }
        Event::Swept { processes } => {
            let were = if *processes == 1 { "was" } else { "were" };
            format!("{} left behind {were} killed", words::count(*processes, "process"))
        }
        Event::Stopped => "stopped".into(),
        Event::Stuck { processes } => {
            return (format!("cannot be ended: {}", processes.join("; ")), Some(Tone::Bad));
        }
        Event::Backoff { delay_ms, attempt, of, .. } => {
            format!("again in {}{}", words::millis(*delay_ms), words::attempt(*attempt, *of))
        }
        Event::Failed { reason, .. } => return (format!("failed: {reason}"), Some(Tone::Bad)),
        Event::Step { step, on_failure } => format!("step {step}{}", undo(*on_failure)),
        Event::StepEnded { step, on_failure, after_ms, failed: None, .. } => {
            let after = words::millis(*after_ms);
            format!("step {step}{} done in {after}", undo(*on_failure))
        }
        Event::StepEnded { step, on_failure, after_ms, failed: Some(failed), .. } => {
            let after = words::millis(*after_ms);
            let text = format!("step {step}{} failed after {after}: {failed}", undo(*on_failure));
            return (text, Some(Tone::Warn));
        }
        Event::Skipped { reason } => format!("skipped: {reason}"),
        Event::Hook { hook, commands: None, exit } => format!("{hook}: {exit}"),
        Event::Hook { hook, commands: Some(commands), exit } => {
            format!("{hook} ({commands} commands): {exit}")
        }
        Event::Notice { text } => return (text.clone(), Some(Tone::Warn)),
        Event::Down => "the stack is down".into(),
    };
    (text, None)
}

fn undo(on_failure: bool) -> &'static str {
    if on_failure { " (on-failure)" } else { "" }
}

pub(super) fn cause_of(cause: &Cause) -> String {
    match cause {
        Cause::Command { command, pid } => format!("{command}, pid {pid}"),
        Cause::Need { of } => format!("needed by {of}"),
        Cause::Edit { keys } if *keys == [UNKNOWN] => "its definition was lost".into(),
        Cause::Edit { keys } => format!("edited: {}", words::list(keys)),
        Cause::Follow { of } => format!("follows {of}"),
        Cause::Exit => "it ended".into(),
        Cause::Start => "its start".into(),
        Cause::Check => "its checks".into(),
        Cause::Memory => "its memory".into(),
        Cause::Watch { path } => format!("{path} changed"),
        Cause::Schedule => "its schedule".into(),
        Cause::Window { task } => format!("{task} runs without it"),
        Cause::Supervisor => "stackrun".into(),
    }
}
