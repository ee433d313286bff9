//! When the bytes of a log came: a small file beside it, so that the log itself stays raw.
//!
//! `FILE.idx` is a sequence of records of 16 bytes: two u64, little-endian: an offset into the
//! log, and nanoseconds since 1970. The bytes from that offset up to the next record's came at
//! that time, or a few milliseconds later. Offsets and times never go down within a file; a torn
//! last record is to be ignored.

/// The length of a record.
pub const RECORD: usize = 16;

/// A record: from this offset on, this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// An offset into the log.
    pub offset: u64,
    /// Nanoseconds since 1970.
    pub nanos: u64,
}

impl Stamp {
    /// The record's bytes.
    pub fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.nanos.to_le_bytes());
        bytes
    }

    /// The record of these bytes.
    pub fn from_bytes(bytes: [u8; RECORD]) -> Self {
        let word = |from: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[from..from + 8]);
            u64::from_le_bytes(word)
        };
        Self { offset: word(0), nanos: word(8) }
    }

    /// The whole records of these bytes.
    pub fn all(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.as_chunks().0.iter().map(|record| Self::from_bytes(*record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_bytes() {
        let stamp = Stamp { offset: 1 << 40, nanos: 7 };
        let bytes = stamp.to_bytes();
        assert_eq!(Stamp::from_bytes(bytes), stamp);
        assert_eq!(Stamp::all(&[&bytes[..], &bytes[..11]].concat()).collect::<Vec<_>>(), [stamp]);
    }
}
