//! Lines of logs, merged: each after the coloured name of whose it is; and between them what
//! happened to the services.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::{Timestamp, tz::TimeZone};
use regex::bytes::Regex;

use super::{
    events, structured,
    theme::{Symbol, Theme, Tone, pad},
    words,
};
use crate::event::{Event, Record};

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
#[derive(Debug, Clone)]
pub struct LogPrinter {
    style: Style,
    theme: Theme,
    zone: TimeZone,
    highlight: Option<Regex>,
    colors: BTreeMap<String, usize>,
    width: usize,
    /// The prefixes that were made, at this width.
    prefixes: BTreeMap<String, String>,
}

impl LogPrinter {
    /// A printer; `names` are the logs that are known by now.
    pub fn new<'a>(
        style: Style,
        theme: Theme,
        zone: TimeZone,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (colors, prefixes) = (BTreeMap::new(), BTreeMap::new());
        let mut printer = Self { style, theme, zone, highlight: None, colors, width: 0, prefixes };
        names.for_each(|name| printer.meet(name));
        printer
    }

    /// With what matches this made visible.
    #[must_use]
    pub fn highlighting(mut self, highlight: Option<Regex>) -> Self {
        self.highlight = highlight;
        self
    }

    /// Adds a line, its newline included.
    pub fn line(&mut self, out: &mut Vec<u8>, name: &str, at: Timestamp, text: &[u8]) {
        match self.style {
            Style::Raw => out.extend_from_slice(text),
            Style::Json => {
                let text = String::from_utf8_lossy(text);
                let line = serde_json::json!({ "name": name, "at": at, "line": text });
                out.extend(line.to_string().into_bytes());
            }
            Style::Prefixed { .. } => {
                self.before(out, name, at);
                out.extend_from_slice(self.words(&String::from_utf8_lossy(text)).as_bytes());
            }
        }
        out.push(b'\n');
    }

    /// Adds what happened to a service between its lines. Raw bytes have nothing between them.
    pub fn mark(&mut self, out: &mut Vec<u8>, mark: &Record) {
        if self.style == Style::Json {
            let json = serde_json::to_string(mark).unwrap_or_default();
            out.extend(json.into_bytes());
            out.push(b'\n');
        } else {
            let (text, tone) = text_of(mark);
            let name = mark.name.as_deref().unwrap_or_default();
            self.between(out, name, mark.at, &text, tone);
        }
    }

    /// Adds what is not shown: lines that were skipped, files that had been removed.
    pub fn spared(&mut self, out: &mut Vec<u8>, name: &str, at: Timestamp, spared: (u64, u64)) {
        let (lines, files) = spared;
        if self.style == Style::Json {
            let json = serde_json::json!({
                "name": name, "at": at, "spared_lines": lines, "spared_files": files
            });
            out.extend(format!("{json}\n").into_bytes());
            return;
        }
        let count = |count: u64, noun| words::count(usize::try_from(count).unwrap_or(0), noun);
        if lines > 0 {
            let text = format!("{} left out: they came too fast to be shown", count(lines, "line"));
            self.between(out, name, at, &text, Tone::Warn);
        }
        if files > 0 {
            let text = format!("{} removed before it could be shown", count(files, "rotated file"));
            self.between(out, name, at, &text, Tone::Warn);
        }
    }

    fn between(&mut self, out: &mut Vec<u8>, name: &str, at: Timestamp, text: &str, tone: Tone) {
        if self.style == Style::Raw {
            return;
        }
        self.before(out, name, at);
        let text = self.theme.plain_words(text);
        let text = format!("{} {text}", self.theme.bare(Symbol::Rule));
        out.extend(self.theme.paint(tone, text).into_bytes());
        out.push(b'\n');
    }

    /// Time and name, as far as they are wanted.
    fn before(&mut self, out: &mut Vec<u8>, name: &str, at: Timestamp) {
        let Style::Prefixed { names, times } = self.style else { return };
        if times {
            out.extend(self.theme.paint(Tone::Faint, self.time(at)).into_bytes());
            out.push(b' ');
        }
        if names {
            out.extend_from_slice(self.prefix(name).as_bytes());
        }
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }

    fn prefix(&mut self, name: &str) -> &str {
        if !self.prefixes.contains_key(name) {
            self.meet(name);
            let color = self.colors.get(name).copied().unwrap_or(0);
            let shown = self.theme.paint(Tone::Name(color), pad(name, self.width));
            let prefix = format!("{shown} {} ", self.theme.symbol(Symbol::Bar));
            self.prefixes.insert(name.to_owned(), prefix);
        }
        self.prefixes.get(name).map_or("", String::as_str)
    }

    /// The text of a line: JSON readable, what was searched for visible, a service's own colours
    /// only where there are colours at all, and never beyond the end of the line.
    fn words<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = text.trim_end_matches('\r');
        // What was overwritten on a terminal is not shown.
        let text = text.rsplit('\r').next().unwrap_or(text);
        let found = |text: &str| self.highlighted(&console::strip_ansi_codes(text)).map(Cow::Owned);
        match structured::readable(text, self.theme) {
            Some(readable) => found(&readable).unwrap_or(Cow::Owned(readable)),
            None => found(text).unwrap_or_else(|| self.own_colors(text)),
        }
    }

    fn own_colors<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match (text.contains('\u{1b}'), self.theme.color) {
            (false, _) => Cow::Borrowed(text),
            (true, false) => console::strip_ansi_codes(text),
            // Colours, and nothing else that a terminal would do.
            (true, true) => {
                let parts = console::AnsiCodeIterator::new(text);
                let kept = parts.filter(|(part, is_code)| !is_code || part.ends_with('m'));
                let kept: String = kept.map(|(part, _)| part).collect();
                Cow::Owned(format!("{kept}\u{1b}[0m"))
            }
        }
    }

    /// What was searched for made visible; `None` if there is nothing of it, or are no colours.
    fn highlighted(&self, text: &str) -> Option<String> {
        let regex = self.highlight.as_ref().filter(|_| self.theme.color)?;
        let mut shown = String::new();
        let mut end = 0;
        for found in regex.find_iter(text.as_bytes()).filter(|found| !found.is_empty()) {
            shown.push_str(text.get(end..found.start())?);
            shown.push_str(&self.theme.paint(Tone::Found, text.get(found.range())?));
            end = found.end();
        }
        shown.push_str(text.get(end..)?);
        (end > 0).then_some(shown)
    }

    fn meet(&mut self, name: &str) {
        let width = self.width.max(console::measure_text_width(name));
        if width > self.width {
            self.width = width;
            self.prefixes.clear();
        }
        let next = self.colors.len();
        self.colors.entry(name.to_owned()).or_insert(next);
    }
}

fn text_of(mark: &Record) -> (String, Tone) {
    let generation = mark.generation.map(|number| format!(" (generation {number})"));
    match &mark.event {
        Event::Spawned { pid } | Event::Running { pid } => {
            (format!("started{}, pid {pid}", generation.unwrap_or_default()), Tone::Strong)
        }
        Event::Ready { after_ms } => {
            (format!("ready after {}", words::millis(*after_ms)), Tone::Good)
        }
        Event::Stopping => (format!("stopping ({})", events::cause_of(&mark.cause)), Tone::Faint),
        Event::Exited { exit, expected, .. } => {
            (format!("ended: {exit}"), if *expected { Tone::Faint } else { Tone::Warn })
        }
        Event::Failed { reason, .. } => (format!("failed: {reason}"), Tone::Bad),
        _ => (String::new(), Tone::Faint),
    }
}
