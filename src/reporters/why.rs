//! Why something is not ready: the chain from what was asked about to its root.

use super::{
    theme::{NARROWEST, Symbol, Theme, Tone, wrap},
    wording,
};
use crate::{
    core::stack::{Why, WhyLink},
    model::{ServiceState, State, TaskState},
    printable,
    status::Because,
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
    let name = theme.paint(Tone::Strong, &link.name);
    let state = state_of(link);
    let headline =
        format!("{} {name} {}", theme.symbol(symbol(link.state)), theme.plain_words(&state));
    let mut lines = vec![Line::new("", "  ", headline)];
    let bar = format!("  {} ", theme.symbol(Symbol::Bar));
    for evidence in link.evidence.iter().map(wording::evidence) {
        let evidence = evidence.lines().map(console::strip_ansi_codes);
        lines.extend(evidence.map(|line| Line::new(&bar, &bar, theme.plain_words(&line))));
    }
    if let Some(setting) = &link.setting {
        let place = place(setting).map(|place| format!(" ({place})")).unwrap_or_default();
        let words = format!("set by {setting}{place}");
        let words = theme.paint(Tone::Faint, printable::line(&words));
        lines.push(Line::new("  ", "    ", words));
    }
    // What to do is said once, where the cause is.
    if is_root {
        let advice = link.advice.iter().map(wording::advice);
        let hints = advice.chain(link.next.iter().cloned());
        let hints = hints.map(|words| super::summary::hint(&printable::line(&words), theme));
        lines.extend(hints.map(|hint| Line::new("  ", "    ", hint.trim_start())));
    }
    lines
}

fn symbol(state: State) -> Symbol {
    match state {
        State::Service(ServiceState::Ready) | State::Task(TaskState::Done | TaskState::Skipped) => {
            Symbol::Good
        }
        State::Service(ServiceState::Failed | ServiceState::Unhealthy | ServiceState::Backoff)
        | State::Task(TaskState::Failed) => Symbol::Bad,
        State::Service(
            ServiceState::Idle
            | ServiceState::Waiting
            | ServiceState::Starting
            | ServiceState::Stopping
            | ServiceState::Exited,
        )
        | State::Task(TaskState::Idle | TaskState::Waiting | TaskState::Running) => Symbol::Arrow,
    }
}

/// What is to be said of a state: `is waiting for api`, `has failed: exit 1`.
fn state_of(link: &WhyLink) -> String {
    let because = link.because.as_ref().map(wording::because);
    let with = |state: &str, otherwise: &str| match &because {
        Some(because) => format!("{state}: {because}"),
        None => otherwise.to_owned(),
    };
    match link.state {
        State::Service(ServiceState::Ready) if !link.checked => {
            with("has started", "has started, and nothing checks more than that")
        }
        State::Service(ServiceState::Ready) => with("is ready", "is ready"),
        State::Service(ServiceState::Idle) => with("is idle", "is idle: nothing asks for it"),
        State::Task(TaskState::Idle) => with("is idle", "is idle: nothing has asked for it yet"),
        State::Service(ServiceState::Waiting) | State::Task(TaskState::Waiting) => match &because {
            Some(because) => format!("is {because}"),
            None => "is about to start".to_owned(),
        },
        State::Service(ServiceState::Starting) => with("is starting", "is starting"),
        State::Service(ServiceState::Unhealthy) => with("is unhealthy", "is unhealthy"),
        State::Service(ServiceState::Stopping) => with("is stopping", "is stopping"),
        State::Service(ServiceState::Backoff) => match &link.because {
            Some(Because::Backoff { reason, again_in_ms }) => {
                wording::tried_again(reason, *again_in_ms, None)
            }
            Some(_) | None => "is about to start again".to_owned(),
        },
        State::Service(ServiceState::Exited) => with("has ended", "has ended"),
        State::Service(ServiceState::Failed) | State::Task(TaskState::Failed) => {
            with("has failed", "has failed")
        }
        State::Task(TaskState::Running) => with("is running", "is running"),
        State::Task(TaskState::Done) => with("is done", "is done"),
        State::Task(TaskState::Skipped) => with("was skipped", "was skipped"),
    }
}
