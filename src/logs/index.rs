//! When the bytes of a log arrived.
//!
//! `FILE.idx` holds records of 16 bytes: a byte offset and nanoseconds since 1970, both little
//! endian. "The bytes from this offset on, up to the next record's, arrived at this time." It may
//! be missing, or end early: then the time of the file's last change has to do.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

const RECORD: usize = 16;

/// The index of one file.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The index itself, once it was there: it stays the right one when the log is rotated away.
    file: Option<File>,
    path: PathBuf,
    /// The beginning of a record whose end has not been written yet.
    torn: Vec<u8>,
    /// Offset and time, both rising.
    records: Vec<(u64, Timestamp)>,
    /// What is known without an index.
    changed: Timestamp,
}

impl Index {
    /// Reads the index of a log file.
    pub(super) fn of(log: &Path) -> Self {
        let changed = fs::metadata(log).and_then(|metadata| metadata.modified());
        let changed = changed.ok().and_then(|time| Timestamp::try_from(time).ok());
        let mut path = log.as_os_str().to_owned();
        path.push(".idx");
        let changed = changed.unwrap_or_default();
        let mut index = Self { path: path.into(), changed, ..Self::default() };
        index.refresh();
        index
    }

    /// Reads what was added since.
    pub(super) fn refresh(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            // What cannot be read is as good as missing.
            let _ = file.read_to_end(&mut self.torn);
        }
        let whole = self.torn.len() / RECORD * RECORD;
        let bytes: Vec<u8> = self.torn.drain(..whole).collect();
        for (offset, time) in parse(&bytes) {
            // A wall clock that was set back must not make the search go astray.
            let last = self.records.last().map_or(time, |(_, last)| *last);
            self.records.push((offset, time.max(last)));
        }
    }

    /// When the byte at this offset arrived.
    pub(super) fn at(&self, offset: u64) -> Timestamp {
        let after = self.records.partition_point(|(start, _)| *start <= offset);
        match after.checked_sub(1).and_then(|last| self.records.get(last)) {
            Some((_, time)) => *time,
            None => self.records.first().map_or(self.changed, |(_, time)| *time),
        }
    }

    /// The first offset whose bytes arrived at or after this time; `None` if that is not known.
    pub(super) fn from(&self, time: Timestamp) -> Option<u64> {
        let after = self.records.partition_point(|(_, at)| *at < time);
        self.records.get(after).map(|(offset, _)| *offset)
    }

    /// When the last bytes arrived.
    pub(super) fn last(&self) -> Timestamp {
        self.records.last().map_or(self.changed, |(_, time)| *time)
    }
}

fn parse(bytes: &[u8]) -> impl Iterator<Item = (u64, Timestamp)> {
    bytes.chunks_exact(RECORD).filter_map(|record| {
        let (offset, nanos) = record.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().ok()?);
        let nanos = u64::from_le_bytes(nanos.try_into().ok()?);
        Some((offset, Timestamp::from_nanosecond(nanos.into()).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(records: &[(u64, i64)]) -> Index {
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|(offset, seconds)| {
                let nanos = u64::try_from(*seconds).expect("positive") * 1_000_000_000;
                [offset.to_le_bytes(), nanos.to_le_bytes()].concat()
            })
            .collect();
        let mut index = Index { torn: bytes, changed: at(99), ..Index::default() };
        index.refresh();
        index
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    #[test]
    fn a_byte_belongs_to_the_record_before_it() {
        let index = index(&[(0, 10), (100, 20)]);
        assert_eq!(
            [index.at(0), index.at(99), index.at(100), index.at(5000)].map(Timestamp::as_second),
            [10, 10, 20, 20]
        );
    }

    #[test]
    fn without_an_index_the_file_s_time_has_to_do() {
        assert_eq!(index(&[]).at(5), at(99));
        assert_eq!(index(&[]).from(at(5)), None);
    }

    #[test]
    fn a_torn_record_waits_for_its_end() {
        let bytes = [0_u64.to_le_bytes(), 1_000_000_000_u64.to_le_bytes()].concat();
        let (head, tail) = bytes.split_at(11);
        let mut index = Index { torn: head.to_vec(), ..Index::default() };
        index.refresh();
        assert_eq!(index.records, []);
        index.torn.extend(tail);
        index.refresh();
        assert_eq!(index.records, [(0, at(1))]);
    }

    #[test]
    fn a_clock_set_back_does_not_run_backwards() {
        let index = index(&[(0, 10), (100, 5), (200, 20)]);
        assert_eq!(index.at(150), at(10));
        assert_eq!(index.from(at(11)), Some(200));
    }
}
