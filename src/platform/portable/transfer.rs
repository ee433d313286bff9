//! Moving bytes from a pipe to a file by reading and writing.

use std::{io, os::fd::AsFd};

use rustix::io::Errno;

use crate::platform::Moved;

/// Moves at most `most` bytes from a pipe to a file.
///
/// # Errors
///
/// Those of read(2) and write(2); what was read and could not be written is lost.
pub fn transfer(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<Moved> {
    let mut buffer = [0; 16 * 1024];
    let room = most.min(buffer.len());
    let count = match rustix::io::read(from, &mut buffer[..room]) {
        Ok(0) => return Ok(Moved::End),
        Ok(count) => count,
        Err(Errno::AGAIN) => return Ok(Moved::Nothing),
        // A terminal that no process uses any more.
        Err(Errno::IO) => return Ok(Moved::End),
        Err(Errno::INTR) => return Ok(Moved::Bytes(0)),
        Err(error) => return Err(error.into()),
    };
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&to, rest)?..];
    }
    Ok(Moved::Bytes(count))
}

/// Nothing can be looked at without taking it out.
///
/// # Errors
///
/// None.
pub fn peek_bytes(_from: impl AsFd, _most: usize) -> io::Result<Vec<u8>> {
    Ok(Vec::new())
}
