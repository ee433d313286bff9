//! Why something is not ready: the chain from what was asked about to its root.

use super::theme::{NARROWEST, Symbol, Theme, Tone, wrap};
use crate::{
    core::stack::{Why, WhyLink},
    printable,
};

/// The chain; `place` says where in the file a setting stands. Lines that are wider than `columns`
/// are broken between words.
pub fn show(
    why: &Why,
    theme: Theme,
    columns: Option<usize>,
    place: impl Fn(&str) -> Option<String>,
) -> String {
    let mut text = String::new();
    let last = why.links.len().saturating_sub(1);
    for (depth, link) in why.links.iter().enumerate() {
        let indent = "  ".repeat(depth);
        for line in link_lines(link, depth == last, theme, &place) {
            let parts = line.within(columns.map(|columns| columns.saturating_sub(indent.len())));
            parts.iter().for_each(|line| text.push_str(&format!("{indent}{line}\n")));
        }
    }
    text
}

/// A line that may have to be broken.
struct Line {
    /// What stands before it, …
    first: String,
    /// … and before what did not fit.
    rest: String,
    words: String,
}

impl Line {
    fn new(first: &str, rest: &str, words: impl Into<String>) -> Self {
        Self { first: first.to_owned(), rest: rest.to_owned(), words: words.into() }
    }

    fn within(&self, columns: Option<usize>) -> Vec<String> {
        let Self { first, rest, words } = self;
        let whole = format!("{first}{words}");
        let width = console::measure_text_width;
        match columns.filter(|columns| width(&whole) > *columns) {
            None => vec![whole],
            Some(columns) => {
                let room = columns.saturating_sub(width(first).max(width(rest))).max(NARROWEST);
                let parts = wrap(words, room).into_iter().enumerate();
                let prefix = |number| if number == 0 { first } else { rest };
                parts.map(|(number, part)| format!("{}{part}", prefix(number))).collect()
            }
        }
    }
}

fn link_lines(
    link: &WhyLink,
    is_root: bool,
    theme: Theme,
    place: &impl Fn(&str) -> Option<String>,
) -> Vec<Line> {
    let symbol = match link.state.as_str() {
        "ready" | "done" | "skipped" => Symbol::Good,
        "failed" | "unhealthy" | "backoff" => Symbol::Bad,
        _ => Symbol::Arrow,
    };
    let name = theme.paint(Tone::Strong, &link.name);
    let because = theme.plain_words(&link.because);
    // `waiting` and `waiting for api` would say the same twice.
    let state = match link.state.as_str() {
        state if because.starts_with(state) => format!("is {because}"),
        "failed" => format!("has failed: {because}"),
        // `is ready: it is ready` would, too.
        "ready" | "done" => because.trim_start_matches("it ").to_owned(),
        "running" if because == "it runs" => "is running".to_owned(),
        "exited" | "backoff" => format!("has ended: {because}"),
        state => format!("is {state}: {because}"),
    };
    let headline = format!("{} {name} {state}", theme.symbol(symbol));
    let mut lines = vec![Line::new("", "  ", headline)];
    let bar = format!("  {} ", theme.symbol(Symbol::Bar));
    // What the headline says needs no evidence of the same words.
    let evidence = link.evidence.iter().filter(|evidence| !link.because.contains(&**evidence));
    lines.extend(evidence.flat_map(|evidence| evidence.lines()).map(|line| {
        let line = console::strip_ansi_codes(line);
        Line::new(&bar, &bar, line)
    }));
    if let Some(setting) = &link.setting {
        let place = place(setting).map(|place| format!(" ({place})")).unwrap_or_default();
        let words = format!("set by {setting}{place}");
        let words = theme.paint(Tone::Faint, printable::line(&words));
        lines.push(Line::new("  ", "    ", words));
    }
    // What to do is said once, where the cause is.
    if is_root {
        let hints = link.advice.iter().chain(&link.next);
        let hints = hints.map(|words| super::summary::hint(&printable::line(words), theme));
        lines.extend(hints.map(|hint| Line::new("  ", "    ", hint.trim_start())));
    }
    lines
}
