//! Times, sizes, numbers and lists.

use std::time::Duration;

pub use crate::model::time::elapsed as duration;

/// A duration that is running, for people: as [`duration`], but tenths of a second from the start.
pub fn ticking(running: Duration) -> String {
    match running.as_secs() {
        0 => format!("0.{}s", running.subsec_millis() / 100),
        _ => duration(running),
    }
}

/// A number of milliseconds, as [`duration`] words it.
pub fn millis(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}

/// The time from one moment to another; zero where that went backwards.
pub fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A size for people: `812 KiB`, `48.9 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 | 1 => format!("{size:.0} {}", UNITS[unit]),
        _ => format!("{size:.1} {}", UNITS[unit]),
    }
}

/// `1 service`, `3 services`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}{}", if noun.ends_with('s') { "es" } else { "s" }),
    }
}

/// `a`, `a and b`, `a, b and c`; a long list is cut and counted.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    match names {
        [] => String::new(),
        [one] => one.clone(),
        _ if names.len() > SHOWN => {
            format!("{} and {} more", names[..SHOWN - 1].join(", "), names.len() - SHOWN + 1)
        }
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts() {
        assert_eq!(bytes(500), "500 B");
        assert_eq!(bytes(51_234_816), "48.9 MiB");
        assert_eq!(count(1, "process"), "1 process");
        assert_eq!(count(0, "process"), "0 processes");
        assert_eq!(count(2, "port"), "2 ports");
    }

    #[test]
    fn lists_are_cut() {
        let names: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into();
        assert_eq!(list(&names[..2]), "a and b");
        assert_eq!(list(&names[..4]), "a, b, c and d");
        assert_eq!(list(&names), "a, b, c and 3 more");
    }
}
