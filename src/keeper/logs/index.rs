//! When the bytes of a log came: a small file beside it, so that the log itself stays raw.
//!
//! `NAME.log.idx` is a sequence of records of 16 bytes: two u64, little-endian: an offset into
//! the log, and nanoseconds since 1970. The bytes from that offset up to the next record's came
//! at that time, or at most [`COARSE`] later. Offsets and times never go down within a file; a
//! torn last record is to be ignored.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// The length of a record.
pub const RECORD: usize = 16;

/// Two batches closer than this share a record.
const COARSE: Duration = Duration::from_millis(10);

/// A record: from this offset on, this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// An offset into the log.
    pub offset: u64,
    /// Nanoseconds since 1970.
    pub nanos: u64,
}

impl Stamp {
    /// The record's bytes.
    pub fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.nanos.to_le_bytes());
        bytes
    }

    /// The record of these bytes.
    pub fn from_bytes(bytes: [u8; RECORD]) -> Self {
        let word = |from: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[from..from + 8]);
            u64::from_le_bytes(word)
        };
        Self { offset: word(0), nanos: word(8) }
    }
}

/// The index of a log: its name with `.idx`.
pub fn index_path(log: &Path) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(".idx");
    name.into()
}

/// The writer of one index.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    last: u64,
}

impl Index {
    /// Goes on with the index of a log that has `length` bytes; an empty one begins anew.
    pub(super) fn open(log: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(index_path(log))?;
        let whole = file.metadata()?.len() / RECORD as u64 * RECORD as u64;
        file.set_len(if length == 0 { 0 } else { whole })?;
        Ok(Self { file, last: 0 })
    }

    /// Notes that bytes came at `offset`, unless the last record will do.
    pub(super) fn note(&mut self, offset: u64, nanos: u64) -> io::Result<()> {
        if u128::from(nanos.saturating_sub(self.last)) < COARSE.as_nanos() {
            return Ok(());
        }
        self.last = nanos;
        self.file.write_all(&Stamp { offset, nanos }.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_bytes() {
        let stamp = Stamp { offset: 1 << 40, nanos: 7 };
        assert_eq!(Stamp::from_bytes(stamp.to_bytes()), stamp);
    }

    #[test]
    fn batches_close_together_share_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        let mut index = Index::open(&log, 5).unwrap();
        let base = 1_000_000_000;
        for (offset, nanos) in [(5, base), (9, base + 1_000_000), (12, base + 10_000_000)] {
            index.note(offset, nanos).unwrap();
        }
        let bytes = std::fs::read(index_path(&log)).unwrap();
        let offsets: Vec<u64> = bytes
            .chunks_exact(RECORD)
            .map(|record| Stamp::from_bytes(record.try_into().unwrap()).offset)
            .collect();
        assert_eq!(offsets, [5, 12]);
    }
}
