//! The display of a terminal: the only file that knows indicatif.
//!
//! There is one bar, and its message is all live lines together, as [`super::view`] makes them.
//! It is redrawn when something changes and whenever whoever feeds the reporter says that time
//! has passed, so that there is no thread for it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::{
    live_model::LiveModel,
    terminal::{NoEcho, printed},
    theme::Theme,
    view::{self, Frame, Size},
    wording,
};

/// The time from one picture of the spinner to the next.
pub const TICK: Duration = Duration::from_millis(100);

/// Live lines at the bottom of a terminal, with lasting ones above them.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// The terminal's size; it is asked where there is none.
    size: Option<Size>,
    theme: Theme,
    began: Timestamp,
    _echo: Option<NoEcho>,
}

impl Progress {
    /// A display on standard error.
    pub fn on_stderr(theme: Theme, began: Timestamp) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(20);
        Self { _echo: NoEcho::new(), ..Self::on(target, None, theme, began) }
    }

    /// A display on anything; of that size, where it cannot be asked.
    pub fn on(
        target: ProgressDrawTarget,
        size: Option<Size>,
        theme: Theme,
        began: Timestamp,
    ) -> Self {
        let style = ProgressStyle::with_template("{msg}").expect("the template is constant");
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        Self { bar, size, theme, began, _echo: None }
    }

    /// The terminal's size now.
    pub fn size(&self) -> Size {
        self.size.unwrap_or_else(|| {
            let (rows, columns) = console::Term::stderr().size();
            Size { rows: rows.into(), columns: columns.into() }
        })
    }

    /// Prints lines above the live ones.
    pub fn print(&self, lines: &[String]) {
        let columns = self.size().columns;
        let wide = lines.iter().any(|line| console::measure_text_width(line) > columns);
        // The bar would count one row for a line that takes several, and draw over the wrong ones.
        if wide && self.size.is_none() {
            self.suspended(|| lines.iter().for_each(|line| super::terminal::line(line)));
        } else {
            self.bar.println(printed(&lines.join("\n")));
        }
    }

    /// Takes the live lines away while somebody else writes.
    pub fn suspended<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Shows the board as it is now.
    pub fn draw(&self, board: &LiveModel, now: Timestamp) {
        let step = wording::between(self.began, now).as_millis() / TICK.as_millis();
        let frame = Frame {
            size: self.size(),
            theme: self.theme,
            now,
            began: self.began,
            step: usize::try_from(step).unwrap_or_default(),
        };
        self.bar.set_message(printed(&view::live(board, &frame).join("\n")));
    }

    /// Takes the live lines away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
