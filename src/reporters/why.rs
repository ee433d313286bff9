//! Why something is not ready: the chain from what was asked about to its root.

use super::theme::{Symbol, Theme, Tone};
use crate::supervisor::{Why, WhyLink};

/// The chain; `place` says where in the file a setting stands.
pub fn show(why: &Why, theme: Theme, place: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let last = why.links.len().saturating_sub(1);
    for (depth, link) in why.links.iter().enumerate() {
        let indent = "  ".repeat(depth);
        link_lines(link, depth == last, theme, &place)
            .iter()
            .for_each(|line| text.push_str(&format!("{indent}{line}\n")));
    }
    text
}

fn link_lines(
    link: &WhyLink,
    is_root: bool,
    theme: Theme,
    place: &impl Fn(&str) -> Option<String>,
) -> Vec<String> {
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
        "ready" | "done" => format!("is {}", because.trim_start_matches("it is ")),
        "running" if because == "it runs" => "is running".to_owned(),
        "exited" | "backoff" => format!("has ended: {because}"),
        state => format!("is {state}: {because}"),
    };
    let mut lines = vec![format!("{} {name} {state}", theme.symbol(symbol))];
    let bar = theme.symbol(Symbol::Bar);
    // What the headline says needs no evidence of the same words.
    let evidence = link.evidence.iter().filter(|evidence| **evidence != link.because);
    lines.extend(evidence.flat_map(|evidence| evidence.lines()).map(|line| {
        let line = console::strip_ansi_codes(line);
        format!("  {bar} {line}")
    }));
    if let Some(setting) = &link.setting {
        let place = place(setting).map(|place| format!(" ({place})")).unwrap_or_default();
        lines.push(theme.paint(Tone::Faint, format!("  set by {setting}{place}")));
    }
    // What to do is said once, where the cause is.
    if is_root {
        lines.extend(link.advice.iter().map(|advice| super::summary::hint(advice, theme)));
        lines.extend(link.next.iter().map(|next| super::summary::hint(next, theme)));
    }
    lines
}
