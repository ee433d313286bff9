//! Lines of logs, merged: each after the coloured name of whose it is.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use super::theme::{Symbol, Theme, Tone, pad};

/// How lines of logs are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Prefixed {
        /// Whose it is before each line.
        names: bool,
        /// When it arrived before each line.
        times: bool,
    },
    /// The bytes as they came.
    Raw,
    /// One JSON object a line.
    Json,
}

/// Makes lines of logs into bytes to print.
#[derive(Debug)]
pub struct LogPrinter {
    style: Style,
    theme: Theme,
    zone: TimeZone,
    colors: BTreeMap<String, usize>,
    width: usize,
}

impl LogPrinter {
    /// A printer; `names` are the logs that are known by now.
    pub fn new<'a>(
        style: Style,
        theme: Theme,
        zone: TimeZone,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut printer = Self { style, theme, zone, colors: BTreeMap::new(), width: 0 };
        for name in names {
            printer.meet(name);
        }
        printer
    }

    /// A line, its newline included.
    pub fn line(&mut self, name: &str, at: Timestamp, text: &[u8]) -> Vec<u8> {
        let text_of = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        match self.style {
            Style::Raw => [text, b"\n"].concat(),
            Style::Json => {
                let line = serde_json::json!({ "name": name, "at": at, "line": text_of(text) });
                format!("{line}\n").into_bytes()
            }
            Style::Prefixed { names, times } => {
                let mut line = String::new();
                if times {
                    line.push_str(&self.theme.paint(Tone::Faint, self.time(at)));
                    line.push(' ');
                }
                if names {
                    line.push_str(&self.prefix(name));
                }
                line.push_str(&self.words(&text_of(text)));
                line.push('\n');
                line.into_bytes()
            }
        }
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }

    fn prefix(&mut self, name: &str) -> String {
        let color = self.meet(name);
        let name = self.theme.paint(Tone::Name(color), pad(name, self.width));
        format!("{name} {} ", self.theme.symbol(Symbol::Bar))
    }

    /// The text of a line: a service's own colours only where there are colours at all, and never
    /// beyond the end of the line.
    fn words(&self, text: &str) -> String {
        let text = text.trim_end_matches('\r');
        match (text.contains('\u{1b}'), self.theme.color) {
            (false, _) => text.to_owned(),
            (true, false) => console::strip_ansi_codes(text).into_owned(),
            (true, true) => format!("{text}\u{1b}[0m"),
        }
    }

    fn meet(&mut self, name: &str) -> usize {
        self.width = self.width.max(console::measure_text_width(name));
        let next = self.colors.len();
        *self.colors.entry(name.to_owned()).or_insert(next)
    }
}
