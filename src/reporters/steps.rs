//! The steps of a task, as far as they have got.

use jiff::Timestamp;

use super::{
    theme::{Symbol, Theme, Tone, pad, pad_left, wrap},
    view::Frame,
    wording,
};
use crate::{
    model::{Task, TaskBody},
    printable, secrets,
};

/// One step of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Its name.
    pub name: String,
    /// Whether it is one of `on-failure`.
    pub on_failure: bool,
    /// How far it has got.
    pub state: StepState,
}

/// How far a step has got.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// It did not begin (yet).
    Waiting,
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// It went well.
    Done {
        /// How long it took.
        after_ms: u64,
    },
    /// It failed.
    Failed {
        /// How long it took.
        after_ms: u64,
        /// Why, in a few words.
        why: String,
    },
}

/// All steps of a task, in order; those of `on-failure` once they begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steps(pub Vec<StepRow>);

impl Steps {
    /// The steps that a task declares.
    pub fn of(task: &Task) -> Self {
        match &task.body {
            TaskBody::Command(_) => Self::default(),
            TaskBody::Steps(steps) => Self(
                steps
                    .iter()
                    .map(|step| StepRow {
                        // As the records have it.
                        name: secrets::masker().text(&step.name).into_owned(),
                        on_failure: false,
                        state: StepState::Waiting,
                    })
                    .collect(),
            ),
        }
    }

    /// A run begins, or another try of it.
    pub(super) fn begin(&mut self) {
        self.0.retain(|step| !step.on_failure);
        self.0.iter_mut().for_each(|step| step.state = StepState::Waiting);
    }

    /// Takes in what became of a step; its place.
    pub(super) fn set(&mut self, name: &str, on_failure: bool, state: StepState) -> usize {
        let known = |step: &StepRow| step.name == name && step.on_failure == on_failure;
        match self.0.iter().position(known) {
            Some(place) => {
                self.0[place].state = state;
                place
            }
            None => {
                self.0.push(StepRow { name: name.to_owned(), on_failure, state });
                self.0.len() - 1
            }
        }
    }

    /// A step with its place among those like it: `apply (2 of 3)`, `undo (on-failure)`.
    pub(super) fn placed(&self, place: usize) -> String {
        let step = &self.0[place];
        if step.on_failure {
            return format!("{} (on-failure)", step.name);
        }
        let all = self.0.iter().filter(|step| !step.on_failure).count();
        format!("{} ({} of {all})", step.name, place + 1)
    }

    /// The step that runs, with its place.
    pub(super) fn running(&self) -> Option<String> {
        let running = |step: &StepRow| matches!(step.state, StepState::Running { .. });
        self.0.iter().position(running).map(|place| self.placed(place))
    }

    /// The steps that did not run.
    pub(super) fn left_out(&self) -> Vec<String> {
        let waiting = self.0.iter().filter(|step| step.state == StepState::Waiting);
        waiting.map(|step| step.name.clone()).collect()
    }

    /// A line for each step: what runs with its time, what is over with how long it took. As many
    /// as fit in `rows`, around the one that runs.
    pub(super) fn live(&self, rows: usize, frame: &Frame) -> Vec<String> {
        let running =
            self.0.iter().position(|step| matches!(step.state, StepState::Running { .. }));
        let last = running.unwrap_or(0) + 1 + rows / 3;
        let first = last.min(self.0.len()).saturating_sub(rows.max(1));
        let shown = self.0.iter().skip(first).take(rows.max(1));
        let time = |since: Timestamp| wording::ticking(wording::between(since, frame.now));
        shown
            .flat_map(|step| {
                let spinner = frame.theme.spinner(frame.step);
                step.lines(self, Some((spinner, &time)), false, frame.size.columns, frame.theme)
            })
            .map(|line| frame.theme.fit(&line, frame.size.columns).into_owned())
            .collect()
    }

    /// The same once the task is over.
    pub(super) fn settled(&self, columns: Option<usize>, theme: Theme) -> Vec<String> {
        let columns = columns.unwrap_or(usize::MAX);
        self.0.iter().flat_map(|step| step.lines(self, None, true, columns, theme)).collect()
    }

    fn name_width(&self) -> usize {
        let names = self.0.iter().map(|step| printable::line(&step.name));
        let widths = names.map(|name| console::measure_text_width(&name));
        widths.max().unwrap_or(0).min(24)
    }
}

/// The spinner, and how to word the time since a moment.
type Clock<'a> = Option<(String, &'a dyn Fn(Timestamp) -> String)>;

impl StepRow {
    fn lines(
        &self,
        all: &Steps,
        clock: Clock<'_>,
        over: bool,
        columns: usize,
        theme: Theme,
    ) -> Vec<String> {
        let width = all.name_width();
        let (symbol, time, text, tone) = match &self.state {
            StepState::Waiting => {
                let text = if over { "not run" } else { "" };
                (theme.symbol(Symbol::Dot), String::new(), text.to_owned(), Some(Tone::Faint))
            }
            StepState::Running { since } => match clock {
                Some((spinner, time)) => (spinner, time(*since), String::new(), None),
                None => (theme.symbol(Symbol::Warn), String::new(), "not ended".into(), None),
            },
            StepState::Done { after_ms } => {
                (theme.symbol(Symbol::Good), wording::millis(*after_ms), String::new(), None)
            }
            StepState::Failed { after_ms, why } => {
                let time = wording::millis(*after_ms);
                (theme.symbol(Symbol::Bad), time, why.clone(), Some(Tone::Bad))
            }
        };
        let undo = if self.on_failure { "on-failure" } else { "" };
        let text = [undo, &text].into_iter().filter(|text| !text.is_empty());
        let text = text.collect::<Vec<_>>().join(": ");
        let name = pad(&theme.fit(&printable::line(&self.name), width), width);
        let start = format!("{symbol} {name}  {}", pad_left(&time, 6));
        if text.is_empty() {
            return vec![start.trim_end().to_owned()];
        }
        // A reason is broken, never cut.
        let indent = console::measure_text_width(&start) + 2;
        let room = columns.saturating_sub(indent).max(8);
        let parts = wrap(&theme.plain_words(&text), room);
        let lines = parts.into_iter().enumerate().map(|(number, part)| {
            let part = tone.map_or(part.clone(), |tone| theme.paint(tone, part));
            match number {
                0 => format!("{start}  {part}"),
                _ => format!("{}{part}", " ".repeat(indent)),
            }
        });
        lines.collect()
    }

    /// What became of it, where there is a line for each change.
    pub(super) fn changed(&self) -> Option<(Symbol, String)> {
        let undo = if self.on_failure { " (on-failure)" } else { "" };
        let name = &self.name;
        match &self.state {
            StepState::Waiting | StepState::Running { .. } => None,
            StepState::Done { after_ms } => {
                let after = wording::millis(*after_ms);
                Some((Symbol::Good, format!("step {name}{undo} done in {after}")))
            }
            StepState::Failed { after_ms, why } => {
                let after = wording::millis(*after_ms);
                Some((Symbol::Bad, format!("step {name}{undo} failed after {after}: {why}")))
            }
        }
    }
}
