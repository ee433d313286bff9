//! The display of a terminal: the only file that knows indicatif.
//!
//! The bars are not services but lines: what each shows is made by [`super::view`]. They are
//! redrawn when something changes and whenever whoever feeds the reporter says that time has
//! passed, so that there is no thread for them.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::{
    board::Board,
    theme::Theme,
    view::{self, Frame, Size},
};

/// The time from one picture of the spinner to the next.
pub const TICK: Duration = Duration::from_millis(100);

/// Live lines at the bottom of a terminal, with lasting ones above them.
#[derive(Debug)]
pub struct Progress {
    lines: MultiProgress,
    bars: Vec<ProgressBar>,
    size: fn() -> Size,
    theme: Theme,
    began: Timestamp,
}

impl Progress {
    /// A display on standard error.
    pub fn on_stderr(theme: Theme, began: Timestamp) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(20), terminal_size, theme, began)
    }

    /// A display on anything.
    pub fn on(
        target: ProgressDrawTarget,
        size: fn() -> Size,
        theme: Theme,
        began: Timestamp,
    ) -> Self {
        let lines = MultiProgress::with_draw_target(target);
        Self { lines, bars: Vec::new(), size, theme, began }
    }

    /// The terminal's width now.
    pub fn columns(&self) -> usize {
        (self.size)().columns
    }

    /// Prints lines above the live ones.
    pub fn print(&self, lines: &[String]) {
        // A display that cannot be written to is no reason to stop anything.
        let _ = self.lines.println(lines.join("\n"));
    }

    /// Shows the board as it is now.
    pub fn draw(&mut self, board: &Board, now: Timestamp) {
        let since = super::words::between(self.began, now);
        let step = since.as_millis() / TICK.as_millis();
        let frame = Frame {
            size: (self.size)(),
            theme: self.theme,
            now,
            began: self.began,
            step: usize::try_from(step).unwrap_or_default(),
        };
        let lines = view::live(board, &frame);
        while self.bars.len() > lines.len() {
            if let Some(bar) = self.bars.pop() {
                self.lines.remove(&bar);
            }
        }
        while self.bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}").expect("the template is constant");
            self.bars.push(self.lines.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, line) in self.bars.iter().zip(lines) {
            bar.set_message(line);
        }
    }

    /// Takes the live lines away.
    pub fn finish(&mut self) {
        for bar in self.bars.drain(..) {
            self.lines.remove(&bar);
        }
        let _ = self.lines.clear();
    }
}

fn terminal_size() -> Size {
    let (rows, columns) = console::Term::stderr().size();
    Size { rows: rows.into(), columns: columns.into() }
}
