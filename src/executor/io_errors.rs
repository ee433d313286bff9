//! Texts of the system: how its errors are worded, and variables as it wants them.

use std::{collections::BTreeMap, ffi::OsString, io};

use crate::model::{io_error_text, path_text};

/// Variables as programs get them, whatever bytes they are made of.
pub(super) fn variables(env: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    let all = env.iter();
    all.map(|(name, value)| (path_text::decode_text(name), path_text::decode_text(value))).collect()
}

/// A system error without the number, beginning in lower case: `connection refused`.
pub(super) fn os_error(error: &io::Error) -> String {
    let text = io_error_text(error);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_their_numbers() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(os_error(&error), "no such file or directory");
    }
}
