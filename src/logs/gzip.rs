//! Compressed logs that can be read from any place.
//!
//! A file is a sequence of gzip members, each of at most [`BLOCK`] bytes of the log, so that
//! `zcat` reads it as any other. Each says in an extra field of its header (RFC 1952, 2.3.1.1:
//! `SR`, two u32, little-endian) how long it is itself and how many bytes it holds: a place is
//! found by the headers, and one member is all that has to be unpacked.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use flate2::{Compression, GzBuilder, bufread::GzDecoder};

/// The bytes of a log in one member.
const BLOCK: usize = 1 << 20;
/// A header up to the end of its extra field.
const HEADER: usize = 24;
/// Where the two lengths stand in it.
const LENGTHS: usize = 16;

/// Compresses a file; how many bytes of it went in.
///
/// # Errors
/// One of the two cannot be read or written.
pub fn pack(mut from: impl Read, mut to: impl Write) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let mut plain = Vec::with_capacity(BLOCK);
        from.by_ref().take(BLOCK as u64).read_to_end(&mut plain)?;
        if plain.is_empty() {
            return Ok(total);
        }
        to.write_all(&member(&plain)?)?;
        total += plain.len() as u64;
    }
}

fn member(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut extra = b"SR\x08\x00".to_vec();
    extra.extend([0; 8]);
    let fast = Compression::new(3);
    let mut encoder = GzBuilder::new().extra(extra).write(Vec::new(), fast);
    encoder.write_all(plain)?;
    let mut member = encoder.finish()?;
    let length = |length: usize| u32::try_from(length).map_err(|_| wrong());
    let lengths = [length(member.len())?.to_le_bytes(), length(plain.len())?.to_le_bytes()];
    member[LENGTHS..HEADER].copy_from_slice(&lengths.concat());
    Ok(member)
}

/// A compressed file, read as what it holds.
#[derive(Debug)]
pub(super) struct Gzip {
    file: File,
    members: Vec<Member>,
    /// The member that was unpacked last, and its bytes.
    unpacked: Option<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    /// Where it begins, here and in the log.
    start: u64,
    offset: u64,
    /// How many bytes it is, and holds.
    length: usize,
    holds: usize,
}

impl Gzip {
    pub(super) fn open(mut file: File) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let (mut members, mut start, mut offset) = (Vec::new(), 0, 0);
        while start < end {
            let mut header = [0; HEADER];
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut header)?;
            let (length, holds) = lengths(&header).ok_or_else(wrong)?;
            members.push(Member { start, offset, length, holds });
            start += length as u64;
            offset += holds as u64;
        }
        Ok(Self { file, members, unpacked: None })
    }

    /// How many bytes it holds.
    pub(super) fn length(&self) -> u64 {
        self.members.last().map_or(0, |last| last.offset + last.holds as u64)
    }

    /// Some bytes from that offset on; none at the end.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let after = self.members.partition_point(|member| member.offset <= offset);
        let Some(number) = after.checked_sub(1) else { return Ok(0) };
        let begin = usize::try_from(offset - self.members[number].offset).unwrap_or(usize::MAX);
        let bytes = self.unpack(number)?;
        let bytes = bytes.get(begin..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn unpack(&mut self, number: usize) -> io::Result<&[u8]> {
        if self.unpacked.as_ref().is_none_or(|(which, _)| *which != number) {
            let member = self.members[number];
            self.file.seek(SeekFrom::Start(member.start))?;
            let mut packed = vec![0; member.length];
            self.file.read_exact(&mut packed)?;
            let mut bytes = Vec::with_capacity(member.holds);
            GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
            self.unpacked = Some((number, bytes));
        }
        Ok(self.unpacked.as_ref().map_or(&[], |(_, bytes)| bytes.as_slice()))
    }
}

fn lengths(header: &[u8; HEADER]) -> Option<(usize, usize)> {
    let ours = header[..4] == *b"\x1f\x8b\x08\x04" && header[10..LENGTHS] == *b"\x0c\x00SR\x08\x00";
    let word = |at: usize| {
        header[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte))
    };
    let (length, holds) = (word(LENGTHS), word(LENGTHS + 4));
    (ours && length > HEADER && holds <= BLOCK).then_some((length, holds))
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a log that was compressed here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(plain: &[u8]) -> Gzip {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(pack(plain, &mut file).unwrap(), plain.len() as u64);
        Gzip::open(file).unwrap()
    }

    #[test]
    fn any_place_can_be_read() {
        let plain: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut packed = packed(&plain);
        assert_eq!(packed.length(), plain.len() as u64);
        for offset in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, plain.len() - 1, plain.len(), 1 << 30] {
            let mut buffer = [0; 100];
            let count = packed.read_at(offset as u64, &mut buffer).unwrap();
            let rest = plain.get(offset..).unwrap_or_default();
            assert_eq!(count == 0, rest.is_empty());
            assert_eq!(buffer[..count], rest[..count]);
        }
    }

    #[test]
    fn everybody_else_reads_it_too() {
        let mut bytes = Vec::new();
        let plain = b"line\n".repeat(500_000);
        pack(plain.as_slice(), &mut bytes).unwrap();
        let mut again = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut again).unwrap();
        assert!(again == plain);
    }

    #[test]
    fn what_is_cut_or_foreign_is_an_error() {
        let mut bytes = Vec::new();
        pack(b"line\n".as_slice(), &mut bytes).unwrap();
        for bytes in [&bytes[..bytes.len() - 1], &bytes[..10], b"no gzip at all, but long enough"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            let read = Gzip::open(file).and_then(|mut packed| packed.read_at(0, &mut [0; 9]));
            assert!(read.is_err());
        }
        assert_eq!(packed(b"").length(), 0);
    }
}
