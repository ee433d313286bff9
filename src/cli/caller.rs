//! What comes from whoever called: the environment, the clock, the command line.

#![expect(clippy::disallowed_methods, reason = "the command line reads environment and clock")]

use std::{collections::BTreeMap, path::PathBuf};

use crate::model::shell_word;

/// One variable of the environment; an empty one counts as unset.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One variable of the environment that is a path.
pub(super) fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The whole environment, as far as it is text.
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The time.
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The command as it was typed, for the ledger: `stackrun restart api`.
pub(super) fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()));
    std::iter::once("stackrun".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The time, for measuring.
pub(super) fn instant() -> std::time::Instant {
    std::time::Instant::now()
}
