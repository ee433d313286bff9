//! Problems drawn for people: the message, the lines that it is about and where they stand, what
//! is to be said of which characters, and the fix. As few lines as will do, in any width.

mod cells;

use std::{fmt, sync::Arc};

use console::measure_text_width;
use miette::{Diagnostic, LabeledSpan, ReportHandler, Severity};

use self::cells::{cells, window};
use crate::{
    printable::{self, styled, wrap},
    secrets::{self, Masker},
};

/// Parameters of SGR (ECMA-48, 8.3.117).
const BOLD: &str = "1";
const FAINT: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";

/// How far up a line is looked for that says what a line belongs to.
const FAR: usize = 500;

/// How problems are drawn: miette's handler of reports (<https://docs.rs/miette>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns to fill.
    pub width: usize,
    /// Whether to use colour.
    pub color: bool,
    /// Whether to use characters beyond ASCII.
    pub unicode: bool,
}

impl ReportHandler for Look {
    fn debug(&self, problem: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(problem))
    }
}

impl Look {
    /// A problem in lines, each with a newline, and without the secrets that are known.
    pub fn draw(self, problem: &dyn Diagnostic) -> String {
        let set = if self.unicode { &UNICODE } else { &ASCII };
        let sources = sources(problem);
        let rows = rows(&sources);
        let gutter = rows.iter().map(|row| row.number.to_string().len()).max().unwrap_or(1);
        let tone = if is_warning(problem) { YELLOW } else { RED };
        let masker = secrets::masker();
        let mut drawing = Drawing { set, look: self, masker, gutter, tone, out: String::new() };
        drawing.headline(problem);
        drawing.places(problem, &rows);
        if let Some(help) = problem.help() {
            drawing.help(&help.to_string());
        }
        drawing.out
    }
}

fn is_warning(problem: &dyn Diagnostic) -> bool {
    problem.severity() == Some(Severity::Warning)
}

/// A file, and the labels in it.
struct Labelled {
    /// `file:line:column` of the first label.
    place: String,
    text: String,
    labels: Vec<LabeledSpan>,
}

/// A byte of a text: the number of its line, from 1, where in it, and the line.
struct Place<'a> {
    number: usize,
    start: usize,
    line: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, byte: usize) -> Self {
        let byte = byte.min(text.len());
        let begin = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
        let number = memchr::memchr_iter(b'\n', &text.as_bytes()[..begin]).count() + 1;
        let line = text[begin..].lines().next().unwrap_or_default();
        Self { number, start: byte - begin, line }
    }
}

/// The file of a problem, and those of what is related to it.
fn sources(problem: &dyn Diagnostic) -> Vec<Labelled> {
    let mut all = Vec::new();
    if let (Some(source), Some(labels)) = (problem.source_code(), problem.labels()) {
        let labels: Vec<LabeledSpan> = labels.collect();
        let contents = labels.first().map(|first| source.read_span(first.inner(), FAR, FAR));
        if let Some(Ok(contents)) = contents {
            let text = String::from_utf8_lossy(contents.data()).into_owned();
            let Place { number, start, line } = Place::of(&text, labels[0].offset());
            let column = line[..start].chars().count() + 1;
            let name = contents.name().unwrap_or_default();
            all.push(Labelled { place: format!("{name}:{number}:{column}"), text, labels });
        }
    }
    all.extend(problem.related().into_iter().flatten().flat_map(sources));
    all
}

/// Characters to draw with.
struct Set {
    error: &'static str,
    warning: &'static str,
    begin: &'static str,
    side: &'static str,
    gap: &'static str,
    end: &'static str,
    strong: &'static str,
    weak: &'static str,
    cut: &'static str,
}

const UNICODE: Set = Set {
    error: "✘",
    warning: "▲",
    begin: "╭─",
    side: "│",
    gap: "┆",
    end: "╰─",
    strong: "━",
    weak: "─",
    cut: "…",
};

const ASCII: Set = Set {
    error: "x",
    warning: "!",
    begin: "-->",
    side: "|",
    gap: ":",
    end: "=",
    strong: "^",
    weak: "-",
    cut: "...",
};

/// A line of a file and what is marked in it.
struct Row<'a> {
    file: &'a Labelled,
    number: usize,
    text: &'a str,
    marks: Vec<Mark<'a>>,
}

/// Bytes of a line and what is to be said of them.
struct Mark<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    /// The problem's own place.
    own: bool,
}

/// The lines that are marked, in the order of the files and lines; before one that is indented
/// the line at the margin that it belongs to.
fn rows(sources: &[Labelled]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let from = rows.len();
        for (at, label) in source.labels.iter().enumerate() {
            mark_row(&mut rows, from, source, label, file == 0 && at == 0);
        }
        rows[from..].sort_by_key(|row| row.number);
    }
    rows
}

