//! Colours and symbols: the one place that decides how things look.

use std::borrow::Cow;

use crate::printable;
pub(crate) use crate::printable::wrap;

/// How a stream is written to: with or without colour, with symbols or with ASCII alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Whether to colour.
    pub color: bool,
    /// Whether the locale has more than ASCII.
    pub unicode: bool,
}

/// What a piece of text wants to say by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Something failed.
    Bad,
    /// Something wants attention.
    Warn,
    /// Something is on the way.
    Busy,
    /// Less important than what is around it.
    Faint,
    /// More important than what is around it.
    Strong,
    /// What was searched for.
    Found,
    /// The name of the n-th service.
    Name(usize),
}

/// A symbol before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// It worked.
    Good,
    /// It failed.
    Bad,
    /// Attention.
    Warn,
    /// Neither good nor bad: stopped, skipped.
    Idle,
    /// A step towards something.
    Arrow,
    /// A gap.
    Dots,
    /// Separates the facts of a line.
    Dot,
    /// Before a line of somebody's log.
    Bar,
    /// Before what happened between two lines.
    Rule,
    /// Part of the chain that took longest.
    Chain,
}

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const ASCII_SPINNER: [&str; 4] = ["|", "/", "-", "\\"];

impl Theme {
    /// Neither colour nor symbols: for tests and files.
    pub const PLAIN: Self = Self { color: false, unicode: false };

    /// The text in its colour.
    pub fn paint(self, tone: Tone, text: impl AsRef<str>) -> String {
        if !self.color {
            return text.as_ref().to_owned();
        }
        // Parameters of SGR (ECMA-48, 8.3.117).
        let sgr: &[&str] = match tone {
            Tone::Good => &["32"],
            Tone::Bad => &["31"],
            Tone::Warn => &["33"],
            Tone::Busy => &["36"],
            Tone::Faint => &["2"],
            Tone::Strong => &["1"],
            Tone::Found => &["31", "1"],
            Tone::Name(index) => match index % 6 {
                0 => &["36"],
                1 => &["33"],
                2 => &["32"],
                3 => &["35"],
                4 => &["34"],
                _ => &["96"],
            },
        };
        printable::styled(sgr, text.as_ref())
    }

    /// The symbol, coloured.
    pub fn symbol(self, symbol: Symbol) -> String {
        let tone = match symbol {
            Symbol::Good => Tone::Good,
            Symbol::Bad => Tone::Bad,
            Symbol::Warn => Tone::Warn,
            Symbol::Idle
            | Symbol::Arrow
            | Symbol::Dots
            | Symbol::Dot
            | Symbol::Bar
            | Symbol::Rule => Tone::Faint,
            Symbol::Chain => Tone::Warn,
        };
        self.paint(tone, self.bare(symbol))
    }

    /// The symbol without colour.
    pub fn bare(self, symbol: Symbol) -> &'static str {
        let (symbol, ascii) = match symbol {
            Symbol::Good => ("✔", "+"),
            Symbol::Bad => ("✘", "x"),
            Symbol::Warn => ("▲", "!"),
            Symbol::Idle => ("■", "-"),
            Symbol::Arrow => ("→", "->"),
            Symbol::Dots => ("…", "..."),
            Symbol::Dot => ("·", "-"),
            Symbol::Bar => ("│", "|"),
            Symbol::Rule => ("──", "--"),
            Symbol::Chain => ("▶", "*"),
        };
        if self.unicode { symbol } else { ascii }
    }

    /// The spinner's picture at its n-th step.
    pub fn spinner(self, step: usize) -> String {
        let picture = match self.unicode {
            true => SPINNER[step % SPINNER.len()],
            false => ASCII_SPINNER[step % ASCII_SPINNER.len()],
        };
        self.paint(Tone::Busy, picture)
    }

    /// The text cut to a width, colours intact.
    pub fn fit(self, text: &str, width: usize) -> Cow<'_, str> {
        let dots = self.bare(Symbol::Dots);
        match width > console::measure_text_width(dots) {
            true => console::truncate_str(text, width, dots),
            false => console::truncate_str(text, width, ""),
        }
    }

    /// The text as a part of a line, its symbols replaced where only ASCII can be shown.
    pub fn plain_words<'a>(self, text: &'a str) -> Cow<'a, str> {
        let text = printable::line(text);
        match self.unicode || text.is_ascii() {
            true => text,
            false => text.replace('→', "->").replace('…', "...").into(),
        }
    }
}

/// The text filled up with spaces to a width, colours not counted.
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(console::measure_text_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The text filled up with spaces in front.
pub fn pad_left(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(console::measure_text_width(text));
    format!("{}{text}", " ".repeat(missing))
}

/// What is left of a narrow terminal for words, at least.
pub const NARROWEST: usize = 12;

/// The text as it stands where it fits, or where no width is known; else as [`wrap`] breaks it.
pub fn fit(text: &str, width: Option<usize>) -> Vec<String> {
    match width.filter(|width| console::measure_text_width(text) > *width) {
        Some(width) => wrap(text, width),
        None => vec![text.to_owned()],
    }
}
