//! The ledger: every record of a stack, appended to a file. Those of this supervisor are in memory
//! too, for clients; the older ones are read when somebody asks for them, so that a long past
//! costs no start anything.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

use super::words::Words as _;
use crate::{
    event::{Cause, Event, Record, ledger_line},
    logs::{LEDGER, OLD_LEDGER},
    platform::{self, FileFacts, GrowingFile, Open, Refused, Subfolder},
    secrets,
};

/// How many records are kept in memory at most, …
const IN_MEMORY: usize = 4_000;
/// … and how many bytes of them.
const MEMORY: usize = 2 << 20;
/// At this length the file is set aside as `ledger.1`, in bytes.
const MAX_LENGTH: u64 = 16 << 20;
/// How much of the file's end is read for who asks for the past, in bytes.
const TAIL: u64 = 4 << 20;
/// How much of it is read at the start, to go on counting, in bytes.
const END: u64 = 64 << 10;

/// The ledger of one stack.
#[derive(Debug)]
pub(super) struct Ledger {
    file: GrowingFile,
    length: u64,
    last_seq: u64,
    /// The last ones of this supervisor, as JSON.
    records: VecDeque<Arc<str>>,
    /// How many bytes they take.
    memory: usize,
    /// Lines of this turn.
    unwritten: String,
    /// Whether the file could not be written, so that it is said once.
    pub(super) trouble: Option<String>,
}

impl Ledger {
    /// Opens the ledger in that folder, and goes on where it ends.
    pub(super) fn open(folder: &Subfolder) -> Self {
        let mut ledger = Self {
            file: GrowingFile::appending(folder.clone(), LEDGER),
            length: 0,
            last_seq: last_seq(folder),
            records: VecDeque::new(),
            memory: 0,
            unwritten: String::new(),
            trouble: None,
        };
        ledger.trouble = ledger.reopen().err().map(|error| error.to_string());
        ledger
    }

    /// Adds a record, and gives it back as JSON, as it is stored: without secrets. It is written
    /// with [`Ledger::flush`].
    pub(super) fn append(
        &mut self,
        name: Option<&str>,
        generation: Option<u64>,
        event: Event,
        cause: Cause,
    ) -> Arc<str> {
        self.last_seq = self.last_seq.saturating_add(1);
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
        let json: Arc<str> = serde_json::to_string(&record).unwrap_or_default().into();
        self.unwritten.push_str(&ledger_line::encode(&json));
        self.keep(Arc::clone(&json));
        json
    }

    fn keep(&mut self, json: Arc<str>) {
        self.memory += json.len();
        self.records.push_back(json);
        while self.records.len() > IN_MEMORY || self.memory > MEMORY && self.records.len() > 1 {
            self.memory -= self.records.pop_front().map_or(0, |oldest| oldest.len());
        }
    }

    /// The latest records from `seq` on, as JSON; those that are not in memory are read one by
    /// one, whatever becomes of the file meanwhile.
    pub(super) fn since(&self, seq: u64) -> impl Iterator<Item = Arc<str>> + Send + use<> {
        let first = (self.last_seq - self.records.len() as u64).saturating_add(1);
        let past =
            (seq < first).then(|| Lines::end_of(self.file.folder(), LEDGER, TAIL).ok()).flatten();
        let past = past.into_iter().flatten().filter_map(|line| {
            let seq = ledger_line::decode(&line)?.seq;
            Some((seq, ledger_line::json(&line)?.into()))
        });
        let past = past.filter(move |(at, _)| (seq..first).contains(at)).map(|(_, json)| json);
        let start = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        let present: Vec<Arc<str>> = self.records.iter().skip(start).cloned().collect();
        past.chain(present)
    }

    /// Writes what was added in this turn, before anybody hears of it.
    pub(super) fn flush(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        if let Err(error) = self.write() {
            self.trouble = Some(error.to_string());
            self.file.close();
        }
        self.unwritten.clear();
    }

    fn write(&mut self) -> io::Result<()> {
        self.reopen()?;
        let length = self.unwritten.len() as u64;
        if self.length > 0 && self.length + length > MAX_LENGTH {
            self.put_aside()?;
            self.reopen()?;
        }
        if let Some(Open { file, .. }) = self.file.opened() {
            let mut file = file;
            file.write_all(self.unwritten.as_bytes())?;
            self.length += length;
            self.trouble = None;
        }
        Ok(())
    }

    /// Opens the file, unless it is the one that is open already.
    fn reopen(&mut self) -> io::Result<()> {
        let (open, facts, is_other) = match self.file.current() {
            // Whoever made that copy does not want it to grow.
            Err(error) if Refused::is_hard_link(&error) => {
                self.put_aside()?;
                self.file.current()?
            }
            current => current?,
        };
        if is_other {
            self.length = facts.length + end_torn_line(open, &facts)?;
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let opened = self.file.opened().map(|open| open.dir.clone());
        let folder = opened.map_or_else(|| self.file.folder().make(), Ok)?;
        self.file.close();
        folder.rename(LEDGER, OLD_LEDGER)
    }
}

/// After a torn line a new one begins; how many bytes that took.
fn end_torn_line(open: &Open, facts: &FileFacts) -> io::Result<u64> {
    let mut last = *b"\n";
    if facts.length > 0 {
        open.file.read_exact_at(&mut last, facts.length - 1)?;
    }
    if last == *b"\n" {
        return Ok(0);
    }
    (&open.file).write_all(b"\n")?;
    Ok(1)
}

/// The number of the last record that can be read; the file may just have been set aside.
fn last_seq(folder: &Subfolder) -> u64 {
    let last = |name: &str| {
        let near = read_end(folder, name, END).pop();
        near.or_else(|| read_end(folder, name, TAIL).pop()).map(|record| record.seq)
    };
    last(LEDGER).or_else(|| last(OLD_LEDGER)).unwrap_or(0)
}

/// The records in the last so many bytes of a file.
fn read_end(folder: &Subfolder, name: &str, length: u64) -> Vec<Record> {
    let lines = Lines::end_of(folder, name, length).into_iter().flatten();
    lines.filter_map(|line| ledger_line::decode(&line)).collect()
}

/// The lines in the last so many bytes that a file had when it was opened.
struct Lines(BufReader<Take<File>>);

impl Lines {
    fn end_of(folder: &Subfolder, name: &str, length: u64) -> io::Result<Self> {
        let mut file = folder.open_read(name)?;
        let start = file.metadata()?.len().saturating_sub(length);
        file.seek(SeekFrom::Start(start))?;
        Ok(Self(BufReader::new(file.take(length))))
    }
}

impl Iterator for Lines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let length = self.0.read_until(b'\n', &mut line).unwrap_or(0);
        line.pop_if(|last| *last == b'\n');
        (length > 0).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(folder: &tempfile::TempDir) -> Subfolder {
        Subfolder::at(folder.path()).unwrap()
    }

