//! One plain line for each change, where there is no terminal.

use super::{
    live_model::{Row, RowState},
    theme::{Symbol, Theme, pad},
};

/// The line of a step that has ended.
pub(super) fn stepped(row: &Row, step: usize, names: usize, theme: Theme) -> Vec<String> {
    let changed = row.steps.0[step].changed();
    let line = changed.map(|(symbol, text)| {
        let text = theme.plain_words(&text).into_owned();
        format!("{} {}  {text}", theme.symbol(symbol), pad(&row.name, names))
    });
    line.into_iter().collect()
}

/// The line of a row that is on the way.
pub(super) fn moving(row: &Row, names: usize, theme: Theme) -> String {
    let text = match &row.state {
        RowState::Active(what) => what.text(),
        RowState::Quiet | RowState::Ended(_) => String::new(),
    };
    let text = theme.plain_words(&text);
    format!("{} {}  {text}", theme.symbol(Symbol::Dot), pad(&row.name, names))
}
