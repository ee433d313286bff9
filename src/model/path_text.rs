//! Paths and other texts of the system, variables and arguments, as text that loses nothing, for
//! messages and records in JSON.
//!
//! A path is bytes, and JSON is characters. A path that is UTF-8 is written as it is. Any other
//! one is written as a NUL, which no path holds, and then the path with each byte that is not
//! printable ASCII, and each `%`, as `%` and two hexadecimal digits.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// What begins a path that is not UTF-8.
const ESCAPED: char = '\0';

/// The text of a path.
pub fn encode(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut text = String::from(ESCAPED);
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' => text.push_str("%25"),
            b' '..=b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The path that a text stands for; none if it was not written by [`encode`].
pub fn decode(text: &str) -> Option<PathBuf> {
    let Some(escaped) = text.strip_prefix(ESCAPED) else { return Some(text.into()) };
    let mut pieces = escaped.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    Some(OsString::from_vec(bytes).into())
}

/// The text of a variable's name or value, or of an argument.
pub fn encode_text(text: &OsStr) -> String {
    encode(Path::new(text))
}

/// What a text of [`encode_text`] stands for; any other text is itself.
pub fn decode_text(text: &str) -> OsString {
    decode(text).map_or_else(|| text.into(), PathBuf::into_os_string)
}

/// Whether a text stands for bytes that are not UTF-8.
pub fn is_escaped(text: &str) -> bool {
    text.starts_with(ESCAPED)
}

/// Writes a path.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    encode(path).serialize(serializer)
}

/// Reads a path.
///
/// # Errors
///
/// Those of the deserializer; that a text is damaged.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| Error::custom("a damaged path"))
}

/// The same for a path that may be absent.
pub mod optional {
    use super::{Deserialize, Deserializer, Error, PathBuf, Serialize, Serializer, decode, encode};

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(encode).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Those of the deserializer; that a text is damaged.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let path = |text: String| decode(&text).ok_or_else(|| Error::custom("a damaged path"));
        text.map(path).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn every_path_survives() {
        for bytes in
            [&b"/a/b"[..], b"/caf\xc3\xa9/100%", b"/caf\xe9", b"/caf\xe9/100%/\n", b"%41\xff"]
        {
            let path = Path::new(OsStr::from_bytes(bytes));
            let text = encode(path);
            assert_eq!(decode(&text).as_deref(), Some(path), "{text:?}");
        }
        assert_eq!(encode(Path::new("/a 100%")), "/a 100%");
        assert_eq!(encode(Path::new(OsStr::from_bytes(b"/caf\xe9"))), "\0/caf%E9");
        assert_eq!((decode("\0%"), decode("\0%zz"), decode("\0%é")), (None, None, None));
    }
}
