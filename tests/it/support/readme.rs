//! The commands of a README, run as they stand there.

use std::process::Command;

use regex::Regex;

use super::{program::Running, stack::Stack};

/// Packages are installed by the first of them, by whatever network there is.
const PATIENCE_IN_SECONDS: u64 = 300;

impl Stack {
    /// Runs the `console` blocks of the stack's README: each `$ ` line by a shell, in order. It must
    /// exit with 0, and what stands below it must come out, in that order (`…` is anything).
    #[track_caller]
    pub(crate) fn follow_readme(&self) {
        self.follow_readme_where(|_| ());
    }

    /// The same where the shells are prepared somehow.
    #[track_caller]
    pub(crate) fn follow_readme_where(&self, prepare: impl Fn(&mut Command)) {
        let text = self.with_ports(&self.read("README.md"));
        let mut lines = console(&text).peekable();
        let mut count = 0;
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").expect("a command before what it shows");
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line);
            }
            self.demand(command, &shown, &prepare);
            count += 1;
        }
        assert!(count > 0, "the README shows no command");
    }

    #[track_caller]
    fn demand(&self, command: &str, shown: &[&str], prepare: &impl Fn(&mut Command)) {
        let mut shell: Command = self.program("/bin/sh");
        shell.args(["-c", &format!("exec 2>&1; {command}")]);
        prepare(&mut shell);
        let ran = Running::start(command.to_owned(), shell).patience(PATIENCE_IN_SECONDS).ends();
        let ran = ran.exits(0);
        let mut output = ran.out.lines();
        for line in shown {
            let pattern = pattern(line);
            assert!(
                output.by_ref().any(|line| pattern.is_match(&words(line))),
                "`{command}` does not show (or not in this order) `{line}`:\n{}",
                ran.out
            );
        }
    }
}

/// The lines of all `console` blocks.
fn console(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside = if fence { *line == "```console" } else { inside };
        inside && !fence
    })
}

fn pattern(line: &str) -> Regex {
    let line = words(line);
    let parts: Vec<String> = line.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).expect("a pattern")
}

/// Columns are as wide as they have to be.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
