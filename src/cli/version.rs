//! Versions of programs: what is there.

use std::{
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    model::Signal,
    platform::{self, Process},
};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of its answer is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// What a program says of its own version, or nothing: the first number with a point in the
/// output of `--version`, or the first number at all. One that failed has said something else:
/// how it is used, at which line of a script it stopped. One that takes longer than [`PATIENCE`]
/// is killed, with what it has started.
pub(super) fn of(program: &Path, dir: &Path) -> Option<String> {
    let mut child = start(program, dir).ok()?;
    let answer = answer(&mut child);
    if answer.is_none() {
        kill(&mut child);
    }
    let status = child.wait().ok()?;
    let text = answer.filter(|_| status.success())?;
    find(&String::from_utf8_lossy(&text)).map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "a question to a program, not a service")]
fn start(program: &Path, dir: &Path) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.arg("--version").current_dir(dir).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// What it writes, if it ends in time and writes no more than [`LONGEST`].
fn answer(child: &mut Child) -> Option<Vec<u8>> {
    let (stdout, stderr) = (child.stdout.take()?, child.stderr.take()?);
    let (sender, texts) = mpsc::channel();
    let read = |pipe: Box<dyn Read + Send>, at: usize| {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut text = Vec::new();
            let read = pipe.take(LONGEST + 1).read_to_end(&mut text);
            let _too_late = sender.send((at, read.map(|_| text)));
        });
    };
    read(Box::new(stdout), 0);
    read(Box::new(stderr), 1);
    let deadline = platform::now() + PATIENCE;
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..all.len() {
        let (at, text) = texts.recv_timeout(deadline.since(platform::now())).ok()?;
        all[at] = text.ok().filter(|text| text.len() as u64 <= LONGEST)?;
    }
    Some(all.concat())
}

fn kill(child: &mut Child) {
    // Looked for before their parent ends: they would have another parent then.
    for process in platform::descendants(child.id()).into_iter().filter_map(Process::open) {
        let _ended_meanwhile = process.signal(Signal::KILL);
    }
    let _ended_meanwhile = child.kill();
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