/// Marks a label in its row of the file whose rows begin at `from`.
fn mark_row<'a>(
    rows: &mut Vec<Row<'a>>,
    from: usize,
    source: &'a Labelled,
    label: &'a LabeledSpan,
    own: bool,
) {
    let text = &source.text;
    let Place { number, start, line } = Place::of(text, label.offset());
    let above = &text[..label.offset().min(text.len()) - start];
    let row = |number, text| Row { file: source, number, text, marks: Vec::new() };
    let known =
        |rows: &[Row<'_>], number: usize| rows[from..].iter().position(|row| row.number == number);
    if line.starts_with([' ', '\t'])
        && let Some((number, margin)) = margin(above, number)
        && known(rows, number).is_none()
    {
        rows.push(row(number, margin));
    }
    let index = known(rows, number).unwrap_or_else(|| {
        rows.push(row(number, line));
        rows.len() - 1 - from
    });
    let end = (start + label.len()).min(line.len());
    let label = label.label().unwrap_or_default();
    rows[from + index].marks.push(Mark { start, end, label, own });
}

/// The last line above that begins at the margin, and its number: `service "api" {`.
fn margin(above: &str, below: usize) -> Option<(usize, &str)> {
    let lines = above.lines().rev().take(FAR).enumerate();
    let is_margin = |line: &str| !line.is_empty() && !line.starts_with([' ', '\t', '\r', '}', '/']);
    let mut lines = lines.filter(|(_, line)| is_margin(line));
    lines.next().map(|(back, line)| (below - 1 - back, line))
}

struct Drawing {
    set: &'static Set,
    look: Look,
    masker: Arc<Masker>,
    /// How wide the numbers of lines are.
    gutter: usize,
    /// The colour of this problem.
    tone: &'static str,
    out: String,
}

impl Drawing {
    fn paint(&self, sgr: &str, text: &str) -> String {
        if self.look.color { styled(&[sgr], text) } else { text.to_owned() }
    }

    fn faint(&self, text: &str) -> String {
        self.paint(FAINT, text)
    }

    /// Words of the problem, in a line and without secrets.
    fn words(&self, text: &str) -> String {
        printable::line(&self.masker.text(text)).into_owned()
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn headline(&mut self, problem: &dyn Diagnostic) {
        let symbol = if is_warning(problem) { self.set.warning } else { self.set.error };
        let symbol = self.paint(self.tone, symbol);
        let message = self.words(&problem.to_string());
        for (at, line) in wrap(&message, self.look.width - 2).iter().enumerate() {
            let lead = if at == 0 { symbol.as_str() } else { " " };
            self.line(&format!("{lead} {}", self.paint(BOLD, line)));
        }
    }

    /// A line beside the numbers.
    fn beside(&mut self, sign: &str, text: &str) {
        let sign = self.faint(sign);
        self.line(&format!("{} {sign} {text}", " ".repeat(self.gutter)));
    }

    fn places(&mut self, problem: &dyn Diagnostic, rows: &[Row<'_>]) {
        let mut last: Option<&Row<'_>> = None;
        for row in rows {
            if last.is_none_or(|last| !std::ptr::eq(last.file, row.file)) {
                let place = printable::line(&row.file.place);
                let code = match (last, problem.code()) {
                    (None, Some(code)) => self.faint(&format!("  {code}")),
                    _ => String::new(),
                };
                self.beside(self.set.begin, &format!("{place}{code}"));
            } else if last.is_some_and(|last| last.number + 1 < row.number) {
                self.beside(self.set.gap, "");
            }
            self.row(row);
            last = Some(row);
        }
    }

    fn row(&mut self, row: &Row<'_>) {
        let room = self.look.width.saturating_sub(self.gutter + 3);
        let cells = cells(row.text, &self.masker.find(row.text));
        let column =
            |byte: usize| cells.iter().take_while(|cell| cell.byte < byte).map(|c| c.width).sum();
        let whole: usize = cells.iter().map(|cell| cell.width).sum();
        let first: usize = row.marks.iter().map(|mark| column(mark.start)).min().unwrap_or(0);
        // A line that is too long begins a little before what is marked.
        let skip = first.saturating_sub(room / 3).min(whole.saturating_sub(room));
        let text = window(&cells, skip, room, self.set.cut);
        let number = self.faint(&format!("{:>width$}", row.number, width = self.gutter));
        let side = self.faint(self.set.side);
        self.line(&format!("{number} {side} {text}"));
        let mut marks: Vec<&Mark<'_>> = row.marks.iter().collect();
        marks.sort_by_key(|mark| mark.start);
        for mark in marks {
            let start = column(mark.start).saturating_sub(skip).min(room.saturating_sub(1));
            let end = column(mark.end).saturating_sub(skip).clamp(start + 1, room.max(start + 1));
            self.mark(mark, start, end, room);
        }
    }

    fn mark(&mut self, mark: &Mark<'_>, start: usize, end: usize, room: usize) {
        let stroke = if mark.own { self.set.strong } else { self.set.weak };
        let stroke = self.paint(self.tone, &stroke.repeat(end - start));
        let lead = " ".repeat(start);
        let label = |text: &str| self.paint(self.tone, text);
        let words = self.words(mark.label);
        if end + 1 + measure_text_width(&words) <= room {
            let text = format!("{lead}{stroke} {}", label(&words));
            return self.beside(self.set.side, &text);
        }
        // No room behind it: below it, as far to the left as need be.
        let lines = wrap(&words, room.saturating_sub(start).max(room.min(24)));
        let widest = lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0);
        let below = " ".repeat(start.min(room.saturating_sub(widest)));
        let lines: Vec<String> =
            lines.iter().map(|line| format!("{below}{}", label(line))).collect();
        self.beside(self.set.side, &format!("{lead}{stroke}"));
        lines.iter().for_each(|line| self.beside(self.set.side, line));
    }

    fn help(&mut self, help: &str) {
        let help = &self.words(help);
        let lead = self.gutter + 2 + measure_text_width(self.set.end);
        for (at, line) in wrap(help, self.look.width.saturating_sub(lead)).iter().enumerate() {
            match at {
                0 => self.beside(self.set.end, line),
                _ => self.line(&format!("{}{line}", " ".repeat(lead))),
            }
        }
    }
}
