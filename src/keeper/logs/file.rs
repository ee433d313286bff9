//! One log on disk: it grows, is rotated at the end of a line, and when the disk is full it lets
//! bytes go rather than the service wait.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{LazyLock, mpsc::Sender},
    time::{Duration, UNIX_EPOCH},
};

use super::{index::Index, rotate::Rotation, tidy::Tidy};
use crate::{
    model::LogPolicy,
    platform::{self, Moved, peek_bytes, transfer, wall_nanos},
};

/// Trouble is not said more often than that.
const AGAIN: Duration = Duration::from_secs(10);

/// A log that bytes are moved to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    policy: LogPolicy,
    open: Option<Open>,
    rotation: Option<Rotation>,
    /// Who looks after what was rotated away.
    tidy: Sender<Tidy>,
    /// Bytes let go that nobody has been told of.
    lost: u64,
    /// What a person should know, if it has not been said yet.
    unsaid: Option<String>,
    /// Whether it has been said that bytes are let go, and the log has taken nothing since.
    said: bool,
    /// When that was, in nanoseconds since 1970.
    said_at: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Which it is: device and inode.
    id: (u64, u64),
    /// Where the next byte goes: the end.
    end: u64,
    index: Option<Index>,
}

impl LogFile {
    /// A log that is opened when the first byte comes.
    pub(super) fn new(path: PathBuf, tidy: Sender<Tidy>) -> Self {
        LazyLock::force(&NOWHERE);
        let policy = LogPolicy::default();
        let (open, rotation, unsaid) = (None, None, None);
        Self { path, policy, open, rotation, tidy, lost: 0, unsaid, said: false, said_at: 0 }
    }

    /// Somebody begins to write to it, and from now on it is kept this way.
    pub(super) fn begin(&mut self, policy: LogPolicy) {
        self.policy = policy;
        if let Some(index) = self.open.as_mut().and_then(|open| open.index.as_mut()) {
            index.begin();
        }
        self.have_tidied();
    }

    fn have_tidied(&self) {
        let _thread_ends_with_the_process =
            self.tidy.send((self.path.clone(), self.policy.clone()));
    }

    /// What a person should know of this log; each trouble is said once.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.unsaid.take()
    }

    /// Takes at most `most` bytes from a pipe. It always takes some if there are any: what the
    /// disk refuses is let go.
    pub(super) fn take(&mut self, pipe: impl AsFd, most: usize) -> Moved {
        match self.store(&pipe, most) {
            Ok(moved) => {
                if matches!(moved, Moved::Bytes(1..)) && std::mem::take(&mut self.said) {
                    let (path, lost) = (self.path.display(), std::mem::take(&mut self.lost));
                    let text = format!("{path}: it goes on; {lost} bytes of output were let go");
                    self.unsaid = Some(text);
                }
                moved
            }
            Err(error) => self.let_go(pipe, most, &error),
        }
    }

    fn store(&mut self, pipe: impl AsFd, most: usize) -> io::Result<Moved> {
        let most = self.rotate_if_due(&pipe, most)?;
        let max_size = self.policy.max_size;
        let open = match &mut self.open {
            Some(open) => open,
            None => self.at_end()?,
        };
        let moved = transfer(pipe, &open.file, most)?;
        if let Moved::Bytes(count @ 1..) = moved {
            if let Some(index) = &mut open.index {
                // A log without times is better than none.
                let _disk_full = index.note(open.end, wall_nanos(), max_size);
            }
            open.end += count as u64;
        }
        Ok(moved)
    }

    /// How many bytes may be moved: no more than fit; then only to the end of the line; then the
    /// log is rotated.
    fn rotate_if_due(&mut self, pipe: impl AsFd, most: usize) -> io::Result<usize> {
        let max_size = self.policy.max_size.max(1);
        let open = self.at_end()?;
        if open.end < max_size {
            return Ok(at_most(max_size - open.end, most));
        }
        let mut last = [0];
        open.file.read_exact_at(&mut last, open.end - 1)?;
        // A line that is longer than a whole log is cut.
        if last == *b"\n" || open.end >= max_size * 2 {
            self.open = None;
            let rotation = self.rotation.get_or_insert_with(|| Rotation::of(&self.path));
            rotation.rotate(&self.path, self.policy.keep)?;
            self.have_tidied();
            return Ok(at_most(max_size, most));
        }
        let waiting = peek_bytes(pipe, most)?;
        let end = waiting.iter().position(|&byte| byte == b'\n');
        // One byte at least, to see the end of the pipe; no more than was looked at.
        Ok(end.map_or(waiting.len().max(1), |end| end + 1))
    }

    /// The file, positioned at its end: opened again if somebody removed or moved it, sought if
    /// somebody shortened it. (With O_APPEND the system would do so, but splice(2) refuses that.)
    fn at_end(&mut self) -> io::Result<&mut Open> {
        let there = std::fs::metadata(&self.path);
        let known = self.open.take().zip(there.ok());
        let (mut open, metadata) = match known {
            Some((open, there)) if open.id == (there.dev(), there.ino()) => (open, there),
            _ => {
                let file = open(&self.path)?;
                let metadata = file.metadata()?;
                let id = (metadata.dev(), metadata.ino());
                (Open { file, id, end: u64::MAX, index: None }, metadata)
            }
        };
        let length = metadata.len();
        if length != open.end {
            open.end = open.file.seek(SeekFrom::End(0))?;
            let changed = metadata.modified()?.duration_since(UNIX_EPOCH);
            let changed = changed.map_or(0, |time| time.as_nanos());
            let changed = u64::try_from(changed).unwrap_or(u64::MAX);
            open.index = Index::open(&self.path, open.end, changed).ok();
        }
        Ok(self.open.insert(open))
    }

    fn let_go(&mut self, pipe: impl AsFd, most: usize, error: &io::Error) -> Moved {
        let moved = NOWHERE.as_ref().map(|nowhere| transfer(pipe, nowhere, most));
        let moved = moved.and_then(Result::ok).unwrap_or(Moved::Nothing);
        if let Moved::Bytes(count) = moved {
            self.lost += count as u64;
        }
        // A disk that is all but full refuses, and takes a little, again and again.
        let now = wall_nanos();
        if !self.said && u128::from(now.abs_diff(self.said_at)) >= AGAIN.as_nanos() {
            (self.said, self.said_at) = (true, now);
            let path = self.path.display();
            let until = match error.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => "there is room",
                _ => "it can be written",
            };
            self.unsaid = Some(format!("{path}: {error}; output is let go until {until}"));
        }
        moved
    }
}

/// Where output goes that nothing else takes: open before there are no descriptors left.
static NOWHERE: LazyLock<Option<OwnedFd>> = LazyLock::new(|| platform::null().ok());

/// Opens a log, in a folder that may have been removed.
fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false);
    match (how.open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            platform::make_folders(folder)?;
            how.open(path)
        }
        (result, _) => result,
    }
}

fn at_most(room: u64, most: usize) -> usize {
    usize::try_from(room).unwrap_or(most).min(most)
}
