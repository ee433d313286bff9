//! Moving bytes from a pipe to a file without touching them (splice(2), tee(2)).
//!
//! A reader that is killed between its read and its write has lost what it read; splice moves
//! both ends in one step.

use std::{io, os::fd::AsFd};

use rustix::{
    io::Errno,
    pipe::{SpliceFlags, splice, tee},
};

use crate::platform::Moved;

/// Moves at most `most` bytes from a pipe to a file opened without O_APPEND, at the file's own
/// position.
///
/// # Errors
///
/// Those of splice(2): ENOSPC, EDQUOT, EFBIG from the file. Files that cannot be spliced to are
/// written to.
pub fn transfer(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<Moved> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    match splice(&from, None, &to, None, most, flags) {
        Ok(0) => Ok(Moved::End),
        Ok(count) => Ok(Moved::Bytes(count)),
        Err(Errno::AGAIN) => Ok(Moved::Nothing),
        Err(Errno::INTR) => Ok(Moved::Bytes(0)),
        // No pipe; or a terminal that no process uses any more, or a disk that fails.
        Err(Errno::INVAL | Errno::IO) => copy(from, to, most),
        Err(error) => Err(error.into()),
    }
}

/// What a pipe holds, at most `most` bytes, without taking it out.
///
/// # Errors
///
/// Those of pipe(2) and tee(2).
pub fn peek_bytes(from: impl AsFd, most: usize) -> io::Result<Vec<u8>> {
    let (reader, writer) = crate::platform::fifo::pipe()?;
    let count = match tee(from, &writer, most, SpliceFlags::NONBLOCK) {
        Ok(count) => count,
        // A terminal is no pipe.
        Err(Errno::AGAIN | Errno::INTR | Errno::INVAL) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        filled += rustix::io::read(&reader, &mut bytes[filled..])?;
    }
    Ok(bytes)
}

fn copy(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<Moved> {
    let mut buffer = [0; 4096];
    let room = most.min(buffer.len());
    let count = match rustix::io::read(from, &mut buffer[..room]) {
        Ok(0) => return Ok(Moved::End),
        Ok(count) => count,
        Err(Errno::AGAIN) => return Ok(Moved::Nothing),
        Err(Errno::IO) => return Ok(Moved::End),
        Err(error) => return Err(error.into()),
    };
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&to, rest)?..];
    }
    Ok(Moved::Bytes(count))
}
