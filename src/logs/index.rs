//! Asking when the bytes of a file arrived, and which arrived since: by binary search in its
//! index, of which little is ever read.
//!
//! It may be missing, or end early, or be damaged: then the time of the file's last change has
//! to do, and no time is ever later than that.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    files::{compressed, index_path},
    timestamps::{RECORD, Stamp},
};
use crate::platform::Subfolder;

/// So many records are read at once.
const BLOCK: u64 = 1024;

/// The index of one file.
#[derive(Debug)]
pub(super) struct Index {
    /// The index itself, once it was there: it stays the right one when the log is rotated away.
    file: Option<File>,
    folder: Subfolder,
    log: PathBuf,
    count: u64,
    /// The records that were read last, and the number of the first of them.
    block: Vec<Stamp>,
    first: u64,
    /// When the file was last changed.
    changed: Timestamp,
    /// The offsets that were asked about last have this time.
    span: Option<(Range<u64>, Timestamp)>,
}

impl Index {
    /// The index of a log file, by its plain name.
    pub(super) fn of(folder: &Subfolder, log: &Path) -> Self {
        let mut index = Self {
            file: None,
            folder: folder.clone(),
            log: log.to_owned(),
            count: 0,
            block: Vec::new(),
            first: 0,
            changed: Timestamp::default(),
            span: None,
        };
        index.refresh();
        index
    }

    /// Takes note of what was added since.
    pub(super) fn refresh(&mut self) {
        if self.file.is_none() {
            self.file = self.folder.open_read(index_path(&self.log)).ok();
        }
        let length = self.file.as_ref().and_then(|file| file.metadata().ok());
        let count = length.map_or(0, |file| file.len() / RECORD as u64);
        if count != self.count {
            self.count = count;
            self.block.clear();
        }
        let there = self.folder.stat(&self.log);
        let there = there.or_else(|_| self.folder.stat(compressed(&self.log)));
        self.span = None;
        if let Ok(there) = there {
            let nanos = u64::try_from(there.modified.as_nanos()).unwrap_or(u64::MAX);
            self.changed = moment(nanos);
        }
    }

    /// When the byte at this offset arrived.
    pub(super) fn at(&mut self, offset: u64) -> Timestamp {
        if let Some((span, time)) = &self.span
            && span.contains(&offset)
        {
            return *time;
        }
        let number = self.number(offset);
        let time = self.time(number);
        let start = if number == 0 { 0 } else { self.offset(number).unwrap_or(offset) };
        self.span = Some((start..self.offset(number + 1).unwrap_or(u64::MAX), time));
        time
    }

    /// The number of the record that says when the byte at this offset arrived.
    fn number(&mut self, offset: u64) -> u64 {
        // The next question mostly is for what is near.
        let here = self.block.partition_point(|stamp| stamp.offset <= offset);
        if 0 < here && here < self.block.len() {
            return self.first + here as u64 - 1;
        }
        self.search(|stamp| stamp.offset <= offset).saturating_sub(1)
    }

    /// The first offset whose bytes arrived at or after this time; `None` if there are none.
    pub(super) fn from(&mut self, time: Timestamp) -> Option<u64> {
        if self.changed < time {
            return None;
        }
        if self.count == 0 {
            return Some(0);
        }
        let after = self.search(|stamp| moment(stamp.nanos) < time);
        self.offset(after)
    }

    /// The first offset whose bytes arrived after this time; `None` if there are none.
    pub(super) fn after(&mut self, time: Timestamp) -> Option<u64> {
        if self.changed <= time {
            return None;
        }
        if self.count == 0 {
            return Some(0);
        }
        let after = self.search(|stamp| moment(stamp.nanos) <= time);
        self.offset(after)
    }

    /// When the last bytes arrived.
    pub(super) fn last(&mut self) -> Timestamp {
        self.changed.max(self.time(self.count.saturating_sub(1)))
    }

    fn time(&mut self, number: u64) -> Timestamp {
        self.record(number).map_or(self.changed, |stamp| moment(stamp.nanos).min(self.changed))
    }

    fn offset(&mut self, number: u64) -> Option<u64> {
        self.record(number).map(|stamp| stamp.offset)
    }

    /// The number of the first record for which it does not hold.
    fn search(&mut self, holds: impl Fn(Stamp) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(middle) {
                Some(stamp) if holds(stamp) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    fn record(&mut self, number: u64) -> Option<Stamp> {
        if number >= self.count {
            return None;
        }
        let begin = number / BLOCK * BLOCK;
        if self.block.is_empty() || self.first != begin {
            let file = self.file.as_mut()?;
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(begin * RECORD as u64)).ok()?;
            file.take(BLOCK * RECORD as u64).read_to_end(&mut bytes).ok()?;
            self.block = Stamp::all(&bytes).collect();
            self.first = begin;
        }
        self.block.get(usize::try_from(number - begin).ok()?).copied()
    }
}

fn moment(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An index of these records, and so many bytes of rubbish.
    fn index(records: &[(u64, i64)], rubbish: usize) -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        fs::write(&log, "").unwrap();
        let stamp = |(offset, seconds): &(u64, i64)| {
            let nanos = u64::try_from(*seconds).unwrap() * 1_000_000_000;
            Stamp { offset: *offset, nanos }.to_bytes()
        };
        let mut bytes: Vec<u8> = records.iter().flat_map(stamp).collect();
        bytes.extend(std::iter::repeat_n(0xff, rubbish));
        fs::write(index_path(&log), bytes).unwrap();
        let index = Index::of(&Subfolder::at(folder.path()).unwrap(), Path::new("a.log"));
        (folder, index)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    #[test]
    fn a_byte_belongs_to_the_record_before_it() {
        let (_folder, mut index) = index(&[(0, 10), (100, 20)], 0);
        for (offset, second) in [(0, 10), (99, 10), (100, 20), (5000, 20), (50, 10)] {
            assert_eq!(index.at(offset), at(second), "{offset}");
        }
        assert_eq!(index.from(at(11)), Some(100));
        assert_eq!(index.from(at(21)), None);
        assert_eq!((index.after(at(9)), index.after(at(10))), (Some(0), Some(100)));
        assert_eq!(index.after(at(20)), None);
    }

    #[test]
    fn a_long_one_is_searched() {
        let records: Vec<(u64, i64)> = (0..50_000_u64).map(|n| (n * 10, n.cast_signed())).collect();
        let (_folder, mut index) = index(&records, 0);
        for second in [0, 1, 1023, 1024, 1025, 49_999, 17] {
            let offset = second * 10;
            assert_eq!(index.at(offset + 9), at(second.cast_signed()));
            assert_eq!(index.from(at(second.cast_signed())), Some(offset));
        }
    }

    #[test]
    fn without_an_index_the_file_s_time_has_to_do() {
        let (_folder, mut index) = index(&[], 7);
        assert_eq!(index.at(5), index.changed);
        assert!(index.changed > at(1_000_000));
        assert_eq!(index.from(at(5)), Some(0));
        assert_eq!(index.after(at(5)), Some(0));
        let later = index.changed.checked_add(std::time::Duration::from_secs(1)).unwrap();
        assert_eq!((index.from(later), index.after(later)), (None, None));
    }

    #[test]
    fn no_time_is_later_than_the_last_change() {
        let (_folder, mut index) = index(&[(0, 10)], 33);
        assert_eq!(index.at(3), at(10));
        assert!(index.at(u64::MAX) <= index.changed);
        assert_eq!(index.last(), index.changed);
    }
}
