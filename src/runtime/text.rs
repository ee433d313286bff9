//! How times and errors are worded.

use std::{io, time::Duration};

/// A duration for people: `350ms`, `1.2s`, `3m`, as in a stack file.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let seconds = duration.as_secs_f64();
    if duration.subsec_millis() == 0 {
        match duration.as_secs() {
            hours if hours % 3600 == 0 => return format!("{}h", hours / 3600),
            minutes if minutes % 60 == 0 => return format!("{}m", minutes / 60),
            seconds => return format!("{seconds}s"),
        }
    }
    format!("{seconds:.1}s")
}

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
    fn durations_read_as_in_a_stack_file() {
        let word = |millis| duration(Duration::from_millis(millis));
        assert_eq!(word(0), "0ms");
        assert_eq!(word(350), "350ms");
        assert_eq!(word(1000), "1s");
        assert_eq!(word(1250), "1.2s");
        assert_eq!(word(90_000), "90s");
        assert_eq!(word(120_000), "2m");
        assert_eq!(word(7_200_000), "2h");
    }

    #[test]
    fn errors_lose_their_numbers() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(os_error(&error), "no such file or directory");
    }
}
