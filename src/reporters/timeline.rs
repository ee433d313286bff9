//! A start as a waterfall: what each one waited for and how long it took, the chain that made the
//! whole as long as it was, and the start before.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{
    theme::{Symbol, Theme, Tone, pad, pad_left},
    wording,
};
use crate::{
    reason::{CheckAnswer, CheckLabel, FailedCheck},
    timeline::{End, Part, Row, Start, What},
};

/// The width without a terminal.
const PLAIN: usize = 100;
/// The narrowest bar that says anything.
const BAR: usize = 8;
/// The widest column of names.
const NAMES: usize = 24;
/// What takes less than so many milliseconds says nothing.
const NOISE: u64 = 10;

/// What a start is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The starts before it, the latest last.
    pub starts: &'a [Start],
}

impl Before<'_> {
    /// How long this one took the last time that it got there.
    pub fn row_ms(&self, name: &str) -> Option<u64> {
        let rows = self.starts.iter().rev().filter_map(|start| start.row(name));
        let mut well = rows.filter(|row| matches!(row.end, End::Ready | End::Done));
        well.next().map(Row::took_ms)
    }

    /// How long the last start of the same services and tasks took.
    pub fn total_ms(&self, start: &Start) -> Option<u64> {
        let like = self.starts.iter().rev().find(|other| other.is_like(start) && !other.unfinished);
        like.map(|other| other.took_ms)
    }
}

/// The waterfall; with `all` of what every bar is made, else of those on the critical path.
pub fn show(
    start: &Start,
    before: Before<'_>,
    (columns, all): (Option<usize>, bool),
    zone: &TimeZone,
    theme: Theme,
) -> String {
    let columns = columns.unwrap_or(PLAIN).min(PLAIN.max(120));
    let mut text = title(start, before, zone, theme);
    let names = start.rows.iter().map(|row| console::measure_text_width(&row.name));
    let names = names.max().unwrap_or(0).min(NAMES).min(columns / 3);
    let took: Vec<String> = start.rows.iter().map(|row| wording::millis(row.took_ms())).collect();
    let times = took.iter().map(String::len).max().unwrap_or(0);
    let changes: Vec<String> = start
        .rows
        .iter()
        .map(|row| {
            before.row_ms(&row.name).map_or_else(String::new, |ms| change(row.took_ms(), ms))
        })
        .collect();
    let widest = changes.iter().map(String::len).max().unwrap_or(0);
    let used = 2 + names + 2 + 2 + times;
    // Where room is short the comparison goes first.
    let with_changes = widest > 0 && columns >= used + 2 + widest + 3 * BAR;
    let bar = columns.saturating_sub(used + if with_changes { 2 + widest } else { 0 }).max(BAR);
    for (index, row) in start.rows.iter().enumerate() {
        let is_critical = start.critical.contains(&row.name);
        let mark = if is_critical { theme.symbol(Symbol::Chain) } else { " ".into() };
        let name = pad(&theme.fit(&row.name, names), names);
        let name = if is_critical { theme.paint(Tone::Strong, name) } else { name };
        let drawn = drawn(row, start.took_ms, bar, is_critical, theme);
        let time = pad_left(&took[index], times);
        let mut line = format!("{mark} {name}  {drawn}  {time}");
        if with_changes {
            line.push_str(&format!("  {}", theme.paint(Tone::Faint, &changes[index])));
        }
        text.push_str(theme.fit(line.trim_end(), columns).trim_end());
        text.push('\n');
    }
    text.push_str(&format!("{}\n\n", theme.fit(&legend(start, bar, names, theme), columns)));
    let shown = start.rows.iter().filter(|row| all || start.critical.contains(&row.name));
    let mut shown: Vec<&Row> = shown.collect();
    shown.sort_by_key(|row| start.critical.iter().position(|name| *name == row.name));
    if !all {
        shown.sort_by_key(|row| row.to_ms());
        text.push_str(&critical(start, columns, theme));
    }
    for row in shown {
        let parts = parts(row);
        let head = format!("  {}  ", pad(&theme.fit(&row.name, names), names));
        let room = columns.saturating_sub(names + 4).max(16);
        for (number, part) in
            super::theme::wrap(&theme.plain_words(&parts), room).iter().enumerate()
        {
            let head = if number == 0 { head.clone() } else { " ".repeat(names + 4) };
            text.push_str(&format!("{head}{}\n", theme.paint(Tone::Faint, part)));
        }
    }
    text
}

