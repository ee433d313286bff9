//! A log as it grows: over truncation, rotation and the restarts of its writer.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

use super::{LONGEST_LINE, Line, Log, Place, files::numbered, index::Index, source::Source, tail};
use crate::platform::{FileFacts, FileId};

/// A line without its newline is shown after it has not grown for this long: a prompt.
const PROMPT: Duration = Duration::from_millis(500);
/// The most that is read at once, so that a flood of one log does not hold up the others.
const CHUNK: usize = 256 << 10;
/// A reader that is behind by more than this in one file may be spared some.
const BEHIND: u64 = 2 << 20;
/// It continues this far from the end.
const RESUME: u64 = 64 << 10;

/// What a follower was spared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spared {
    /// Of which log.
    pub name: Arc<str>,
    /// When that was noticed.
    pub at: Timestamp,
    /// Lines that were left out because the reader was too slow.
    pub lines: u64,
    /// Rotated files that had been removed before they could be read.
    pub files: u64,
}

/// Reads what is added to a log.
#[derive(Debug)]
pub struct Follower {
    log: Log,
    name: Arc<str>,
    open: Option<Open>,
    /// The number that the open file has, or will have once it is rotated away.
    number: u64,
    /// A line whose newline has not come yet, where it begins, and since when it has not grown.
    partial: Vec<u8>,
    partial_place: Place,
    quiet_since: Option<Timestamp>,
    /// A piece of the line has been given already.
    inside: bool,
    /// The file was shortened: it begins again.
    anew: bool,
    looked: Timestamp,
    /// Lines and files.
    spared: (u64, u64),
}

#[derive(Debug)]
struct Open {
    source: Source,
    index: Index,
    identity: Option<FileId>,
    offset: u64,
}

impl Follower {
    /// From the log's present end on.
    pub fn from_end(log: &Log) -> Self {
        let mut follower = Self::from_start(log);
        if let Some(open) = follower.current() {
            open.offset = open.source.length();
        }
        follower
    }

    /// From the beginning of the last line that has no end yet.
    pub fn from_last_line(log: &Log) -> Self {
        let mut follower = Self::from_end(log);
        if let Some(open) = &mut follower.open {
            open.offset = tail::line_start(&mut open.source, open.offset).unwrap_or(open.offset);
        }
        follower
    }

    /// From the first byte of the present file on.
    pub fn from_start(log: &Log) -> Self {
        Self {
            name: log.name.as_str().into(),
            log: log.clone(),
            open: None,
            number: 0,
            partial: Vec::new(),
            partial_place: Place::default(),
            quiet_since: None,
            inside: false,
            anew: false,
            looked: Timestamp::default(),
            spared: (0, 0),
        }
    }

    /// From that place on; from the start of what is left, where that has been removed or
    /// shortened.
    pub fn from(log: &Log, place: Place) -> Self {
        let mut follower = Self::from_start(log);
        follower.current();
        let number = follower.number;
        if number > place.file {
            let rotated = log.numbers().into_iter().filter(|number| *number >= place.file);
            let oldest = rotated.min().filter(|oldest| *oldest < number);
            if let Some((oldest, file)) =
                oldest.and_then(|oldest| Some((oldest, open(log, &numbered(&log.file, oldest))?)))
            {
                (follower.number, follower.open) = (oldest, Some(file));
            }
        }
        if let Some(open) = follower.open.as_mut().filter(|_| follower.number == place.file)
            && place.offset <= open.source.length()
        {
            open.offset = place.offset;
        }
        follower
    }

    /// The log that is followed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where it will continue.
    pub fn place(&self) -> Place {
        let offset = self.open.as_ref().map_or(0, |open| open.offset);
        Place { file: self.number, offset }
    }

