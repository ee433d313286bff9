//! What a command that takes time shows meanwhile: bars, plain lines, or failures alone.

use jiff::Timestamp;

use super::{
    live_model::{Change, LiveModel, RowState},
    progress::Progress,
    theme::{Symbol, Theme, Tone},
    view, wording,
};
use crate::{event::Record, printable};

/// A view of one [`LiveModel`], fed with records.
#[derive(Debug)]
pub struct Reporter {
    board: LiveModel,
    theme: Theme,
    view: View,
    verbose: bool,
}

#[derive(Debug)]
enum View {
    /// A terminal.
    Bars(Progress),
    /// A line for each change.
    Lines,
    /// A terminal on which nothing moves any more: how things end.
    Ends,
    /// Failures and notices only.
    Quiet,
}

impl Reporter {
    /// Live lines on the terminal.
    pub fn bars(board: LiveModel, progress: Progress, theme: Theme) -> Self {
        Self { board, theme, view: View::Bars(progress), verbose: false }
    }

    /// One plain line for each change.
    pub fn lines(board: LiveModel, theme: Theme) -> Self {
        Self { board, theme, view: View::Lines, verbose: false }
    }

    /// Failures alone.
    pub fn quiet(board: LiveModel, theme: Theme) -> Self {
        Self { board, theme, view: View::Quiet, verbose: false }
    }

    /// From now on every record gets a line of its own.
    #[must_use]
    pub fn verbosely(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// What is known by now.
    pub fn board(&self) -> &LiveModel {
        &self.board
    }

    /// This task is what the command is about: each of its steps gets a line, and its output may
    /// be shown by somebody else.
    pub fn expand(&mut self, name: &str, output_is_shown: bool) {
        if let Some(row) = self.board.rows.iter_mut().find(|row| row.name == name) {
            row.streamed = output_is_shown;
            row.expanded = true;
        }
    }

    /// Whether something moves at the bottom of the terminal.
    pub fn is_live(&self) -> bool {
        matches!(self.view, View::Bars(_))
    }

    /// Lets somebody else write to the terminal, above whatever moves.
    pub fn beside<R>(&self, write: impl FnOnce() -> R) -> R {
        match &self.view {
            View::Bars(progress) => progress.suspended(write),
            View::Lines | View::Ends | View::Quiet => write(),
        }
    }

    /// Something happened.
    pub fn record(&mut self, record: &Record, now: Timestamp) {
        if self.verbose {
            let text = super::events::show(record, &jiff::tz::TimeZone::system(), self.theme);
            self.print(&[text]);
        }
        if let Some(change) = self.board.fold(record) {
            let lines = self.lines_for(&change);
            self.print(&lines);
        }
        self.tick(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) {
        if let View::Bars(progress) = &self.view {
            progress.draw(&self.board, now);
        }
    }

    /// Prints lines that stay, above whatever moves. What others wrote begins no line of its own.
    pub fn print(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let lines: Vec<String> =
            lines.iter().map(|line| printable::line(line).into_owned()).collect();
        match &self.view {
            View::Bars(progress) => progress.print(&lines),
            View::Lines | View::Ends | View::Quiet => {
                lines.iter().for_each(|line| super::terminal::line(line));
            }
        }
    }

    /// Says what stands in the way, and what to do about it.
    pub fn warn(&self, text: &str, advice: &str) {
        let warning = headline(Symbol::Warn, text, self.theme);
        self.print(&[warning, super::summary::hint(advice, self.theme)]);
    }

    /// Takes everything that moves away; what was printed stays.
    pub fn finish(&mut self) {
        // What comes now is printed as it is.
        match std::mem::replace(&mut self.view, View::Ends) {
            View::Bars(progress) => progress.finish(),
            other => self.view = other,
        }
    }

    fn lines_for(&self, change: &Change) -> Vec<String> {
        let columns = match &self.view {
            View::Bars(progress) => Some(progress.size().columns),
            View::Lines | View::Ends | View::Quiet => None,
        };
        match (change, &self.view) {
            (Change::Notice { name, notice }, _) => {
                let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                let text = format!("{name}{}", wording::notice(notice));
                view::notice(&text, columns, self.theme)
            }
            (Change::HookFailed { row, hook, exit }, _) => {
                let (name, hook) = (&self.board.rows[*row].name, hook.key());
                let text = format!("{name}: {hook} failed: {exit} (see `stackrun logs {name}`)");
                view::notice(&text, columns, self.theme)
            }
            (Change::Moved(index), View::Lines) => vec![super::lines::moving(
                &self.board.rows[*index],
                self.board.name_width(),
                self.theme,
            )],
            (Change::Moved(_), View::Bars(_) | View::Ends | View::Quiet) => Vec::new(),
            (Change::StepEnded { row, step }, View::Lines | View::Ends) => super::lines::stepped(
                &self.board.rows[*row],
                *step,
                self.board.name_width(),
                self.theme,
            ),
            (Change::StepEnded { .. }, View::Bars(_) | View::Quiet) => Vec::new(),
            (Change::Ended(index), view) => {
                let row = &self.board.rows[*index];
                let bad = matches!(&row.state, RowState::Ended(end) if end.is_bad());
                match (view, bad) {
                    (View::Quiet, false) => Vec::new(),
                    _ => view::settled(row, self.board.name_width(), columns, self.theme),
                }
            }
        }
    }
}

/// A line that says how something went on the whole.
pub fn headline(symbol: Symbol, text: &str, theme: Theme) -> String {
    format!("{} {}", theme.symbol(symbol), theme.paint(Tone::Strong, text))
}
