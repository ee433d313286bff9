//! A log as it grows: over truncation, rotation and the restarts of whoever writes it.

use std::{
    fs::{File, Metadata},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;

use super::{LONGEST_LINE, Line, Log, index::Index};

/// A line without its newline is shown after it has not grown for this long: a prompt.
const PROMPT: Duration = Duration::from_millis(500);
/// The most that is read at once, so that a flood of one log does not hold up the others.
const CHUNK: u64 = 256 << 10;

/// Reads what is added to a log.
#[derive(Debug)]
pub struct Follower {
    log: Log,
    open: Option<Open>,
    /// A line whose newline has not come yet, and since when it has not grown.
    partial: Vec<u8>,
    quiet_since: Option<Timestamp>,
    looked: Timestamp,
}

#[derive(Debug)]
struct Open {
    file: File,
    index: Index,
    identity: (u64, u64),
    offset: u64,
}

impl Follower {
    /// From the log's present end on.
    pub fn from_end(log: &Log) -> Self {
        let mut follower = Self::from_start(log);
        follower.open = open(&log.path).and_then(|mut open| {
            open.offset = open.file.seek(SeekFrom::End(0)).ok()?;
            Some(open)
        });
        follower
    }

    /// From the first byte of the present file on.
    pub fn from_start(log: &Log) -> Self {
        Self {
            log: log.clone(),
            open: None,
            partial: Vec::new(),
            quiet_since: None,
            looked: Timestamp::default(),
        }
    }

    /// The log that is followed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The bytes that have come since the last time, as they came.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            if self.open.is_none() {
                self.open = open(&self.log.path);
            }
            let Some(open) = &mut self.open else { return bytes };
            let truncated = open.file.metadata().is_ok_and(|file| file.len() < open.offset);
            if truncated {
                open.offset = 0;
            }
            let before = bytes.len();
            if open.file.seek(SeekFrom::Start(open.offset)).is_err() {
                return bytes;
            }
            // What could not be read comes the next time.
            let _ = open.file.by_ref().take(CHUNK).read_to_end(&mut bytes);
            let grown = bytes.len() - before;
            open.offset += grown as u64;
            if grown > 0 {
                return bytes;
            }
            // At its end: is there a younger file?
            let identity = open.identity;
            match self.successor(identity) {
                Some(next) => self.open = Some(next),
                None => return bytes,
            }
        }
    }

    /// The lines that have come since the last time.
    pub fn lines(&mut self, now: Timestamp) -> Vec<Line> {
        let looked = std::mem::replace(&mut self.looked, now);
        let bytes = self.bytes();
        if bytes.is_empty() {
            return self.prompt(now).into_iter().collect();
        }
        self.quiet_since = Some(now);
        let Some(open) = &mut self.open else { return Vec::new() };
        open.index.refresh();
        // Where the index is behind, this much is known: it came after the last look.
        let at = |offset| open.index.at(offset).clamp(looked.min(now), now);
        let mut offset = open.offset - bytes.len() as u64;
        let mut lines = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let mut text = std::mem::take(&mut self.partial);
            text.extend(&rest[..end]);
            lines.push(Line { name: self.log.name.clone(), at: at(offset), text });
            rest = &rest[end + 1..];
            offset += end as u64 + 1;
        }
        self.partial.extend(rest);
        if self.partial.len() as u64 >= LONGEST_LINE {
            lines.extend(self.rest(now));
        }
        lines
    }

    /// The line whose newline has not come: the stream is at its end.
    pub fn rest(&mut self, at: Timestamp) -> Option<Line> {
        let text = std::mem::take(&mut self.partial);
        (!text.is_empty()).then(|| Line { name: self.log.name.clone(), at, text })
    }

    fn prompt(&mut self, now: Timestamp) -> Option<Line> {
        let quiet = now.duration_since(self.quiet_since?);
        if Duration::try_from(quiet).is_ok_and(|quiet| quiet >= PROMPT) {
            self.quiet_since = None;
            return self.rest(now);
        }
        None
    }

    /// The file after the one with that identity: the present one, or, where there was more than
    /// one rotation meanwhile, the oldest of those that are younger.
    fn successor(&self, identity: (u64, u64)) -> Option<Open> {
        let present = open(&self.log.path)?;
        if present.identity == identity {
            return None;
        }
        let files: Vec<PathBuf> = self.log.files();
        let place = files.iter().position(|file| identity_of(file) == Some(identity));
        match place.and_then(|place| files.get(place + 1)) {
            Some(next) => open(next),
            None => Some(present),
        }
    }
}

fn open(path: &Path) -> Option<Open> {
    let file = File::open(path).ok()?;
    let identity = identity(&file.metadata().ok()?);
    Some(Open { file, index: Index::of(path), identity, offset: 0 })
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().as_ref().map(identity)
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Without inode numbers the time of its making has to tell one file from another.
#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> (u64, u64) {
    let made = metadata.created().ok();
    let made = made.and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
    (0, made.map_or(0, |made| made.as_nanos() as u64))
}
