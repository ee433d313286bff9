//! The board as lines of text for a terminal of some size: pure, no terminal in it.

use jiff::Timestamp;

use super::{
    live_model::{Activity, Goal, LiveModel, Row, RowOutcome, RowState},
    theme::{Symbol, Theme, Tone, pad, pad_left, wrap},
    wording,
};
use crate::printable;

/// The widest column of what they do.
const TEXT: usize = 60;
/// Rows of the terminal that are left to what is printed above the live lines.
const SPARE_ROWS: usize = 3;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
}

/// What the lines are made of, besides the board.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The terminal's size.
    pub size: Size,
    /// How things look.
    pub theme: Theme,
    /// The time.
    pub now: Timestamp,
    /// When the command began.
    pub began: Timestamp,
    /// How often was drawn before: turns the spinner.
    pub step: usize,
}

/// The lines that change: one for each service that is on the way, as many as the terminal has
/// room for, and one that counts the rest.
pub fn live(board: &LiveModel, frame: &Frame) -> Vec<String> {
    let mut moving: Vec<(&Row, &Activity)> = board.moving().collect();
    if moving.is_empty() {
        return vec![total(board, 0, frame)];
    }
    let room = frame.size.rows.saturating_sub(SPARE_ROWS);
    let hidden = moving.len().saturating_sub(room);
    if hidden > 0 {
        // Those that wait for others are the ones to leave out.
        moving.sort_by_key(|(_, what)| what.waits());
        moving.truncate(room);
    }
    let names = board.name_width().min(frame.size.columns / 3);
    let times = moving.iter().map(|(row, _)| elapsed(row, frame).len()).max().unwrap_or(0);
    let widths = Widths { names, times: times.max(5) };
    let steps_room = room.saturating_sub(moving.len());
    let lines_of = |(row, what): &(&Row, &Activity)| match what {
        Activity::Running { .. } if row.expanded && !row.steps.0.is_empty() => {
            row.steps.live(steps_room, frame)
        }
        _ => vec![moving_line(row, what, widths, frame)],
    };
    let mut lines: Vec<String> = moving.iter().flat_map(lines_of).collect();
    lines.push(total(board, hidden, frame));
    lines
}

/// The widths of columns.
#[derive(Clone, Copy)]
struct Widths {
    names: usize,
    times: usize,
}

fn elapsed(row: &Row, frame: &Frame) -> String {
    let elapsed = row.began.map(|began| wording::between(began, frame.now));
    elapsed.map(wording::ticking).unwrap_or_default()
}

fn moving_line(row: &Row, what: &Activity, widths: Widths, frame: &Frame) -> String {
    let Frame { size, theme, .. } = *frame;
    let (symbol, tone) = match what {
        Activity::Waiting(_) => (theme.symbol(Symbol::Dot), Some(Tone::Faint)),
        Activity::Unhealthy(_)
        | Activity::Ended(_)
        | Activity::Backoff { .. }
        | Activity::Killing => (theme.symbol(Symbol::Warn), Some(Tone::Warn)),
        Activity::Starting
        | Activity::Checking(_)
        | Activity::Running { .. }
        | Activity::Stopping => (theme.spinner(frame.step), None),
    };
    let name = pad(&theme.fit(&row.name, widths.names), widths.names);
    let words = what.text();
    let words = theme.plain_words(&words);
    // Symbol, name, text and time, each apart from the next.
    let used = 2 + widths.names + 2 + 2 + widths.times;
    let room = size.columns.saturating_sub(used).min(TEXT);
    if room < 4 {
        return theme.fit(&format!("{symbol} {name}  {words}"), size.columns).into_owned();
    }
    let text = pad(&theme.fit(&words, room), room);
    let text = tone.map_or(text.clone(), |tone| theme.paint(tone, text));
    let time = theme.paint(Tone::Faint, pad_left(&elapsed(row, frame), widths.times));
    format!("{symbol} {name}  {text}  {time}")
}

/// `⠋ 12 of 60 ready · 1 failed · 30 more not shown · 3.4s`
fn total(board: &LiveModel, hidden: usize, frame: &Frame) -> String {
    let Frame { size, theme, now, began, .. } = *frame;
    let count = board.count();
    let word = match board.goal {
        Goal::Up => "ready",
        Goal::Down => "stopped",
    };
    let steps = board.moving().find_map(|(row, _)| row.steps.running().filter(|_| row.expanded));
    let mut facts = vec![match steps {
        Some(step) => format!("step {step}"),
        // A `wait` for what has not moved yet.
        None if count.all == 0 => "waiting".to_owned(),
        None => format!("{} of {} {word}", count.good, count.all),
    }];
    if count.bad > 0 {
        facts.push(format!("{} failed", count.bad));
    }
    if hidden > 0 {
        facts.push(format!("{hidden} more not shown"));
    }
    facts.push(wording::ticking(wording::between(began, now)));
    let separator = format!(" {} ", theme.bare(Symbol::Dot));
    let text = theme.paint(Tone::Faint, facts.join(&separator));
    let line = format!("{} {text}", theme.spinner(frame.step));
    theme.fit(&line, size.columns).into_owned()
}

