//! Writing the index of a log ([`crate::logs::timestamps`]).

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use crate::{
    logs::{
        files::index_path,
        timestamps::{RECORD, Stamp},
    },
    platform::{Dir, Refused},
};

/// Two batches closer than this share a record.
const COARSE: Duration = Duration::from_millis(10);
/// An index with so many records takes no more than as many again for the largest log, as long as
/// bytes come quickly; the times of those that come slowly stay exact for the price of one record
/// for each kilobyte.
const MANY: u64 = 32 << 10;
const SLOW: Duration = Duration::from_secs(1);
const LITTLE: u64 = 1 << 10;

/// The writer of one index.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    /// The last time that was noted: none is before it.
    last: u64,
    /// Where the last one is.
    offset: u64,
    /// How many there are.
    count: u64,
    /// Whether the next batch gets a record in any case.
    is_new_writer: bool,
}

impl Index {
    /// Goes on with the index of a log that has `length` bytes, the last of which came at
    /// `changed`; what cannot be true is taken out, what is missing made good as far as it is
    /// known.
    pub(super) fn open(folder: &Dir, log: &Path, length: u64, changed: u64) -> io::Result<Self> {
        let name = index_path(log);
        let mut file = match folder.append(&name) {
            // Without the old one some times are less exact; what it was copied to stays as it is.
            Err(error) if Refused::is_hard_link(&error) => {
                folder.remove(&name)?;
                folder.append(&name)?
            }
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let good = plausible(&bytes, length, changed.saturating_add(1_000_000_000));
        if good.len() * RECORD != bytes.len() {
            file.set_len(0)?;
            let good: Vec<u8> = good.iter().flat_map(|stamp| stamp.to_bytes()).collect();
            file.write_all(&good)?;
        }
        let last = good.last().copied().unwrap_or(Stamp { offset: 0, nanos: 0 });
        let count = good.len() as u64;
        let mut index =
            Self { file, last: last.nanos, offset: last.offset, count, is_new_writer: true };
        if length > 0 && count == 0 {
            index.note(0, changed, length)?;
            index.is_new_writer = true;
        }
        Ok(index)
    }

    /// Notes that bytes came at `offset`, unless the last record will do; the log will be no
    /// longer than `most` bytes, or not much.
    pub(super) fn note(&mut self, offset: u64, nanos: u64, most: u64) -> io::Result<()> {
        let passed = nanos.saturating_sub(self.last);
        let far = if u128::from(passed) < SLOW.as_nanos() { most / MANY } else { LITTLE };
        let is_near = offset.saturating_sub(self.offset) < far.min(most / MANY);
        if !self.is_new_writer
            && (u128::from(passed) < COARSE.as_nanos() || self.count >= MANY && is_near)
        {
            return Ok(());
        }
        self.is_new_writer = false;
        self.last = self.last.max(nanos);
        (self.offset, self.count) = (offset, self.count + 1);
        self.file.write_all(&Stamp { offset, nanos: self.last }.to_bytes())
    }

    /// Another process begins to write: what comes next gets a time of its own.
    pub(super) fn begin(&mut self) {
        self.is_new_writer = true;
    }
}

/// The records that can be true of a log of that length, which was not changed after `latest`.
fn plausible(bytes: &[u8], length: u64, latest: u64) -> Vec<Stamp> {
    let mut good: Vec<Stamp> = Vec::new();
    for stamp in Stamp::all(bytes) {
        let goes_on = |last: &Stamp| last.offset <= stamp.offset && last.nanos <= stamp.nanos;
        if stamp.offset < length && stamp.nanos <= latest && good.last().is_none_or(goes_on) {
            good.push(stamp);
        }
    }
    good
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
        let (folder, log) = (Dir::open(dir.path()).unwrap(), dir.path().join("a.log"));
        let mut index = Index::open(&folder, Path::new("a.log"), 0, 0).unwrap();
        for (offset, nanos) in [(0, SECOND), (4, SECOND + 1_000_000), (7, SECOND + 10_000_000)] {
            index.note(offset, nanos, 1000).unwrap();
        }
        assert_eq!(offsets(&log), [0, 7]);
        index.begin();
        index.note(9, SECOND + 11_000_000, 1000).unwrap();
        assert_eq!(offsets(&log), [0, 7, 9], "another writer");
    }

    #[test]
    fn what_cannot_be_true_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, log) = (Dir::open(dir.path()).unwrap(), dir.path().join("a.log"));
        let stamp = |offset, nanos| Stamp { offset, nanos }.to_bytes().to_vec();
        let torn = vec![7; 5];
        let parts = [
            stamp(0, SECOND),
            vec![0xff; 16],
            stamp(50, 2 * SECOND),
            stamp(900, SECOND),
            stamp(60, !0),
            torn,
        ];
        std::fs::write(index_path(&log), parts.concat()).unwrap();
        Index::open(&folder, Path::new("a.log"), 100, 3 * SECOND)
            .unwrap()
            .note(100, 4 * SECOND, 1000)
            .unwrap();
        assert_eq!(offsets(&log), [0, 50, 100]);
    }

    #[test]
    fn it_is_bounded_whatever_comes() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, log) = (Dir::open(dir.path()).unwrap(), dir.path().join("a.log"));
        let mut index = Index::open(&folder, Path::new("a.log"), 0, 0).unwrap();
        let most = 10 << 20;
        for offset in (0..most).step_by(64) {
            index.note(offset, (offset + 1) * SECOND, most).unwrap();
        }
        let count = offsets(&log).len() as u64;
        assert!((MANY..2 * MANY).contains(&count), "{count}");
    }

    #[test]
    fn what_comes_slowly_has_its_time_in_the_largest_log() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, log) = (Dir::open(dir.path()).unwrap(), dir.path().join("a.log"));
        let most = 10 << 30;
        let mut index = Index::open(&folder, Path::new("a.log"), 0, 0).unwrap();
        // A line of 100 bytes each second, for half a day.
        let lines = 43_200;
        for second in 0..lines {
            index.note(second * 100, second * SECOND, most).unwrap();
        }
        let bytes = std::fs::read(index_path(&log)).unwrap();
        let last = Stamp::all(&bytes).last().unwrap();
        assert!(lines * SECOND - last.nanos < 15 * SECOND, "{last:?}");
        // A flood after that adds little.
        for batch in 0..100_000 {
            let nanos = lines * SECOND + batch * 10_000_000;
            index.note(lines * 100 + batch * 1000, nanos, most).unwrap();
        }
        let more = std::fs::metadata(index_path(&log)).unwrap().len() as usize - bytes.len();
        assert!(more / RECORD < 2000, "{more}");
    }

    #[test]
    fn a_missing_one_begins_with_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, log) = (Dir::open(dir.path()).unwrap(), dir.path().join("a.log"));
        Index::open(&folder, Path::new("a.log"), 100, 3 * SECOND)
            .unwrap()
            .note(100, 3 * SECOND + 1, 1000)
            .unwrap();
        let bytes = std::fs::read(index_path(&log)).unwrap();
        let first = Stamp { offset: 0, nanos: 3 * SECOND };
        assert_eq!(Stamp::all(&bytes).next(), Some(first));
        assert_eq!(offsets(&log), [0, 100]);
    }
}