    /// Whether there was nothing more to be read.
    pub fn is_at_end(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.source.length() <= open.offset)
    }

    /// The bytes that have come since the last time, as they came.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let Some(open) = self.current() else { return bytes };
            if open.source.length() < open.offset {
                open.offset = 0;
                self.anew = true;
            }
            let Some(open) = &mut self.open else { return bytes };
            // What cannot be read comes the next time.
            let grown = open.source.append(open.offset, CHUNK, &mut bytes).unwrap_or(0);
            open.offset += grown as u64;
            if grown > 0 || !self.go_on() {
                return bytes;
            }
        }
    }

    /// Leaves out what a reader that is far behind will not want to see.
    pub fn hurry(&mut self) {
        let Some(open) = &mut self.open else { return };
        let end = open.source.length();
        if end.saturating_sub(open.offset) <= BEHIND {
            return;
        }
        let goal = tail::line_start(&mut open.source, end - RESUME).unwrap_or(end);
        let mut chunk = Vec::new();
        while open.offset < goal {
            chunk.clear();
            let most = usize::try_from(goal - open.offset).unwrap_or(CHUNK).min(CHUNK);
            let Ok(count @ 1..) = open.source.append(open.offset, most, &mut chunk) else { break };
            self.spared.0 += memchr::memchr_iter(b'\n', &chunk).count() as u64;
            open.offset += count as u64;
        }
        self.anew = true;
        self.partial.clear();
    }

    /// What it was spared since the last time.
    pub fn spared(&mut self, at: Timestamp) -> Option<Spared> {
        let (lines, files) = std::mem::take(&mut self.spared);
        let name = Arc::clone(&self.name);
        (lines + files > 0).then_some(Spared { name, at, lines, files })
    }

    /// The lines that have come since the last time.
    pub fn lines(&mut self, now: Timestamp) -> Vec<Line> {
        let looked = std::mem::replace(&mut self.looked, now);
        let bytes = self.bytes();
        if bytes.is_empty() {
            return self.prompt(now).into_iter().collect();
        }
        self.quiet_since = Some(now);
        let mut lines = Vec::new();
        if std::mem::take(&mut self.anew) {
            lines.extend(self.rest(now));
            self.inside = false;
        }
        let Some(open) = &mut self.open else { return lines };
        open.index.refresh();
        let mut place = Place { file: self.number, offset: open.offset - bytes.len() as u64 };
        let bytes = Bytes::from(bytes);
        let mut start = 0;
        while let Some(end) = memchr::memchr(b'\n', &bytes[start..]).map(|end| start + end) {
            let mut text = bytes.slice(start..end);
            let mut begin = place;
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(&text);
                text = std::mem::take(&mut self.partial).into();
                begin = self.partial_place;
            }
            // Where the index is behind, this much is known: it came after the last look.
            let at = open.index.at(place.offset).clamp(looked.min(now), now);
            let begins = !std::mem::take(&mut self.inside);
            let name = Arc::clone(&self.name);
            lines.push(Line { name, at, text, place: begin, begins, ends: true, apart: false });
            place.offset += (end + 1 - start) as u64;
            start = end + 1;
        }
        if self.partial.is_empty() {
            self.partial_place = place;
        }
        self.partial.extend_from_slice(&bytes[start..]);
        if self.partial.len() >= LONGEST_LINE {
            lines.extend(self.rest(now));
        }
        lines
    }

    /// The line whose newline has not come: the stream is at its end.
    pub fn rest(&mut self, at: Timestamp) -> Option<Line> {
        let text = Bytes::from(std::mem::take(&mut self.partial));
        if text.is_empty() {
            return None;
        }
        let begins = !std::mem::replace(&mut self.inside, true);
        let (name, place) = (Arc::clone(&self.name), self.partial_place);
        Some(Line { name, at, text, place, begins, ends: false, apart: false })
    }

    fn prompt(&mut self, now: Timestamp) -> Option<Line> {
        let quiet = now.duration_since(self.quiet_since?);
        if Duration::try_from(quiet).is_ok_and(|quiet| quiet >= PROMPT) {
            self.quiet_since = None;
            return self.rest(now);
        }
        None
    }

    /// The file that is being read; the present one if there was none.
    fn current(&mut self) -> Option<&mut Open> {
        if self.open.is_none() {
            self.open = Some(open(&self.log, &self.log.file)?);
            // Listed after it was opened: if it was rotated in between, it is listed itself.
            self.number = self.log.numbers().last().map_or(1, |last| last + 1);
        }
        self.open.as_mut()
    }

    /// Continues with the next file at the end of one; whether there is one.
    fn go_on(&mut self) -> bool {
        let Some(old) = &self.open else { return false };
        let present = open(&self.log, &self.log.file);
        if present.as_ref().is_some_and(|present| present.identity == old.identity) {
            return false;
        }
        let numbers = self.log.numbers();
        let path = |number: u64| numbered(&self.log.file, number);
        let identity = |number: u64| self.log.folder.stat(path(number)).ok().map(|facts| facts.id);
        let is_ours = |number: &&u64| old.identity.is_some() && identity(**number) == old.identity;
        let ours = numbers.iter().rev().find(is_ours).copied();
        let number = ours.unwrap_or(self.number);
        let rotated = numbers.contains(&number);
        let next = numbers.iter().copied().find(|next| *next > number);
        let Some(file) = next.and_then(|next| open(&self.log, &path(next))).or(present) else {
            return false;
        };
        let following = next.unwrap_or_else(|| numbers.last().map_or(1, |last| last + 1));
        // One that was removed and not rotated away leaves its number to the next one.
        let expected = if rotated || following > number { number + 1 } else { number };
        self.spared.1 += following.saturating_sub(expected);
        self.number = following;
        self.open = Some(file);
        true
    }
}

fn open(log: &Log, file: &Path) -> Option<Open> {
    let source = Source::open(&log.folder, file).ok()?;
    let identity = match &source {
        Source::Plain(file) => Some(FileFacts::of(file).ok()?.id),
        Source::Gzip(_) => None,
    };
    Some(Open { source, index: Index::of(&log.folder, file), identity, offset: 0 })
}