/// The lines of something that a person should know. Broken, not cut, and never wider than the
/// terminal: the live lines below would be drawn over from a wrong row.
pub fn notice(text: &str, columns: Option<usize>, theme: Theme) -> Vec<String> {
    let symbol = theme.symbol(Symbol::Warn);
    let text = &printable::line(text);
    let Some(columns) = columns else { return vec![format!("{symbol} {text}")] };
    let parts = wrap(text, columns.saturating_sub(2)).into_iter().enumerate();
    parts
        .map(|(number, part)| match number {
            0 => format!("{symbol} {part}"),
            _ => format!("  {part}"),
        })
        .collect()
}

/// The lines that stay: how a row ended up, and what is known about a failure. Without `columns`
/// nothing is cut.
pub fn settled(row: &Row, names: usize, columns: Option<usize>, theme: Theme) -> Vec<String> {
    let RowState::Ended(end) = &row.state else { return Vec::new() };
    // As wide as while it moved; a longer name sticks out rather than to be cut.
    let names = columns.map_or(names, |columns| names.min(columns / 3));
    let (symbol, tone) = match end {
        RowOutcome::Ready { .. } | RowOutcome::Healthy { .. } | RowOutcome::Done { .. } => {
            (Symbol::Good, Tone::Good)
        }
        RowOutcome::Skipped | RowOutcome::Stopped { .. } | RowOutcome::Exited(_) => {
            (Symbol::Idle, Tone::Faint)
        }
        RowOutcome::Failed { .. } | RowOutcome::Stuck(_) => (Symbol::Bad, Tone::Bad),
    };
    let name = theme.paint(if end.is_bad() { tone } else { Tone::Strong }, &row.name);
    let start = format!("{} {}  ", theme.symbol(symbol), pad(&name, names));
    let words = end.text();
    let words = theme.plain_words(&words);
    let mut lines = Vec::new();
    // Where nothing is live, the steps have had their lines as they ended.
    if row.expanded && columns.is_some() {
        lines = row.steps.settled(columns, theme);
    }
    if !end.is_bad() {
        let line = format!("{start}{words}{}", about(row, end, theme));
        lines.push(match columns {
            Some(columns) => theme.fit(&line, columns).into_owned(),
            None => line,
        });
        return lines;
    }
    let indent = console::measure_text_width(&start);
    // A reason is worth more than a column: it is broken, never cut.
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(indent).max(8));
    for (number, part) in wrap(&words, room).into_iter().enumerate() {
        let part = theme.paint(tone, part);
        lines.push(match number {
            0 => format!("{start}{part}"),
            _ => format!("{}{part}", " ".repeat(indent)),
        });
    }
    let left_out = row.steps.left_out();
    let told = left_out.is_empty() || (row.expanded && columns.is_some());
    if !told {
        let text = wrap(&format!("not run: {}", left_out.join(", ")), room);
        let text = text.into_iter().map(|part| theme.paint(Tone::Faint, part));
        lines.extend(text.map(|part| format!("{}{part}", " ".repeat(indent))));
    }
    lines.extend(end.evidence().iter().map(|line| {
        let line = console::strip_ansi_codes(line);
        format!("  {} {}", theme.symbol(Symbol::Bar), printable::line(line.trim_end()))
    }));
    match columns {
        Some(columns) => lines.iter().map(|line| theme.fit(line, columns).into_owned()).collect(),
        None => lines,
    }
}

/// Where to find what is ready, and what it is, as `status` has it.
fn about(row: &Row, end: &RowOutcome, theme: Theme) -> String {
    let ready = matches!(end, RowOutcome::Ready { .. });
    let address = row.address.as_deref().filter(|_| ready).map(printable::line);
    // Who runs a task by its name knows what it is.
    let done = matches!(end, RowOutcome::Done { .. }) && !row.expanded;
    let describe = row.describe.as_deref().filter(|_| ready || done).map(printable::line);
    let describe = describe.map(|describe| theme.paint(Tone::Faint, describe));
    let address = address.map(|address| theme.paint(Tone::Busy, address));
    match (address, describe) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!("  {one}"),
        (Some(address), Some(describe)) => {
            format!("  {address} {} {describe}", theme.symbol(Symbol::Dot))
        }
    }
}
