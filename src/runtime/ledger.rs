//! The ledger: every record of a stack, appended to a file. Those of this supervisor are in memory
//! too, for clients; the older ones are read when somebody asks for them, so that a long past
//! costs no start anything.
//!
//! A line is the FNV-1a checksum of the record's JSON, a space, and the JSON. A line that does
//! not fit its checksum (a torn tail after a crash) is not a record.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::words::Words as _;
use crate::{
    event::{Cause, Event, Record},
    platform, secrets,
};

/// How many records are kept in memory at most.
const IN_MEMORY: usize = 4_000;
/// At this length the file is set aside as `ledger.1`, in bytes.
const MAX_LENGTH: u64 = 16 << 20;
/// How much of the file's end is read for who asks for the past, in bytes.
const TAIL: u64 = 4 << 20;
/// How much of it is read at the start, to go on counting, in bytes.
const END: u64 = 64 << 10;

/// The ledger of one stack.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    last_seq: u64,
    /// Those of this supervisor.
    records: VecDeque<Record>,
    /// Lines of this turn.
    unwritten: String,
    /// Whether the file could not be written, so that it is said once.
    pub(super) trouble: Option<String>,
}

impl Ledger {
    /// Opens the ledger, and goes on where it ends.
    pub(super) fn open(path: &Path) -> Self {
        let mut ledger = Self {
            path: path.to_owned(),
            file: None,
            length: 0,
            last_seq: last_seq(path),
            records: VecDeque::new(),
            unwritten: String::new(),
            trouble: None,
        };
        if let Err(error) = ledger.reopen() {
            ledger.trouble = Some(error.to_string());
        }
        ledger
    }

    /// Adds a record, and gives it back as it is stored: without secrets. It is written with [`Ledger::flush`].
    pub(super) fn append(
        &mut self,
        name: Option<&str>,
        generation: Option<u64>,
        event: Event,
        cause: Cause,
    ) -> Record {
        self.last_seq += 1;
        let mut record = Record {
            seq: self.last_seq,
            at: platform::wall_clock(),
            tick: platform::now(),
            event,
            name: name.map(str::to_owned),
            generation,
            cause,
        };
        record.mask(&secrets::masker());
        // Records are plain data with names as keys; such a thing can always be written.
        if let Ok(json) = serde_json::to_string(&record) {
            let checksum = platform::fnv1a(json.as_bytes());
            // Writing to a string cannot fail.
            let _ = writeln!(self.unwritten, "{checksum:016x} {json}");
        }
        if self.records.len() == IN_MEMORY {
            self.records.pop_front();
        }
        self.records.push_back(record.clone());
        record
    }

    /// The latest records from `seq` on.
    pub(super) fn since(&self, seq: u64) -> Vec<Record> {
        let first = self.records.front().map_or(self.last_seq + 1, |record| record.seq);
        let before = if seq < first { read_end(&self.path, TAIL) } else { Vec::new() };
        let mut records: Vec<Record> =
            before.into_iter().filter(|record| (seq..first).contains(&record.seq)).collect();
        let start = self.records.partition_point(|record| record.seq < seq);
        records.extend(self.records.range(start..).cloned());
        records
    }

    /// Writes what was added in this turn, before anybody hears of it.
    pub(super) fn flush(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        if let Err(error) = self.write() {
            self.trouble = Some(error.to_string());
            self.file = None;
        }
        self.unwritten.clear();
    }

    fn write(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        }
        let length = self.unwritten.len() as u64;
        if self.length > 0 && self.length + length > MAX_LENGTH {
            std::fs::rename(&self.path, self.path.with_extension("1"))?;
            self.reopen()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(self.unwritten.as_bytes())?;
            self.length += length;
            self.trouble = None;
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            platform::make_folders(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.length = file.metadata()?.len();
        // After a torn line a new one begins.
        if self.length > 0 && !ends_with_newline(&self.path)? {
            file.write_all(b"\n")?;
            self.length += 1;
        }
        self.file = Some(file);
        Ok(())
    }
}

fn ends_with_newline(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The number of the last record that can be read; the file may just have been set aside.
fn last_seq(path: &Path) -> u64 {
    let last = |path: &Path| {
        let near = read_end(path, END).pop();
        near.or_else(|| read_end(path, TAIL).pop()).map(|record| record.seq)
    };
    last(path).or_else(|| last(&path.with_extension("1"))).unwrap_or(0)
}

/// The records in the last so many bytes of a file.
fn read_end(path: &Path, length: u64) -> Vec<Record> {
    let read = || {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(length);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

fn parse(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line).ok()?;
    let (checksum, json) = line.split_once(' ')?;
    let expected = u64::from_str_radix(checksum, 16).ok()?;
    if platform::fnv1a(json.as_bytes()) != expected {
        return None;
    }
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(ledger: &mut Ledger) -> Record {
        let record = ledger.append(Some("api"), Some(1), Event::Starting, Cause::Exit);
        ledger.flush();
        record
    }

    #[test]
    fn records_survive_and_go_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&path);
        let written = [append(&mut ledger), append(&mut ledger)];
        let mut again = Ledger::open(&path);
        assert_eq!(again.since(0), written);
        assert_eq!(again.since(2).len(), 1);
        assert_eq!(append(&mut again).seq, 3);
        let all: Vec<u64> = again.since(1).iter().map(|record| record.seq).collect();
        assert_eq!(all, [1, 2, 3], "of both, each once");
        // Set aside just before the end.
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        assert_eq!(append(&mut Ledger::open(&path)).seq, 4);
    }

    #[test]
    fn a_torn_tail_at_any_byte_costs_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&path);
        append(&mut ledger);
        let first = std::fs::metadata(&path).unwrap().len();
        append(&mut ledger);
        let whole = std::fs::read(&path).unwrap();
        for length in first as usize..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut torn = Ledger::open(&path);
            assert_eq!(torn.since(0).len(), 1, "cut at {length}");
            assert_eq!(append(&mut torn).seq, 2);
            assert_eq!(Ledger::open(&path).since(0).len(), 2, "cut at {length}");
        }
    }

    #[test]
    fn a_byte_that_went_wrong_costs_its_record_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&path);
        let written: Vec<Record> = (0..3).map(|_| append(&mut ledger)).collect();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 0x55;
            std::fs::write(&path, &spoilt).unwrap();
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count();
            let kept: Vec<Record> = Ledger::open(&path).since(0);
            // Without its end a line takes the next one with it.
            let lost = if whole[at] == b'\n' { line..line + 2 } else { line..line + 1 };
            let expected = (0..3).filter(|number| !lost.contains(number));
            let expected: Vec<Record> = expected.map(|number| written[number].clone()).collect();
            assert_eq!(kept, expected, "byte {at}");
        }
    }

    #[test]
    fn a_ledger_that_cannot_be_written_still_serves_from_memory() {
        let mut ledger = Ledger::open(Path::new("/proc/no/such/ledger"));
        append(&mut ledger);
        assert_eq!(ledger.since(0).len(), 1);
        assert!(ledger.trouble.is_some());
    }
}
