//! The ledger for people: a line for each thing that happened.

use jiff::tz::TimeZone;

use super::{
    theme::{Theme, Tone},
    wording,
};
use crate::event::{Event, Record};

/// One record in one line.
pub fn show(record: &Record, zone: &TimeZone, theme: Theme) -> String {
    let time = record.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f");
    let time = theme.paint(Tone::Faint, time.to_string());
    let (text, tone) = text_of(&record.event);
    let text = theme.plain_words(&text).into_owned();
    let text = tone.map_or(text.clone(), |tone| theme.paint(tone, text));
    let name = record.name.as_deref().map(|name| format!("{} ", theme.paint(Tone::Strong, name)));
    let cause = wording::cause(&record.cause);
    let cause = theme.paint(Tone::Faint, format!("({})", theme.plain_words(&cause)));
    format!("{time}  {}{text}  {cause}", name.unwrap_or_default())
}

fn text_of(event: &Event) -> (String, Option<Tone>) {
    let text = match event {
        Event::SupervisorStarted { pid, version, took_over } => {
            let how = if *took_over { "took over" } else { "started" };
            format!("supervisor {version} {how}, pid {pid}")
        }
        Event::Applied { steps } if steps.is_empty() => "stack applied: nothing to do".into(),
        Event::Applied { steps } => {
            let steps: Vec<String> = steps.iter().map(wording::plan_step).collect();
            format!("stack applied: {}", steps.join("; "))
        }
        Event::Waiting { on } => format!("waits for {}", wording::list(on)),
        Event::Starting => "starts".into(),
        Event::Spawned { pid, .. } | Event::Running { pid, .. } => format!("runs, pid {pid}"),
        Event::Checked { failed } => wording::pending(failed),
        Event::Ready { unhealthy_ms: Some(unhealthy), .. } => {
            return (wording::healthy_again(*unhealthy), Some(Tone::Good));
        }
        Event::Ready { after_ms, checked, .. } => {
            return (wording::ready(*after_ms, *checked), Some(Tone::Good));
        }
        Event::Done { after_ms } => {
            return (format!("done in {}", wording::millis(*after_ms)), Some(Tone::Good));
        }
        Event::Unhealthy { check } => {
            return (format!("unhealthy: {}", wording::failing(check)), Some(Tone::Warn));
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
            format!("{} left behind {were} killed", wording::count(*processes, "process"))
        }
        Event::Stopped => "stopped".into(),
        Event::Stuck { processes } => {
            return (format!("cannot be ended: {}", processes.join("; ")), Some(Tone::Bad));
        }
        Event::Backoff { reason, delay_ms, attempt, of } => {
            wording::tried_again(reason, *delay_ms, Some((*attempt, *of)))
        }
        Event::Failed { reason, .. } => {
            return (format!("failed: {}", wording::reason(reason)), Some(Tone::Bad));
        }
        Event::Step { step, on_failure } => format!("step {step}{}", undo(*on_failure)),
        Event::StepEnded { step, on_failure, after_ms, failed: None, .. } => {
            let after = wording::millis(*after_ms);
            format!("step {step}{} done in {after}", undo(*on_failure))
        }
        Event::StepEnded { step, on_failure, after_ms, failed: Some(failed), .. } => {
            let after = wording::millis(*after_ms);
            let text = format!("step {step}{} failed after {after}: {failed}", undo(*on_failure));
            return (text, Some(Tone::Warn));
        }
        Event::Skipped => format!("skipped: {}", wording::INPUTS_UNCHANGED),
        Event::Hook { hook, commands: None, exit } => format!("{}: {exit}", hook.key()),
        Event::Hook { hook, commands: Some(commands), exit } => {
            format!("{} ({commands} commands): {exit}", hook.key())
        }
        Event::Notice { notice } => return (wording::notice(notice), Some(Tone::Warn)),
        Event::Down => "the stack is down".into(),
    };
    (text, None)
}

fn undo(on_failure: bool) -> &'static str {
    if on_failure { " (on-failure)" } else { "" }
}
