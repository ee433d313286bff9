//! Text of files: UTF-8, with or without a mark at its beginning. Anything else is refused and not
//! guessed at: a password that is read in another encoding is another password.

/// What a text is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotUtf8 {
    /// It is in an encoding that it shows by how it begins, or by zeros between its letters.
    Wide(&'static str),
    /// A byte that no UTF-8 has there.
    Byte {
        /// The line that it stands in, from 1.
        line: usize,
        /// Which byte of the line it is, from 1.
        column: usize,
        /// The byte.
        byte: u8,
        /// What the text may be instead.
        guess: &'static str,
    },
}

/// The text of a file.
///
/// # Errors
/// It is in another encoding.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    if let Some(encoding) = wide(&bytes) {
        return Err(NotUtf8::Wide(encoding));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line_start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // ISO-8859-1 has no letters there, and its cousin of Windows has.
        let windows = bytes.iter().any(|byte| (0x80..0xa0).contains(byte));
        NotUtf8::Byte {
            line: bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1,
            column: at - line_start + 1,
            byte: bytes[at],
            guess: if windows { "Windows-1252" } else { "ISO-8859-1" },
        }
    })
}

/// The encoding with more than one byte a letter that a text seems to be in.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    let marks: [(&[u8], &str); 4] = [
        (&[0xff, 0xfe, 0, 0], "UTF-32LE"),
        (&[0, 0, 0xfe, 0xff], "UTF-32BE"),
        (&[0xff, 0xfe], "UTF-16LE"),
        (&[0xfe, 0xff], "UTF-16BE"),
    ];
    if let Some((_, encoding)) = marks.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some(encoding);
    }
    // Latin letters have a zero beside each of them.
    match bytes {
        [first, 0, second, 0, ..] if *first > 0 && *second > 0 => Some("UTF-16LE"),
        [0, first, 0, second, ..] if *first > 0 && *second > 0 => Some("UTF-16BE"),
        _ => None,
    }
}

impl std::fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wide(encoding) => write!(f, "it is not UTF-8 but {encoding}"),
            Self::Byte { line, column, byte, guess } => write!(
                f,
                "byte {column} of line {line} (0x{byte:02x}) is not valid UTF-8; the file may be {guess}"
            ),
        }
    }
}

impl NotUtf8 {
    /// What `iconv` calls the encoding.
    pub(super) fn guess(&self) -> &'static str {
        match self {
            Self::Wide(encoding) => encoding,
            Self::Byte { guess, .. } => guess,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(bytes: &[u8]) -> NotUtf8 {
        text(bytes.to_vec()).expect_err("is refused")
    }

    #[test]
    fn the_encoding_is_guessed_and_the_byte_is_named() {
        let latin = wrong(b"A=1\nB=caf\xe9\n");
        assert_eq!(latin, NotUtf8::Byte { line: 2, column: 6, byte: 0xe9, guess: "ISO-8859-1" });
        assert_eq!(wrong(b"A=\x80 5").guess(), "Windows-1252");
        assert_eq!(wrong(b"\xff\xfeA\0=\0"), NotUtf8::Wide("UTF-16LE"));
        assert_eq!(wrong(b"\xfe\xff\0A\0="), NotUtf8::Wide("UTF-16BE"));
        assert_eq!(wrong(b"A\0=\x001\0"), NotUtf8::Wide("UTF-16LE"));
        assert_eq!(wrong(b"\xff\xfe\0\0A\0\0\0"), NotUtf8::Wide("UTF-32LE"));
        assert_eq!(text(b"\xef\xbb\xbfA=\xc3\xa9\r\n".to_vec()).as_deref(), Ok("\u{feff}A=é\r\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_utf8_is_read_and_nothing_else_is(bytes: Vec<u8>) {
            let expected = String::from_utf8(bytes.clone()).ok();
            let read = text(bytes);
            // Zeros beside letters are UTF-8, and are refused all the same.
            if !matches!(read, Err(NotUtf8::Wide(_))) {
                prop_assert_eq!(read.ok(), expected);
            }
        }
    }
}
