//! One file of a log that is open, and the part of it that is in memory.

use std::{io, path::Path};

use bytes::Bytes;

use super::{LONGEST_LINE, index::Index, source::Source};
use crate::platform::Subfolder;

/// So many bytes are read at once: what a processor's own cache holds while they are searched.
const BLOCK: usize = 256 << 10;

/// An open file and the part of it in memory.
pub(super) struct Open {
    pub(super) source: Source,
    pub(super) index: Index,
    /// Not read further.
    end: u64,
    /// It is longer than what it holds, so that no byte of it has to be made zero twice.
    block: Bytes,
    /// Where in the file the block begins, and how much of it has been read.
    start: u64,
    filled: usize,
    /// Where in the block the next line begins, and where the last whole one ends.
    next: usize,
    whole: usize,
}

impl Open {
    /// A file by its plain name; not read beyond `end`.
    pub(super) fn new(folder: &Subfolder, file: &Path, end: u64) -> io::Result<Self> {
        let source = Source::open(folder, file)?;
        let end = source.length().min(end);
        let (index, block) = (Index::of(folder, file), Bytes::new());
        Ok(Self { source, index, end, block, start: 0, filled: 0, next: 0, whole: 0 })
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.start + self.next as u64
    }

    /// Where it is not read further.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Continues from there.
    pub(super) fn go_to(&mut self, offset: u64) {
        match usize::try_from(offset.wrapping_sub(self.start)) {
            Ok(next) if next <= self.filled => self.next = next,
            _ => (self.start, self.filled, self.next, self.whole) = (offset, 0, 0, 0),
        }
    }

    /// Goes back by so many lines, not before `floor` of this file; not at all if they are not in
    /// memory. Whether it is there.
    pub(super) fn back(&mut self, count: usize, floor: Option<u64>) -> bool {
        let known = floor.and_then(|floor| floor.checked_sub(self.start));
        let bottom = known
            .map(|floor| usize::try_from(floor).map_or(self.next, |floor| floor.min(self.next)));
        let from = bottom.unwrap_or(0);
        // The newline at the very end closes the last line and begins none.
        let begins = memchr::memrchr_iter(b'\n', &self.block[from..self.next])
            .map(|newline| from + newline + 1)
            .filter(|begin| *begin < self.next);
        match begins.take(count).enumerate().last() {
            Some((last, begin)) if last + 1 == count => self.next = begin,
            _ => match bottom {
                Some(bottom) => self.next = bottom,
                None => return false,
            },
        }
        true
    }

    /// The whole lines that have been read and not been given.
    pub(super) fn whole(&self) -> &[u8] {
        &self.block[self.next..self.whole.max(self.next)]
    }

    /// What has been read and not been given.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.block[self.next..self.filled]
    }

    /// Leaves out so many bytes of that.
    pub(super) fn skip(&mut self, count: usize) {
        self.next += count;
    }

    /// Gives so many bytes of that.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let bytes = self.block.slice(self.next..self.next + count);
        self.next += count;
        bytes
    }

    /// The length of the next line, newline included; `None` at the end.
    pub(super) fn line(&mut self) -> Option<usize> {
        let mut seen = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.ahead()[seen..]) {
                return Some(seen + end + 1);
            }
            seen = self.ahead().len();
            if seen >= LONGEST_LINE {
                return Some(LONGEST_LINE);
            }
            if self.read() == 0 {
                return (seen > 0).then_some(seen);
            }
        }
    }

    /// Reads on; how much there was.
    fn read(&mut self) -> usize {
        let rest = self.filled - self.next;
        // A new block while a line still holds the old one.
        let old = std::mem::take(&mut self.block);
        let mut block = match old.is_unique() {
            true => {
                let mut block = Vec::from(old);
                block.copy_within(self.next..self.filled, 0);
                block
            }
            false => old[self.next..self.filled].to_vec(),
        };
        self.start += self.next as u64;
        let from = self.start + rest as u64;
        let room = usize::try_from(self.end.saturating_sub(from)).unwrap_or(BLOCK).min(BLOCK);
        if block.len() < rest + room {
            block.resize(rest + room, 0);
        }
        // What cannot be read is as good as the end.
        let count = self.source.fill(from, &mut block[rest..rest + room]).unwrap_or(0);
        self.whole = memchr::memrchr(b'\n', &block[..rest + count]).map_or(0, |last| last + 1);
        (self.block, self.next, self.filled) = (block.into(), 0, rest + count);
        count
    }
}
