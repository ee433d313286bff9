//! How errors are worded.

use std::io;

/// A system error without the number, beginning in lower case: `connection refused`.
pub(super) fn os_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
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
