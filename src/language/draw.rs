//! Problems drawn for people: the message, the lines that it is about and where they stand, what
//! is to be said of which characters, the mend. As few lines as will do, in any width.

use console::{Style, measure_text_width};

use super::report::{Finding, Look};

/// How far up a line is looked for that says what a line belongs to.
const FAR: usize = 500;

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
    file: &'a str,
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

/// A problem in lines, each with a newline.
pub(super) fn draw(finding: &Finding, look: Look) -> String {
    let set = if look.unicode { &UNICODE } else { &ASCII };
    let rows = rows(finding);
    let gutter = rows.iter().map(|row| row.number.to_string().len()).max().unwrap_or(1);
    let mut drawing = Drawing { set, look, gutter, tone: tone(finding, look), out: String::new() };
    drawing.headline(finding);
    drawing.places(finding, &rows);
    if let Some(help) = &finding.help {
        drawing.help(help);
    }
    drawing.out
}

fn tone(finding: &Finding, look: Look) -> Style {
    let style = Style::new().force_styling(look.color);
    if finding.is_warning() { style.yellow() } else { style.red() }
}

/// The lines that are marked, in the order of the files and lines; before one that is indented
/// the line at the margin that it belongs to.
fn rows(finding: &Finding) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (at, place) in finding.places.iter().enumerate() {
        let (text, start) = &finding.texts[at];
        let line_start = text[..*start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let mark = |length: usize| Mark {
            start: start - line_start,
            end: (start - line_start + length).min(line.len()),
            label: &place.label,
            own: at == 0,
        };
        let length = text[*start..].chars().take(place.length).map(char::len_utf8).sum();
        let row = |number, text| Row { file: &place.file, number, text, marks: Vec::new() };
        let known = |rows: &[Row<'_>], number: usize| {
            rows.iter().position(|row| row.file == place.file && row.number == number)
        };
        if line.starts_with([' ', '\t'])
            && let Some((number, margin)) = margin(&text[..line_start], place.line)
            && known(&rows, number).is_none()
        {
            rows.push(row(number, margin));
        }
        let index = known(&rows, place.line).unwrap_or_else(|| {
            rows.push(row(place.line, line));
            rows.len() - 1
        });
        rows[index].marks.push(mark(length));
    }
    // The files as they come, the problem's own first.
    let files: Vec<&str> = rows.iter().map(|row| row.file).collect();
    let order = |file: &str| files.iter().position(|known| *known == file);
    rows.sort_by_key(|row| (order(row.file), row.number));
    rows
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
    /// How wide the numbers of lines are.
    gutter: usize,
    tone: Style,
    out: String,
}

