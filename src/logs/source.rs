//! The bytes of one file of a log, compressed or not.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{files::compressed, gzip::Gzip};
use crate::platform::Subfolder;

/// A file that is read from any place.
#[derive(Debug)]
pub(super) enum Source {
    Plain(File),
    Gzip(Gzip),
}

impl Source {
    /// Opens a file by its plain name. It may be compressed just now: the plain one goes last, so
    /// that one of the two is always there.
    pub(super) fn open(folder: &Subfolder, file: &Path) -> io::Result<Self> {
        match folder.open_read(file) {
            Ok(plain) => Ok(Self::Plain(plain)),
            Err(_) => Ok(Self::Gzip(Gzip::open(folder.open_read(compressed(file))?)?)),
        }
    }

    /// How many bytes there are by now.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Plain(file) => file.metadata().map_or(0, |file| file.len()),
            Self::Gzip(packed) => packed.length(),
        }
    }

    /// Some bytes from that offset on; none at the end.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.read(buffer)
            }
            Self::Gzip(packed) => packed.read_at(offset, buffer),
        }
    }

    /// Fills the buffer from that offset on; how many bytes there were.
    pub(super) fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Adds at most `most` bytes from that offset on; how many there were.
    pub(super) fn append(
        &mut self,
        offset: u64,
        most: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let before = bytes.len();
        let most = usize::try_from(self.length().saturating_sub(offset)).unwrap_or(most).min(most);
        bytes.resize(before + most, 0);
        let filled = self.fill(offset, &mut bytes[before..]);
        bytes.truncate(before + filled.as_ref().map_or(0, |filled| *filled));
        filled
    }
}
