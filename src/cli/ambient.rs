//! What comes from the caller: the environment, the clock, the command line.

#![expect(clippy::disallowed_methods, reason = "the command line reads environment and clock")]

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use crate::model::{path_text, shell_word};

/// One variable of the environment; an empty one counts as unset.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The same, whatever bytes it is made of.
pub(super) fn variable_bytes(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// One variable of the environment that is a path.
pub(super) fn path_variable(name: &str) -> Option<PathBuf> {
    variable_bytes(name).map(PathBuf::from)
}

/// The whole environment; what is not UTF-8 in it as [`path_text`] writes it.
pub(super) fn environment() -> BTreeMap<String, String> {
    let all = std::env::vars_os();
    all.map(|(key, value)| (path_text::encode_text(&key), path_text::encode_text(&value))).collect()
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