fn title(start: &Start, before: Before<'_>, zone: &TimeZone, theme: Theme) -> String {
    let when = start.began.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let took = wording::millis(start.took_ms);
    let took = if start.unfinished { format!("{took} so far") } else { took };
    let before = before
        .total_ms(start)
        .map(|ms| format!(", {} (before: {})", change(start.took_ms, ms), wording::millis(ms)));
    let command = theme.plain_words(&start.command);
    let head = theme.paint(Tone::Strong, format!("{command}: {took}"));
    let rest = format!("{}  {when}", before.unwrap_or_default());
    format!("{head}{}\n", theme.paint(Tone::Faint, rest))
}

/// `+120ms`, `-1.2s`, `same`.
fn change(now: u64, before: u64) -> String {
    match now.abs_diff(before) {
        0..NOISE => "same".into(),
        by if now > before => format!("+{}", wording::millis(by)),
        by => format!("-{}", wording::millis(by)),
    }
}

/// The bar of a row: a character for each stretch of the whole time.
fn drawn(row: &Row, whole: u64, width: usize, is_critical: bool, theme: Theme) -> String {
    let whole = whole.max(1);
    let mut cells: Vec<Option<&What>> = vec![None; width];
    let column = |ms: u64| {
        let at = u128::from(ms) * width as u128 / u128::from(whole);
        usize::try_from(at).unwrap_or(width).min(width)
    };
    for Part { what, from_ms, to_ms } in &row.parts {
        let from = column(*from_ms).min(width.saturating_sub(1));
        // What took any time at all is seen, unless it is a wait.
        let least = usize::from(!matches!(what, What::Waiting { .. }));
        let to = column(*to_ms).max(from + least).min(width);
        cells[from..to].iter_mut().for_each(|cell| *cell = Some(what));
    }
    let mut bar = String::new();
    let mut index = 0;
    while index < width {
        let what = cells[index];
        let run = cells[index..].iter().take_while(|cell| **cell == what).count();
        let (picture, tone) = picture(what, row.end, is_critical, theme);
        bar.push_str(&theme.paint(tone, picture.repeat(run)));
        index += run;
    }
    bar
}

fn picture(what: Option<&What>, end: End, is_critical: bool, theme: Theme) -> (&'static str, Tone) {
    let tone = match (end, is_critical) {
        (End::Failed, _) => Tone::Bad,
        (_, true) => Tone::Warn,
        (_, false) => Tone::Busy,
    };
    let (symbol, ascii, tone) = match what {
        None => (" ", " ", Tone::Faint),
        Some(What::Waiting { .. }) => ("·", ".", Tone::Faint),
        Some(What::Stopping) => ("▒", "<", Tone::Faint),
        Some(What::ClearingUp) => ("▒", "<", Tone::Faint),
        Some(What::Pausing) => ("▒", "~", Tone::Warn),
        Some(What::Starting) => ("░", "-", tone),
        Some(What::Checking { .. } | What::Proving | What::Running) => ("█", "#", tone),
    };
    (if theme.unicode { symbol } else { ascii }, tone)
}

fn legend(start: &Start, bar: usize, names: usize, theme: Theme) -> String {
    let part =
        |symbol, ascii, text| format!("{} {text}", if theme.unicode { symbol } else { ascii });
    let mut parts = vec![
        part("·", ".", "waiting"),
        part("░", "-", "starting"),
        part("█", "#", "checking or running"),
    ];
    let has = |wanted: &[What]| {
        let mut all = start.rows.iter().flat_map(|row| &row.parts);
        all.any(|part| wanted.contains(&part.what))
    };
    let kinds = [
        ("<", "stopping", has(&[What::Stopping, What::ClearingUp])),
        ("~", "pausing", has(&[What::Pausing])),
    ];
    let kinds: Vec<(&str, &str)> =
        kinds.into_iter().filter(|kind| kind.2).map(|kind| (kind.0, kind.1)).collect();
    match theme.unicode {
        // They look alike but for their colour.
        true if kinds.len() > 1 => parts.push(part("▒", "", "stopping or pausing")),
        _ => parts.extend(kinds.into_iter().map(|(ascii, text)| part("▒", ascii, text))),
    }
    if bar + names > 50 {
        parts.push(format!("{} critical path", theme.bare(Symbol::Chain)));
    }
    format!("  {}", theme.paint(Tone::Faint, parts.join("  ")))
}

