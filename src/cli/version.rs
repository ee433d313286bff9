//! Versions of programs: what is wanted, what is there.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// What a program says of its own version, or nothing: the first number with a point in the
/// output of `--version`, or the first number at all. One that failed has said something else:
/// how it is used, at which line of a script it stopped.
#[expect(clippy::disallowed_methods, reason = "a question to a program, not a service")]
pub(super) fn of(program: &Path, dir: &Path) -> Option<String> {
    let mut command = Command::new(program);
    let command = command.arg("--version").current_dir(dir).stdin(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = [output.stdout, output.stderr].concat();
    find(&String::from_utf8_lossy(&text)).map(str::to_owned)
}

fn find(text: &str) -> Option<&str> {
    let numbers = || {
        let parts = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        parts.map(|part| part.trim_matches('.')).filter(|part| !part.is_empty())
    };
    numbers().find(|number| number.contains('.')).or_else(|| numbers().next())
}

/// Whether a version is one of those that are wanted: `>=18`, `>=18 <21`, `18`, `^3.11`.
pub(super) fn will_do(version: &str, wanted: &str) -> bool {
    let conditions = wanted.split([',', ' ']).filter(|condition| !condition.is_empty());
    conditions.into_iter().all(|condition| holds(version, condition))
}

fn holds(version: &str, condition: &str) -> bool {
    let number = condition.trim_start_matches(['<', '>', '=', '^', '~']);
    let sign = &condition[..condition.len() - number.len()];
    let (version, wanted) = (numbers(version), numbers(number));
    let order = compare(&version, &wanted);
    match sign {
        ">=" => order.is_ge(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        "<" => order.is_lt(),
        "^" => order.is_ge() && version.first() == wanted.first(),
        "~" => order.is_ge() && version.iter().take(2).eq(wanted.iter().take(2)),
        // `18` is any 18.
        _ => version.iter().take(wanted.len()).eq(wanted.iter()),
    }
}

fn compare(version: &[u64], wanted: &[u64]) -> std::cmp::Ordering {
    let length = version.len().max(wanted.len());
    let padded = |numbers: &[u64]| -> Vec<u64> {
        numbers.iter().copied().chain(std::iter::repeat(0)).take(length).collect()
    };
    padded(version).cmp(&padded(wanted))
}

fn numbers(version: &str) -> Vec<u64> {
    version.trim_start_matches('v').split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_in_what_programs_say() {
        assert_eq!(find("v20.11.1\n"), Some("20.11.1"));
        assert_eq!(find("postgres (PostgreSQL) 16.2 (Debian 16.2-1)"), Some("16.2"));
        assert_eq!(find("less 590 (GNU regular expressions)"), Some("590"));
        assert_eq!(find("no idea"), None);
    }

    #[test]
    fn conditions() {
        for (version, wanted) in [
            ("20.11.1", ">=18"),
            ("18.0", "18"),
            ("18", ">=18.0"),
            ("3.12.1", "^3.11"),
            ("20.1", ">=18 <21"),
            ("3.11.9", "~3.11.2"),
        ] {
            assert!(will_do(version, wanted), "{version} {wanted}");
        }
        for (version, wanted) in
            [("16.2", ">=18"), ("21.0", ">=18, <21"), ("4.0", "^3.11"), ("19", "18"), ("2", ">2")]
        {
            assert!(!will_do(version, wanted), "{version} {wanted}");
        }
    }
}
