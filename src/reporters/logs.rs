//! Lines of logs, merged: each after the coloured name of whose it is; and between them what
//! happened to the services.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::{Timestamp, tz::TimeZone};
use regex::bytes::Regex;

use super::{
    json,
    sanitize::{is_plain, sanitize},
    structured,
    theme::{Symbol, Theme, Tone, pad},
    wording,
};
use crate::{
    event::{Event, Record},
    printable,
};

/// Names are not cut to less than that.
const NARROWEST: usize = 8;

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
    highlight: Option<Highlight>,
    colors: BTreeMap<String, usize>,
    width: usize,
    /// The most that the names may take of a line.
    most: usize,
    /// The prefixes that were made, at this width.
    prefixes: BTreeMap<String, String>,
    /// The time that was shown last, and how: batches of lines have the same.
    shown: Option<(Timestamp, String)>,
    /// Whose line has no end yet.
    unfinished: Option<String>,
    /// Something has been printed.
    begun: bool,
}

/// What is made visible, and what is set before and behind it.
#[derive(Debug, Clone)]
struct Highlight {
    regex: Regex,
    before: String,
    behind: String,
}

/// A line, without its newline; or a piece of a long one.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The log's name.
    pub name: &'a str,
    /// When it arrived.
    pub at: Timestamp,
    /// Its bytes.
    pub text: &'a [u8],
    /// Whether it is the beginning of a line.
    pub begins: bool,
    /// Whether a newline ended it.
    pub ends: bool,
}