impl Drawing {
    fn faint(&self, text: &str) -> String {
        Style::new().force_styling(self.look.color).dim().apply_to(text).to_string()
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn headline(&mut self, finding: &Finding) {
        let symbol = if finding.is_warning() { self.set.warning } else { self.set.error };
        let symbol = self.tone.apply_to(symbol).to_string();
        let bold = Style::new().force_styling(self.look.color).bold();
        for (at, line) in wrap(&finding.message, self.look.width - 2).iter().enumerate() {
            let lead = if at == 0 { symbol.as_str() } else { " " };
            self.line(&format!("{lead} {}", bold.apply_to(line)));
        }
    }

    /// A line beside the numbers.
    fn beside(&mut self, sign: &str, text: &str) {
        let sign = self.faint(sign);
        self.line(&format!("{} {sign} {text}", " ".repeat(self.gutter)));
    }

    fn places(&mut self, finding: &Finding, rows: &[Row<'_>]) {
        let mut last: Option<&Row<'_>> = None;
        for row in rows {
            if last.is_none_or(|last| last.file != row.file) {
                let first = finding.places.iter().find(|place| place.file == row.file);
                let Some(first) = first else { continue };
                let place = format!("{}:{}:{}", first.file, first.line, first.column);
                let code = match last {
                    None => self.faint(&format!("  {}", finding.code)),
                    Some(_) => String::new(),
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
        let cells = cells(row.text);
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
        let stroke = self.tone.apply_to(stroke.repeat(end - start)).to_string();
        let lead = " ".repeat(start);
        let label = |text: &str| self.tone.apply_to(text).to_string();
        if end + 1 + measure_text_width(mark.label) <= room {
            let text = format!("{lead}{stroke} {}", label(mark.label));
            return self.beside(self.set.side, &text);
        }
        // No room behind it: below it, as far to the left as need be.
        let lines = wrap(mark.label, room.saturating_sub(start).max(room.min(24)));
        let widest = lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0);
        let below = " ".repeat(start.min(room.saturating_sub(widest)));
        let lines: Vec<String> =
            lines.iter().map(|line| format!("{below}{}", label(line))).collect();
        self.beside(self.set.side, &format!("{lead}{stroke}"));
        lines.iter().for_each(|line| self.beside(self.set.side, line));
    }

    fn help(&mut self, help: &str) {
        let lead = self.gutter + 2 + measure_text_width(self.set.end);
        for (at, line) in wrap(help, self.look.width.saturating_sub(lead)).iter().enumerate() {
            match at {
                0 => self.beside(self.set.end, line),
                _ => self.line(&format!("{}{line}", " ".repeat(lead))),
            }
        }
    }
}

/// A character as it is shown.
struct Cell {
    byte: usize,
    shown: String,
    width: usize,
}

/// The characters of a line: a tab is four spaces, what cannot be seen is a `·`.
fn cells(line: &str) -> Vec<Cell> {
    let cell = |(byte, char): (usize, char)| {
        let shown = match char {
            '\t' => "    ".to_owned(),
            '\u{feff}' => String::new(),
            char if char.is_control() => "·".to_owned(),
            char => char.to_string(),
        };
        Cell { byte, width: measure_text_width(&shown), shown }
    };
    line.char_indices().map(cell).collect()
}

/// What is seen of a line from column `skip` on in `room` columns.
fn window(cells: &[Cell], skip: usize, room: usize, cut: &str) -> String {
    let whole: usize = cells.iter().map(|cell| cell.width).sum();
    let cut_width = measure_text_width(cut);
    let from = if skip > 0 { skip + cut_width } else { 0 };
    let to = if whole > skip + room { skip + room - cut_width } else { whole };
    let mut out = String::new();
    let (mut at, mut seen) = (0, 0);
    if skip > 0 {
        out.push_str(cut);
        seen = cut_width;
    }
    for cell in cells {
        if at >= from && at + cell.width <= to {
            // A wide character that the cut went through.
            out.push_str(&" ".repeat((at - skip).saturating_sub(seen)));
            out.push_str(&cell.shown);
            seen = at - skip + cell.width;
        }
        at += cell.width;
    }
    if to < whole {
        out.push_str(cut);
    }
    out
}

/// The text in lines of at most `width` columns, broken between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("never empty");
        let used = measure_text_width(last);
        if used > 0 && used + 1 + measure_text_width(word) > width {
            lines.push(word.to_owned());
        } else {
            if used > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_seen_around_its_mark() {
        let shown = |text: &str, skip, room| window(&cells(text), skip, room, "…");
        assert_eq!(shown("abcdef", 0, 6), "abcdef");
        assert_eq!(shown("abcdefgh", 0, 6), "abcde…");
        assert_eq!(shown("abcdefghij", 2, 6), "…defg…");
        assert_eq!(shown("abcdefghij", 4, 6), "…fghij");
        assert_eq!(shown("\ta\u{7}日", 0, 20), "    a·日");
        assert_eq!(shown("ab日c", 2, 4), "… c");
    }

    #[test]
    fn words_are_not_broken() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 4), ["unbreakable"]);
    }
}
