//! The last lines of a command: how it went on the whole.

use std::time::Duration;

use super::{
    live_model::{Kind, LiveModel},
    reporter::headline,
    theme::{Symbol, Theme, Tone},
    wording,
};
use crate::{
    core::stack::{ItemOutcome, ItemResult, Outcome},
    status::Asked,
};

/// What a command was about: the stack, or what of it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct What<'a> {
    /// The stack.
    pub stack: &'a str,
    /// What of it; none means all.
    pub names: &'a [String],
}

impl What<'_> {
    /// `shop is`, `api and web are`.
    fn is(self) -> String {
        format!("{self} {}", if self.names.len() > 1 { "are" } else { "is" })
    }
}

impl std::fmt::Display for What<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.names {
            [] => f.write_str(self.stack),
            names => f.write_str(&wording::list(names)),
        }
    }
}

/// What is left of a stack that was stopped, as far as was looked.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// Processes.
    pub processes: &'a [String],
    /// Ports.
    pub ports: &'a [u16],
    /// Whether the kernel itself said so.
    pub proved: bool,
    /// What could not be looked at and may be of it.
    pub unproved: &'a [String],
}

impl Left<'_> {
    /// Whether anything is known to be left.
    pub fn is_any(&self) -> bool {
        !self.processes.is_empty() || !self.ports.is_empty()
    }
}

/// What of an outcome is worth a word.
#[derive(Debug, Default)]
struct Tally {
    /// Services that are ready.
    ready: usize,
    /// Services that have started, and nothing checks more.
    started: usize,
    /// Services that were ready and have ended, which is no failure.
    ended: usize,
    /// Tasks that are done.
    tasks: usize,
    unchanged: usize,
    stopped: usize,
    failed: Vec<String>,
    blocked: Vec<(String, String)>,
    superseded: Vec<String>,
    stuck: Vec<String>,
}

impl Tally {
    fn of(outcome: &Outcome, board: &LiveModel) -> Self {
        let mut tally = Self::default();
        for ItemResult { name, how } in &outcome.results {
            let held = match board.row(name).map(|row| (row.kind, row.checked)) {
                Some((Kind::Task, _)) => &mut tally.tasks,
                Some((Kind::Service, false)) => &mut tally.started,
                Some((Kind::Service, true)) | None => &mut tally.ready,
            };
            match how {
                ItemOutcome::Unchanged => {
                    *held += 1;
                    tally.unchanged += 1;
                }
                ItemOutcome::Ready { .. } | ItemOutcome::Skipped => *held += 1,
                ItemOutcome::Ended { .. } => tally.ended += 1,
                ItemOutcome::Stopped => tally.stopped += 1,
                ItemOutcome::Failed { .. } => tally.failed.push(name.clone()),
                ItemOutcome::Blocked { by } => tally.blocked.push((name.clone(), by.clone())),
                ItemOutcome::Superseded => tally.superseded.push(name.clone()),
                ItemOutcome::Stuck { .. } => tally.stuck.push(name.clone()),
            }
        }
        tally
    }

    /// `6 services ready, 2 services started, 1 task done, 2 stopped`.
    fn good(&self) -> Vec<String> {
        let others = self.tasks + self.ended + self.started + self.stopped;
        let any = self.ready + others + self.failed.len() + self.blocked.len();
        let services =
            [(self.ready, "ready"), (self.started, wording::STARTED), (self.ended, "ended")];
        let shown = services.into_iter().filter(|(count, what)| match any {
            0 => *what == "ready",
            _ => *count > 0,
        });
        let shown =
            shown.map(|(count, what)| format!("{} {what}", wording::count(count, "service")));
        let mut facts: Vec<String> = shown.collect();
        if self.tasks > 0 {
            facts.push(format!("{} done", wording::count(self.tasks, "task")));
        }
        if self.stopped > 0 {
            facts.push(format!("{} stopped", self.stopped));
        }
        facts
    }
}

/// After `up` and `restart`: `shop is up: 6 services ready in 3.4s`.
pub fn up(
    what: What<'_>,
    outcome: &Outcome,
    board: &LiveModel,
    took: Duration,
    theme: Theme,
) -> Vec<String> {
    let tally = Tally::of(outcome, board);
    let took = wording::duration(took);
    let mut facts = tally.good();
    let bad = tally.failed.len() + tally.blocked.len() + tally.stuck.len();
    if bad == 0 && tally.superseded.is_empty() && !outcome.superseded {
        let facts = facts.join(", ");
        let text = match tally.unchanged == outcome.results.len() {
            true => format!("{} up: {facts}, nothing to do", what.is()),
            false => format!("{} up: {facts} in {took}", what.is()),
        };
        return vec![headline(Symbol::Good, &text, theme)];
    }
    let mut lines = Vec::new();
    for (name, by) in &tally.blocked {
        let text = format!("{name} was not started: it needs {by}");
        lines.push(format!("{} {text}", theme.symbol(Symbol::Idle)));
    }
    if !tally.superseded.is_empty() || outcome.superseded {
        let names = match tally.superseded.as_slice() {
            [] => what.to_string(),
            names => wording::list(names),
        };
        let text = format!("{names}: stopped by another command meanwhile");
        lines.push(format!("{} {text}", theme.symbol(Symbol::Warn)));
    }
    if bad == 0 {
        return lines;
    }
    let mut verdict = Vec::new();
    if !tally.failed.is_empty() {
        verdict.push(format!("{} failed", wording::list(&tally.failed)));
    }
    if !tally.blocked.is_empty() {
        verdict.push(format!("{} not started", tally.blocked.len()));
    }
    if !tally.stuck.is_empty() {
        verdict.push(format!("{} could not be stopped", wording::list(&tally.stuck)));
    }
    verdict.append(&mut facts);
    let text = format!("{} not up after {took}: {}", what.is(), verdict.join(", "));
    lines.push(headline(Symbol::Bad, &text, theme));
    let bar = theme.symbol(Symbol::Bar);
    lines.extend(stuck(outcome).map(|process| format!("  {bar} {process}")));
    if let Some(name) = tally.failed.first().or(tally.stuck.first()) {
        lines.push(hint(&format!("stackrun why {name}"), theme));
    }
    lines
}

