//! One log on disk: it grows, is rotated at the end of a line, and drops bytes when the disk is
//! full, so that the service need not wait.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::PathBuf,
    sync::{LazyLock, mpsc::Sender},
    time::Duration,
};

use super::{index::Index, rotate::Rotation, tidy::Tidy};
use crate::{
    model::LogPolicy,
    platform::{self, GrowingFile, Moved, Refused, Subfolder, peek_bytes, transfer, wall_nanos},
};

/// Trouble is not said more often than that.
const AGAIN: Duration = Duration::from_secs(10);

/// A log that bytes are moved to.
#[derive(Debug)]
pub(super) struct LogFile {
    name: PathBuf,
    policy: LogPolicy,
    file: GrowingFile,
    /// Where the next byte goes: the end of the file, unless another process has changed it.
    end: u64,
    index: Option<Index>,
    rotation: Option<Rotation>,
    /// Who looks after what was rotated away.
    tidy: Sender<Tidy>,
    /// Bytes that were dropped, and not reported yet.
    dropped: u64,
    /// What a person should know, if it has not been said yet.
    unsaid: Option<String>,
    /// Whether it has been said that bytes are dropped, and the log has taken nothing since.
    said: bool,
    /// When that was, in nanoseconds since 1970.
    said_at: u64,
}

impl LogFile {
    /// A log of that name that is opened when the first byte comes.
    pub(super) fn new(folder: Subfolder, name: PathBuf, tidy: Sender<Tidy>) -> Self {
        LazyLock::force(&NOWHERE);
        let file = GrowingFile::new(folder, &name);
        let policy = LogPolicy::default();
        let (index, rotation, unsaid) = (None, None, None);
        let (end, dropped, said, said_at) = (0, 0, false, 0);
        Self { name, policy, file, end, index, rotation, tidy, dropped, unsaid, said, said_at }
    }

    /// A service begins to write to it, and from now on it is kept this way.
    pub(super) fn begin(&mut self, policy: LogPolicy) {
        self.policy = policy;
        if let Some(index) = &mut self.index {
            index.begin();
        }
        self.have_tidied();
    }

    fn have_tidied(&self) {
        let _thread_ends_with_the_process =
            self.tidy.send((self.name.clone(), self.policy.clone()));
    }

    /// What a person should know of this log; each trouble is said once.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.unsaid.take().or_else(|| {
            let refused = self.file.refused()?;
            Some(format!("{refused}: logs continue in the folder that was there before"))
        })
    }

    /// Takes at most `most` bytes from a pipe. It always takes some if there are any: what the
    /// disk refuses is dropped.
    pub(super) fn take(&mut self, pipe: impl AsFd, most: usize) -> Moved {
        match self.store(&pipe, most) {
            Ok(moved) => {
                if matches!(moved, Moved::Bytes(1..)) && std::mem::take(&mut self.said) {
                    let (path, dropped) = (self.file.path(), std::mem::take(&mut self.dropped));
                    let path = path.display();
                    let text =
                        format!("{path}: logging resumed; {dropped} bytes of output were dropped");
                    self.unsaid = Some(text);
                }
                moved
            }
            Err(error) => self.drop_bytes(pipe, most, &error),
        }
    }

    fn store(&mut self, pipe: impl AsFd, most: usize) -> io::Result<Moved> {
        let most = self.rotate_if_due(&pipe, most)?;
        if self.file.opened().is_none() {
            self.go_to_end()?;
        }
        let moved = transfer(pipe, self.opened()?, most)?;
        if let Moved::Bytes(count @ 1..) = moved {
            if let Some(index) = &mut self.index {
                // A log without times is better than none.
                let _disk_full = index.note(self.end, wall_nanos(), self.policy.max_size);
            }
            self.end += count as u64;
        }
        Ok(moved)
    }

    /// How many bytes may be moved: no more than fit; then only to the end of the line; then the
    /// log is rotated.
    fn rotate_if_due(&mut self, pipe: impl AsFd, most: usize) -> io::Result<usize> {
        let max_size = self.policy.max_size.max(1);
        self.go_to_end()?;
        if self.end < max_size {
            return Ok(at_most(max_size - self.end, most));
        }
        let mut last = [0];
        self.opened()?.read_exact_at(&mut last, self.end - 1)?;
        // A line that is longer than a whole log is cut.
        if last == *b"\n" || self.end >= max_size * 2 {
            self.put_aside()?;
            return Ok(at_most(max_size, most));
        }
        let waiting = peek_bytes(pipe, most)?;
        let end = waiting.iter().position(|&byte| byte == b'\n');
        // One byte at least, to see the end of the pipe; no more than was looked at.
        Ok(end.map_or(waiting.len().max(1), |end| end + 1))
    }

    /// Rotates the log.
    fn put_aside(&mut self) -> io::Result<()> {
        let opened = self.file.opened().map(|open| open.dir.clone());
        let folder = opened.map_or_else(|| self.file.folder().make(), Ok)?;
        self.file.close();
        let rotation = self.rotation.get_or_insert_with(|| Rotation::of(&folder, &self.name));
        rotation.rotate(&folder, &self.name, self.policy.keep)?;
        self.have_tidied();
        Ok(())
    }

    /// Goes to the end of the file: opened again if it was removed or moved, sought if it was
    /// shortened. (With O_APPEND the system would do so, but splice(2) refuses that.)
    fn go_to_end(&mut self) -> io::Result<()> {
        let (open, facts, is_other) = match self.file.current() {
            // The copy that this link was made for is not to grow.
            Err(error) if Refused::is_hard_link(&error) => {
                self.put_aside()?;
                self.file.current()?
            }
            current => current?,
        };
        if is_other || facts.length != self.end {
            self.index = None;
            self.end = (&open.file).seek(SeekFrom::End(0))?;
            let changed = u64::try_from(facts.modified.as_nanos()).unwrap_or(u64::MAX);
            self.index = Index::open(&open.dir, &self.name, self.end, changed).ok();
        }
        Ok(())
    }

    fn opened(&self) -> io::Result<&File> {
        Ok(&self.file.opened().ok_or(io::ErrorKind::NotFound)?.file)
    }

    fn drop_bytes(&mut self, pipe: impl AsFd, most: usize, error: &io::Error) -> Moved {
        let moved = NOWHERE.as_ref().map(|nowhere| transfer(pipe, nowhere, most));
        let moved = moved.and_then(Result::ok).unwrap_or(Moved::Nothing);
        if let Moved::Bytes(count) = moved {
            self.dropped += count as u64;
        }
        // A disk that is all but full refuses, and takes a little, again and again.
        let now = wall_nanos();
        if !self.said && u128::from(now.abs_diff(self.said_at)) >= AGAIN.as_nanos() {
            (self.said, self.said_at) = (true, now);
            let trouble = Refused::describe(&self.file.path(), error);
            let until = match error.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => "there is room",
                _ => "it can be written",
            };
            self.unsaid = Some(format!("{trouble}; dropping output until {until}"));
        }
        moved
    }
}

/// Where output goes that nothing else takes: open before there are no descriptors left.
static NOWHERE: LazyLock<Option<OwnedFd>> = LazyLock::new(|| platform::null().ok());

fn at_most(room: u64, most: usize) -> usize {
    usize::try_from(room).unwrap_or(most).min(most)
}