    fn append(ledger: &mut Ledger) -> Record {
        let record = ledger.append(Some("api"), Some(1), Event::Starting, Cause::Exit);
        ledger.flush();
        serde_json::from_str(&record).unwrap()
    }

    fn since(ledger: &Ledger, seq: u64) -> Vec<Record> {
        ledger.since(seq).map(|json| serde_json::from_str(&json).unwrap()).collect()
    }

    #[test]
    fn records_survive_and_go_on_counting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&here(&folder));
        let written = [append(&mut ledger), append(&mut ledger)];
        let mut again = Ledger::open(&here(&folder));
        assert_eq!(since(&again, 0), written);
        assert_eq!(since(&again, 2).len(), 1);
        assert_eq!(append(&mut again).seq, 3);
        let all: Vec<u64> = since(&again, 1).iter().map(|record| record.seq).collect();
        assert_eq!(all, [1, 2, 3], "of both, each once");
        // Set aside just before the end.
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        assert_eq!(append(&mut Ledger::open(&here(&folder))).seq, 4);
    }

    #[test]
    fn a_torn_tail_at_any_byte_costs_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&here(&folder));
        append(&mut ledger);
        let first = std::fs::metadata(&path).unwrap().len();
        append(&mut ledger);
        let whole = std::fs::read(&path).unwrap();
        for length in first as usize..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut torn = Ledger::open(&here(&folder));
            assert_eq!(since(&torn, 0).len(), 1, "cut at {length}");
            assert_eq!(append(&mut torn).seq, 2);
            assert_eq!(since(&Ledger::open(&here(&folder)), 0).len(), 2, "cut at {length}");
        }
    }

    #[test]
    fn a_byte_that_went_wrong_costs_its_record_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&here(&folder));
        let written: Vec<Record> = (0..3).map(|_| append(&mut ledger)).collect();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 0x55;
            std::fs::write(&path, &spoilt).unwrap();
            let line = whole[..at].iter().filter(|byte| **byte == b'\n').count();
            let kept: Vec<Record> = since(&Ledger::open(&here(&folder)), 0);
            // Without its end a line takes the next one with it.
            let lost = if whole[at] == b'\n' { line..line + 2 } else { line..line + 1 };
            let expected = (0..3).filter(|number| !lost.contains(number));
            let expected: Vec<Record> = expected.map(|number| written[number].clone()).collect();
            assert_eq!(kept, expected, "byte {at}");
        }
    }

    #[test]
    fn a_ledger_that_cannot_be_written_still_serves_from_memory() {
        let mut ledger =
            Ledger::open(&Subfolder::own(&platform::Dir::open("/proc".as_ref()).unwrap(), "no"));
        append(&mut ledger);
        assert_eq!(since(&ledger, 0).len(), 1);
        assert!(ledger.trouble.is_some());
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_read_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&here(&folder));
        let text = "x".repeat(1000);
        for _ in 0..2 * IN_MEMORY {
            let event = Event::notice(text.clone());
            ledger.append(None, None, event, Cause::Exit);
        }
        ledger.flush();
        assert!(ledger.memory <= MEMORY && ledger.records.len() < IN_MEMORY);
        let past = ledger.since(0);
        // Records that come while it is read are not part of it.
        append(&mut ledger);
        let seqs: Vec<u64> =
            past.map(|json| serde_json::from_str::<Record>(&json).unwrap().seq).collect();
        let last = 2 * IN_MEMORY as u64;
        assert!(seqs.is_sorted() && seqs.last() == Some(&last), "in order, up to then");
        assert_eq!(seqs.len() as u64, last - seqs[0] + 1, "none is missing, none is doubled");
        assert!(seqs.len() > ledger.records.len(), "more than is in memory");
    }

    #[test]
    fn it_goes_on_where_somebody_has_removed_or_copied_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::open(&here(&folder));
        append(&mut ledger);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(append(&mut ledger).seq, 2);
        assert_eq!(since(&Ledger::open(&here(&folder)), 0).len(), 1);
        let copy = folder.path().join("copy");
        std::fs::hard_link(&path, &copy).unwrap();
        let before = std::fs::read(&copy).unwrap();
        let mut again = Ledger::open(&here(&folder));
        assert_eq!(append(&mut again).seq, 3);
        assert_eq!(std::fs::read(&copy).unwrap(), before);
        assert!(again.trouble.is_none() && folder.path().join("ledger.1").exists());
    }
}