/// What could not be ended, with the service that it is of.
fn stuck(outcome: &Outcome) -> impl Iterator<Item = String> {
    outcome.results.iter().flat_map(|settled| {
        let processes: &[String] = match &settled.how {
            ItemOutcome::Stuck { processes } => processes,
            ItemOutcome::Unchanged
            | ItemOutcome::Ready { .. }
            | ItemOutcome::Skipped
            | ItemOutcome::Stopped
            | ItemOutcome::Ended { .. }
            | ItemOutcome::Failed { .. }
            | ItemOutcome::Blocked { .. }
            | ItemOutcome::Superseded => &[],
        };
        processes.iter().map(|process| format!("{}: {process}", settled.name))
    })
}

/// After `down`: `shop is down: 0 processes, 0 ports`.
pub fn down(
    what: What<'_>,
    outcome: &Outcome,
    left: Option<Left<'_>>,
    took: Duration,
    theme: Theme,
) -> Vec<String> {
    let mut processes: Vec<String> = stuck(outcome).collect();
    let (mut ports, mut unproved): (&[u16], &[String]) = (&[], &[]);
    let mut proof = "";
    if let Some(left) = left {
        if processes.is_empty() {
            processes.extend_from_slice(left.processes);
        }
        (ports, unproved) = (left.ports, left.unproved);
        proof = if left.proved { "" } else { ", verified by scan" };
    }
    let facts = format!(
        "{}, {}",
        wording::count(processes.len(), "process"),
        wording::count(ports.len(), "port")
    );
    let took = wording::duration(took);
    if processes.is_empty() && ports.is_empty() && outcome.superseded {
        let of = |settled: &ItemResult| settled.how == ItemOutcome::Superseded;
        let names = outcome.results.iter().filter(|settled| of(settled));
        let names: Vec<String> = names.map(|settled| settled.name.clone()).collect();
        let names = if names.is_empty() { what.to_string() } else { wording::list(&names) };
        let text = format!("{names}: started by another command meanwhile");
        return vec![format!("{} {text}", theme.symbol(Symbol::Warn))];
    }
    if processes.is_empty() && ports.is_empty() {
        let text = format!("{} down: {facts} ({took}{proof})", what.is());
        let mut lines = vec![headline(Symbol::Good, &text, theme)];
        lines.extend(unproved_lines(unproved, theme));
        return lines;
    }
    let text = format!("{} not down after {took}: {facts} left", what.is());
    let mut lines = vec![headline(Symbol::Bad, &text, theme)];
    let bar = theme.symbol(Symbol::Bar);
    lines.extend(processes.iter().map(|process| format!("  {bar} {process}")));
    lines.extend(ports.iter().map(|port| format!("  {bar} port {port} is still listened on")));
    lines
}

/// More than this are counted.
const UNPROVED: usize = 5;

/// What could not be looked at when nothing was found.
pub fn unproved_lines(unproved: &[String], theme: Theme) -> Vec<String> {
    let bar = theme.symbol(Symbol::Bar);
    let line = |text: &String| format!("  {bar} not ruled out: {text}");
    let mut lines: Vec<String> = unproved.iter().take(UNPROVED).map(line).collect();
    if let Some(more @ 1..) = unproved.len().checked_sub(UNPROVED) {
        lines.push(format!("  {bar} and {more} more"));
    }
    lines
}

/// After `wait`: what will not come, and why. Nothing where all of it has.
pub fn unmet(outcome: &Outcome, asked: Asked, theme: Theme) -> Vec<String> {
    let mut lines = Vec::new();
    for ItemResult { name, how } in outcome.results.iter().filter(|one| one.how.is_bad(asked)) {
        let text = match how {
            ItemOutcome::Failed { reason, .. } => {
                format!("{name} has failed: {}", wording::reason(reason))
            }
            ItemOutcome::Blocked { by } => format!("{name} will not start: it needs {by}"),
            ItemOutcome::Superseded => format!("{name} was stopped by another command meanwhile"),
            ItemOutcome::Stuck { processes } => {
                format!("{name} cannot be stopped: {}", wording::list(processes))
            }
            ItemOutcome::Ended { exit: Some(exit) } => {
                format!("{name} is not ready: it has ended ({exit})")
            }
            ItemOutcome::Ended { exit: None } => format!("{name} is not ready: it has ended"),
            ItemOutcome::Unchanged
            | ItemOutcome::Ready { .. }
            | ItemOutcome::Skipped
            | ItemOutcome::Stopped => continue,
        };
        lines.push(headline(Symbol::Bad, &theme.plain_words(&text), theme));
        lines.push(hint(&format!("stackrun why {name}"), theme));
    }
    lines
}

/// A next step: `→ stackrun why api`.
pub fn hint(command: &str, theme: Theme) -> String {
    format!("  {} {}", theme.symbol(Symbol::Arrow), theme.paint(Tone::Faint, command))
}