/// A piece as an object of JSON.
#[derive(serde::Serialize)]
struct Object<'a> {
    name: &'a str,
    at: Timestamp,
    line: Cow<'a, str>,
    /// It goes on with the line of the object before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continued: bool,
    /// No newline ended it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl LogPrinter {
    /// A printer; `names` are the logs that are known by now.
    pub fn new<'a>(
        style: Style,
        theme: Theme,
        zone: TimeZone,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut printer = Self {
            style,
            theme,
            zone,
            highlight: None,
            colors: BTreeMap::new(),
            width: 0,
            most: usize::MAX,
            prefixes: BTreeMap::new(),
            shown: None,
            unfinished: None,
            begun: false,
        };
        names.for_each(|name| printer.meet(name));
        printer
    }

    /// With what matches this made visible, where there are colours.
    #[must_use]
    pub fn highlighting(mut self, highlight: Option<Regex>) -> Self {
        let painted = self.paint(Tone::Found, "x");
        let (before, behind) = painted.split_once('x').unwrap_or_default();
        self.highlight = highlight.filter(|_| self.theme.color).map(|regex| {
            let (before, behind) = (before.to_owned(), behind.to_owned());
            Highlight { regex, before, behind }
        });
        self
    }

    /// For a terminal of so many columns: long names are cut, so that there is room for lines.
    #[must_use]
    pub fn within(mut self, columns: Option<usize>) -> Self {
        self.most = columns.map_or(usize::MAX, |columns| (columns / 4).max(NARROWEST));
        self.width = self.width.min(self.most);
        self
    }

    /// Adds a line, its newline included; or a piece of one, which what goes on with it follows.
    pub fn piece(&mut self, out: &mut Vec<u8>, piece: &Piece<'_>) {
        let Piece { name, at, text, begins, ends } = *piece;
        self.begun = true;
        let goes_on = !begins && self.unfinished.as_deref() == Some(name);
        if !goes_on {
            self.end_line(out);
        }
        match self.style {
            Style::Raw => out.extend_from_slice(text),
            Style::Json => {
                let line = String::from_utf8_lossy(text);
                let object = Object { name, at, line, continued: !begins, partial: !ends };
                self.json(out, &object);
                return;
            }
            Style::Prefixed { .. } => {
                if !goes_on {
                    self.before(out, name, at);
                }
                self.words(out, text);
            }
        }
        if ends {
            out.push(b'\n');
            self.unfinished = None;
        } else if !goes_on {
            self.unfinished = Some(name.to_owned());
        }
    }

    /// Sets groups of lines apart, as grep does it.
    pub fn gap(&mut self, out: &mut Vec<u8>) {
        if self.begun && self.style != Style::Json {
            self.end_line(out);
            out.extend(self.paint(Tone::Faint, "--").into_bytes());
            out.push(b'\n');
        }
    }

    /// Ends what is printed: for people with a whole line.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.style != Style::Raw {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        if self.unfinished.take().is_some() {
            out.push(b'\n');
        }
    }

    /// Adds what happened to a service between its lines. Raw bytes have nothing between them.
    pub fn mark(&mut self, out: &mut Vec<u8>, mark: &Record) {
        if self.style == Style::Json {
            self.json(out, &json::record(mark));
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
            self.json(out, &json);
            return;
        }
        let count = |count: u64, noun| wording::count(usize::try_from(count).unwrap_or(0), noun);
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
        self.end_line(out);
        self.before(out, name, at);
        let text = self.theme.plain_words(text);
        let text = format!("{} {text}", self.theme.bare(Symbol::Rule));
        out.extend(self.paint(tone, &text).into_bytes());
        out.push(b'\n');
    }

    /// Adds an object of JSON in a line.
    fn json(&self, out: &mut Vec<u8>, object: &impl serde::Serialize) {
        // Plain data with names as keys can always be written.
        let json = serde_json::to_string(object).unwrap_or_default();
        out.extend_from_slice(printable::finish(&json).as_bytes());
        out.push(b'\n');
    }

    /// Words of our own, ready for a terminal.
    fn paint(&self, tone: Tone, text: &str) -> String {
        printable::finish(&self.theme.paint(tone, text)).into_owned()
    }

    /// Time and name, as far as they are wanted.
    fn before(&mut self, out: &mut Vec<u8>, name: &str, at: Timestamp) {
        let Style::Prefixed { names, times } = self.style else { return };
        if times {
            if self.shown.as_ref().is_none_or(|(known, _)| *known != at) {
                self.shown = Some((at, self.paint(Tone::Faint, &self.time(at)) + " "));
            }
            out.extend_from_slice(self.shown.as_ref().map_or(b"", |(_, text)| text.as_bytes()));
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
            let shown = pad(&self.cut(name), self.width);
            let shown = self.theme.paint(Tone::Name(color), shown);
            let prefix = format!("{shown} {} ", self.theme.symbol(Symbol::Bar));
            let prefix = printable::finish(&prefix).into_owned();
            self.prefixes.insert(name.to_owned(), prefix);
        }
        self.prefixes.get(name).map_or("", String::as_str)
    }

    /// A name that fits; what tells copies of a service apart is kept.
    fn cut<'b>(&self, name: &'b str) -> Cow<'b, str> {
        if console::measure_text_width(name) <= self.width {
            return Cow::Borrowed(name);
        }
        let (stem, end) = name.split_at(name.rfind('.').unwrap_or(name.len()));
        match self.width.checked_sub(console::measure_text_width(end)) {
            Some(room @ 3..) => Cow::Owned(format!("{}{end}", self.theme.fit(stem, room))),
            _ => self.theme.fit(name, self.width),
        }
    }

    /// The text of a line: JSON readable, what was searched for visible, a service's own colours
    /// only where there are colours at all, and never beyond the end of the line.
    fn words(&self, out: &mut Vec<u8>, text: &[u8]) {
        let is_json = text.first().is_some_and(|byte| matches!(byte, b'{' | b' '));
        if !is_json && is_plain(text) {
            let text = str::from_utf8(text).unwrap_or_default();
            if !self.found_in(out, text) {
                out.extend_from_slice(text.as_bytes());
            }
            return;
        }
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end_matches('\r');
        // What was overwritten on a terminal is not shown.
        let text = text.rsplit('\r').next().unwrap_or(text);
        let readable = structured::readable(text, self.theme);
        let readable = readable.map(|readable| printable::finish(&readable).into_owned());
        let bare = || match &readable {
            Some(readable) => console::strip_ansi_codes(readable),
            None => sanitize(text, false),
        };
        if self.highlight.is_none() || !self.found_in(out, &bare()) {
            let own =
                readable.as_deref().map_or_else(|| sanitize(text, self.theme.color), Cow::Borrowed);
            out.extend_from_slice(own.as_bytes());
        }
    }

    /// Adds the text with what was searched for made visible; nothing if that is not in it.
    /// Whether it is.
    fn found_in(&self, out: &mut Vec<u8>, text: &str) -> bool {
        let Some(Highlight { regex, before, behind }) = &self.highlight else { return false };
        let mut end = 0;
        for found in regex.find_iter(text.as_bytes()).filter(|found| !found.is_empty()) {
            // A part of a letter cannot be shown.
            let (Some(between), Some(found_text)) =
                (text.get(end..found.start()), text.get(found.range()))
            else {
                continue;
            };
            let parts = [between, before, found_text, behind];
            parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
            end = found.end();
        }
        if end > 0 {
            out.extend_from_slice(&text.as_bytes()[end..]);
        }
        end > 0
    }

    fn meet(&mut self, name: &str) {
        let width = self.width.max(console::measure_text_width(name).min(self.most));
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
        Event::Spawned { pid, .. } | Event::Running { pid, .. } => {
            (format!("started{}, pid {pid}", generation.unwrap_or_default()), Tone::Strong)
        }
        Event::Ready { unhealthy_ms: Some(unhealthy), .. } => {
            (wording::healthy_again(*unhealthy), Tone::Good)
        }
        // That it has started stands before its first line.
        Event::Ready { checked: false, .. } => {
            ("still running; nothing checks it".into(), Tone::Good)
        }
        Event::Ready { after_ms, .. } => {
            (format!("ready after {}", wording::millis(*after_ms)), Tone::Good)
        }
        Event::Stopping => (format!("stopping ({})", wording::cause(&mark.cause)), Tone::Faint),
        Event::Exited { exit, expected, .. } => {
            (format!("ended: {exit}"), if *expected { Tone::Faint } else { Tone::Warn })
        }
        Event::Failed { reason, .. } => (format!("failed: {}", wording::reason(reason)), Tone::Bad),
        _ => (String::new(), Tone::Faint),
    }
}
