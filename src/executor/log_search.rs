//! The check that a service has printed a line.

use crate::{
    event::Place,
    logs::{Follower, Log},
    reason::CheckAnswer,
};

/// So much is looked at in one attempt, in bytes.
const MOST: usize = 16 << 20;
/// What has no end after so many bytes is no line to wait for.
const LONGEST: usize = 1 << 20;

/// A search in what one generation wrote, wherever rotation has put it.
#[derive(Debug)]
pub(super) struct LogSearch {
    outputs: Vec<Output>,
    regex: regex::bytes::Regex,
    found: bool,
}

/// One of its outputs.
#[derive(Debug)]
struct Output {
    follower: Follower,
    /// A line that has begun and not ended yet.
    partial: Vec<u8>,
}

impl LogSearch {
    /// A search in these logs, from these places on.
    pub(super) fn new(regex: regex::bytes::Regex, logs: Vec<(Log, Place)>) -> Self {
        let output = |(log, place): (Log, Place)| {
            let follower = Follower::from(&log, place);
            Output { follower, partial: Vec::new() }
        };
        Self { outputs: logs.into_iter().map(output).collect(), regex, found: false }
    }

    /// What is searched for.
    pub(super) fn pattern(&self) -> &str {
        self.regex.as_str()
    }

    /// Reads what was written since the last attempt.
    pub(super) fn look(&mut self) -> Result<(), CheckAnswer> {
        let regex = &self.regex;
        self.found = self.found || self.outputs.iter_mut().any(|output| output.has_line(regex));
        if self.found { Ok(()) } else { Err(CheckAnswer::NoLine) }
    }
}

impl Output {
    fn has_line(&mut self, regex: &regex::bytes::Regex) -> bool {
        let mut seen = 0;
        while seen < MOST {
            let new = self.follower.bytes();
            if new.is_empty() {
                break;
            }
            seen += new.len();
            self.partial.extend(new);
            let found = self.partial.split(|byte| *byte == b'\n').any(|line| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                !line.is_empty() && regex.is_match(line)
            });
            if found {
                return true;
            }
            if let Some(end) = memchr::memrchr(b'\n', &self.partial) {
                self.partial.drain(..=end);
            }
            if self.partial.len() > LONGEST {
                self.partial.clear();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;
    use crate::{logs::files::numbered, platform::Subfolder};

    fn here(folder: &tempfile::TempDir) -> Log {
        Log::new(&Subfolder::at(folder.path()).unwrap(), "a")
    }

    #[test]
    fn a_line_is_found_wherever_the_reads_cut_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = fs::File::create(folder.path().join("a.log")).unwrap();
        log.write_all(b"ready from before\n").unwrap();
        let regex = regex::bytes::Regex::new("^ready$").unwrap();
        let offset = log.metadata().unwrap().len();
        let place = Place { file: 1, offset };
        let mut search = LogSearch::new(regex, vec![(here(&folder), place)]);
        assert!(search.look().is_err());
        for piece in ["not ready\nre", "ad", "y\r\nlater\n"] {
            assert!(search.look().is_err(), "before {piece:?}");
            log.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(search.look(), Ok(()));
        assert_eq!(search.look(), Ok(()), "once found it stays found");
    }

    #[test]
    fn a_line_is_found_wherever_rotation_has_put_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let regex = regex::bytes::Regex::new("^ready$").unwrap();
        let search = |file, offset| {
            let place = Place { file, offset };
            LogSearch::new(regex.clone(), vec![(here(&folder), place)])
        };
        fs::write(&log, "ready\nabc\n").unwrap();
        let mut early = search(1, 6);
        assert!(early.look().is_err());
        fs::rename(&log, numbered(&log, 1)).unwrap();
        fs::write(&log, "a longer line\nready\n").unwrap();
        assert_eq!(early.look(), Ok(()), "it follows");
        assert_eq!(search(1, 6).look(), Ok(()), "it begins in the rotated one");
        assert!(search(2, 20).look().is_err(), "nothing has come since");
        fs::rename(&log, numbered(&log, 2)).unwrap();
        fs::write(&log, "much longer than that place in the file before\n").unwrap();
        assert_eq!(search(1, 6).look(), Ok(()), "neither the first nor the last");
        assert_eq!(search(2, 0).look(), Ok(()));
        assert!(search(2, 20).look().is_err());
        assert!(search(3, 0).look().is_err());
        fs::write(&log, "ready").unwrap();
        assert_eq!(search(3, 0).look(), Ok(()), "without a newline, too");
    }
}
