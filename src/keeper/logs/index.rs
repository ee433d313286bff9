//! Writing the index of a log ([`crate::logs::stamp`]).

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use crate::logs::{
    files::index_path,
    stamp::{RECORD, Stamp},
};

/// Two batches closer than this share a record.
const COARSE: Duration = Duration::from_millis(10);

/// The writer of one index.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    /// The last time that was noted: none is before it.
    last: u64,
    /// Whether the next batch gets a record in any case.
    anew: bool,
}

impl Index {
    /// Goes on with the index of a log that has `length` bytes, the last of which came at
    /// `changed`; what cannot be true is taken out, what is missing made good as far as it is
    /// known.
    pub(super) fn open(log: &Path, length: u64, changed: u64) -> io::Result<Self> {
        let path = index_path(log);
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut count = file.metadata()?.len() / RECORD as u64;
        let mut last = None;
        while count > 0 && length > 0 {
            let stamp = read(&mut file, count - 1)?;
            if stamp.offset < length && stamp.nanos <= changed.saturating_add(1_000_000_000) {
                last = Some(stamp);
                break;
            }
            count -= 1;
        }
        if length == 0 {
            count = 0;
        }
        file.set_len(count * RECORD as u64)?;
        let mut index = Self { file, last: last.map_or(0, |last| last.nanos), anew: true };
        if length > 0 && last.is_none() {
            index.note(0, changed)?;
            index.anew = true;
        }
        Ok(index)
    }

    /// Notes that bytes came at `offset`, unless the last record will do.
    pub(super) fn note(&mut self, offset: u64, nanos: u64) -> io::Result<()> {
        let passed = nanos.saturating_sub(self.last);
        if !self.anew && u128::from(passed) < COARSE.as_nanos() {
            return Ok(());
        }
        self.anew = false;
        self.last = self.last.max(nanos);
        self.file.write_all(&Stamp { offset, nanos: self.last }.to_bytes())
    }

    /// Somebody else begins to write: what comes next gets a time of its own.
    pub(super) fn begin(&mut self) {
        self.anew = true;
    }
}

fn read(file: &mut File, number: u64) -> io::Result<Stamp> {
    let mut record = [0; RECORD];
    file.seek(SeekFrom::Start(number * RECORD as u64))?;
    file.read_exact(&mut record)?;
    Ok(Stamp::from_bytes(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn offsets(log: &Path) -> Vec<u64> {
        Stamp::all(&std::fs::read(index_path(log)).unwrap()).map(|stamp| stamp.offset).collect()
    }

    #[test]
    fn batches_close_together_share_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        let mut index = Index::open(&log, 0, 0).unwrap();
        for (offset, nanos) in [(0, SECOND), (4, SECOND + 1_000_000), (7, SECOND + 10_000_000)] {
            index.note(offset, nanos).unwrap();
        }
        assert_eq!(offsets(&log), [0, 7]);
        index.begin();
        index.note(9, SECOND + 11_000_000).unwrap();
        assert_eq!(offsets(&log), [0, 7, 9], "another writer");
    }

    #[test]
    fn what_cannot_be_true_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        let stamp = |offset, nanos| Stamp { offset, nanos }.to_bytes().to_vec();
        let torn = vec![7; 5];
        let parts =
            [stamp(0, SECOND), stamp(50, 2 * SECOND), stamp(900, SECOND), stamp(60, !0), torn];
        std::fs::write(index_path(&log), parts.concat()).unwrap();
        Index::open(&log, 100, 3 * SECOND).unwrap().note(100, 4 * SECOND).unwrap();
        assert_eq!(offsets(&log), [0, 50, 100]);
    }

    #[test]
    fn a_missing_one_begins_with_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.log");
        Index::open(&log, 100, 3 * SECOND).unwrap().note(100, 3 * SECOND + 1).unwrap();
        let bytes = std::fs::read(index_path(&log)).unwrap();
        let first = Stamp { offset: 0, nanos: 3 * SECOND };
        assert_eq!(Stamp::all(&bytes).next(), Some(first));
        assert_eq!(offsets(&log), [0, 100]);
    }
}
