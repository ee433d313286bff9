//! Durations as they are written: `90s`, `1m30s`, `1.5h`. One rule for the stack file and for the
//! command line, which alone takes a bare number, for seconds.

use std::time::Duration;

/// The units, in milliseconds.
const UNITS: [(&str, f64); 5] =
    [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3600e3), ("d", 86_400e3)];

/// A hundred years, in milliseconds: enough, and every sum of a few of them is in range.
const LONGEST: f64 = 36_525.0 * 86_400e3;

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadDuration {
    /// It is not made of numbers with a unit each.
    Form,
    /// It is longer than a hundred years.
    TooLong,
}

/// Reads numbers with a unit each.
///
/// # Errors
///
/// Why it is none.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(BadDuration::Form);
    }
    let mut millis = 0.0;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest).ok_or(BadDuration::Form)?;
        let end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        millis += number * known.ok_or(BadDuration::Form)?.1;
        rest = next.trim_start();
    }
    of_millis(millis)
}

/// Reads the same, or a bare number of seconds.
///
/// # Errors
///
/// Why it is none.
pub fn parse_or_seconds(text: &str) -> Result<Duration, BadDuration> {
    match leading_number(text.trim()) {
        Some((seconds, "")) => of_millis(seconds * 1e3),
        _ => parse(text),
    }
}

/// The number that a text begins with, and what follows it.
pub fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

fn of_millis(millis: f64) -> Result<Duration, BadDuration> {
    // So also what is infinite.
    if millis > LONGEST {
        return Err(BadDuration::TooLong);
    }
    Duration::try_from_secs_f64(millis / 1e3).map_err(|_| BadDuration::Form)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_units() {
        let good = [
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            (" 1.5s ", 1500),
            ("7d", 7 * 86_400_000),
            ("0s", 0),
            ("36525d", 36_525 * 86_400_000),
        ];
        for (text, millis) in good {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(parse_or_seconds(text), parse(text), "{text}");
        }
        for bad in ["", " ", "s", "5 parsecs", "-1s", "1.2.3s", ".s", "1e9s", "1m 30", "soon", "1S"]
        {
            assert_eq!(parse(bad), Err(BadDuration::Form), "{bad}");
            assert_eq!(parse_or_seconds(bad), Err(BadDuration::Form), "{bad}");
        }
    }

    #[test]
    fn only_the_command_line_takes_bare_seconds() {
        assert_eq!(parse("90"), Err(BadDuration::Form));
        assert_eq!(parse_or_seconds("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_or_seconds("0.5"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn no_sum_is_out_of_range() {
        let digits = "9".repeat(400);
        let long = ["36526d", "213503982334601d 213503982334601d", &format!("{digits}ms"), &digits];
        for text in long {
            assert_eq!(parse_or_seconds(text), Err(BadDuration::TooLong), "{text}");
        }
        let many = "30000d ".repeat(1000);
        assert_eq!(parse(&many), Err(BadDuration::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_in_range(text in "[0-9.]{0,20}[a-z]{0,3}([0-9]{0,30}[msdh ]{0,2}){0,4}") {
            for read in [parse(&text), parse_or_seconds(&text)] {
                prop_assert!(read.is_err() || read.is_ok_and(|read| read.as_secs() <= 3_155_760_000));
            }
        }

        #[test]
        fn any_text_has_an_answer(text: String) {
            let _ = (parse(&text), parse_or_seconds(&text));
        }
    }
}
