//! Versions of programs: what is there.

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
}