/// `critical path: db 494ms → migrate 330ms → api 520ms`
fn critical(start: &Start, columns: usize, theme: Theme) -> String {
    let links: Vec<String> = start
        .critical
        .iter()
        .filter_map(|name| start.row(name))
        .map(|row| format!("{} {}", row.name, wording::millis(row.took_ms())))
        .collect();
    let arrow = format!(" {} ", theme.bare(Symbol::Arrow));
    let line = format!("critical path: {}", links.join(&arrow));
    let mut text = String::new();
    for line in super::theme::wrap(&line, columns) {
        text.push_str(&format!("{}\n", theme.paint(Tone::Strong, line)));
    }
    text
}

/// `waited 824ms for migrate, started in 21ms, GET /health answered after 499ms`
fn parts(row: &Row) -> String {
    let mut waited = Duration::ZERO;
    let mut on: &[String] = &[];
    let mut facts = Vec::new();
    let last = row.parts.len().saturating_sub(1);
    for (place, part) in row.parts.iter().enumerate() {
        let took = wording::millis(part.took_ms());
        match &part.what {
            What::Waiting { on: names } => {
                waited += Duration::from_millis(part.took_ms());
                on = names;
            }
            What::Stopping => facts.push(format!("stopped in {took}")),
            What::Starting => facts.push(format!("started in {took}")),
            What::Running => facts.push(format!("ran {took}")),
            What::Pausing => facts.push(format!("paused {took}")),
            What::Proving => facts.push(format!("lived for {took}")),
            What::ClearingUp if part.took_ms() < NOISE => {}
            What::ClearingUp => facts.push(format!("cleared up in {took}")),
            What::Checking { failed, held } => {
                let is_open = row.end == End::Unfinished && place == last;
                facts.push(match (failed, held) {
                    (Some(FailedCheck { check, .. }), true) => {
                        format!("{} {} after {took}", wording::check_label(check), verb(check))
                    }
                    (Some(failed), false) => missed(failed, is_open, &took),
                    (None, true) => format!("ready after {took}"),
                    (None, false) if is_open => format!("running for {took}"),
                    (None, false) => format!("ended after {took}"),
                });
            }
        }
    }
    if !waited.is_zero() && !on.is_empty() {
        facts.insert(0, format!("waited {} for {}", wording::duration(waited), wording::list(on)));
    }
    let end = match row.end {
        End::Ready | End::Done => None,
        End::Skipped => Some("skipped"),
        End::Failed => Some("failed"),
        End::Stopped => Some("stopped"),
        End::Unfinished => Some("still on the way"),
    };
    facts.extend(end.map(str::to_owned));
    facts.join(", ")
}

/// What became of a check that did not hold: `GET /health never answered in 603ms (connection
/// refused)`.
fn missed(FailedCheck { check, answer }: &FailedCheck, is_open: bool, took: &str) -> String {
    let verb = match answer {
        // One that answers, and wrongly, has answered.
        CheckAnswer::Status { .. } => "succeeded",
        _ => verb(check),
    };
    let (check, answer) = (wording::check_label(check), wording::check_answer(answer));
    match is_open {
        true => format!("{check} not {verb} yet after {took} ({answer})"),
        false => format!("{check} never {verb} in {took} ({answer})"),
    }
}

/// What a check does that holds.
fn verb(check: &CheckLabel) -> &'static str {
    match check {
        CheckLabel::Http { .. } => "answered",
        CheckLabel::Listening { .. } | CheckLabel::Tcp { .. } => "opened",
        CheckLabel::Delay { .. } => "passed",
        CheckLabel::Command { .. }
        | CheckLabel::Prints { .. }
        | CheckLabel::Notify
        | CheckLabel::Foreground
        | CheckLabel::Other(_) => "succeeded",
    }
}
