//! The forms in which a value appears in words: as it is, and as it is written in JSON, in a URL,
//! in a shell, in a program's own notation, and in Base64.
//!
//! Most of them leave each writer a choice (`/` or `\/` or `%2F`, `ü` or `\u00fc` or `%c3%bc`), so
//! a text is read back rather than compared with every spelling.

/// A text as it reads when escapes are undone, and where each of its bytes comes from.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Where each byte begins in the text as it is, and at last where that ends.
    places: Vec<usize>,
}

impl Decoded {
    /// Where these bytes are in the text as it is.
    pub(super) fn place(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        let from = self.places[start];
        // All bytes of one escape begin at one place.
        let last = self.places[end - 1];
        let mut after = self.places[end..].iter().copied();
        let to = after.find(|&place| place > last).unwrap_or(last);
        from..to
    }
}

/// Which escapes are undone. A value may itself look like one kind while it is written in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Escapes {
    /// Those that begin with a backslash, and `'\''` of a shell.
    backslash: bool,
    /// `%C3` of a URL, and its `+`.
    percent: bool,
}

/// Every way to read a text that differs from the text as it is.
pub(super) fn readings(text: &[u8]) -> impl Iterator<Item = Decoded> {
    let has = |byte| text.contains(&byte);
    let (backslash, percent) = (has(b'\\'), has(b'%') || has(b'+'));
    let ways = [(true, false), (false, true), (true, true)].into_iter();
    let ways = ways.filter(move |&(is_backslash, is_percent)| {
        (backslash || !is_backslash) && (percent || !is_percent)
    });
    ways.map(|(backslash, percent)| decode(text, Escapes { backslash, percent }))
}

/// What a value comes to when it is read back must be this long to say anything, in bytes.
const SHORTEST_READING: usize = 4;

/// The bytes that are searched for in a text and its readings: the value, and what is left of it
/// where it has itself what looks like an escape.
pub(super) fn of(value: &str) -> Vec<Vec<u8>> {
    let readings = readings(value.as_bytes()).map(|reading| reading.bytes);
    let readings = readings.filter(|bytes| bytes.len() >= SHORTEST_READING);
    let mut forms: Vec<Vec<u8>> = vec![value.as_bytes().to_vec()];
    forms.extend(readings.filter(|bytes| !bytes.iter().all(u8::is_ascii_whitespace)));
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Undoes escapes, in one pass; what is none stays.
fn decode(text: &[u8], escapes: Escapes) -> Decoded {
    let mut decoded = Decoded {
        bytes: Vec::with_capacity(text.len()),
        places: Vec::with_capacity(text.len() + 1),
    };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let mut utf8 = [0; 4];
        let (bytes, length): (&[u8], usize) = match rest {
            [b'%', high, low, ..] if escapes.percent && is_hex(&[*high, *low]) => {
                utf8[0] = hex(&rest[1..3]).and_then(|code| u8::try_from(code).ok()).unwrap_or(0);
                (&utf8[..1], 3)
            }
            [b'+', ..] if escapes.percent => (b" ", 1),
            [b'\'', b'\\', b'\'', b'\'', ..] if escapes.backslash => (b"'", 4),
            [b'\\', after @ ..] if escapes.backslash => match backslash(after, &mut utf8) {
                Some((count, length)) => (&utf8[..count], 1 + length),
                None => (&rest[..1], 1),
            },
            _ => (&rest[..1], 1),
        };
        decoded.bytes.extend_from_slice(bytes);
        decoded.places.extend(bytes.iter().map(|_| at));
        at += length;
    }
    decoded.places.push(text.len());
    decoded
}

/// What follows a backslash: how many bytes it stands for, and how many it takes. That of JSON
/// (RFC 8259, 7), and what C, Rust, Python, JavaScript and shells have besides.
fn backslash(after: &[u8], utf8: &mut [u8; 4]) -> Option<(usize, usize)> {
    let mut one = |byte: u8, length: usize| {
        utf8[0] = byte;
        Some((1, length))
    };
    match after {
        [b'n', ..] => one(b'\n', 1),
        [b't', ..] => one(b'\t', 1),
        [b'r', ..] => one(b'\r', 1),
        [b'b', ..] => one(8, 1),
        [b'f', ..] => one(12, 1),
        [b'x', rest @ ..] => {
            let code = hex(rest.get(..2)?)?;
            one(u8::try_from(code).ok()?, 3)
        }
        [b'u', b'{', rest @ ..] => {
            let digits = rest.iter().take(7).position(|&byte| byte == b'}')?;
            let length = char::from_u32(hex(&rest[..digits])?)?.encode_utf8(utf8).len();
            Some((length, digits + 3))
        }
        [b'u', rest @ ..] => {
            let (unit, taken) = (hex(rest.get(..4)?)?, 5);
            // One beyond the Basic Multilingual Plane is written as a pair of surrogates.
            let low = || match rest.get(4..10)? {
                [b'\\', b'u', low @ ..] => hex(low).filter(|low| (0xdc00..0xe000).contains(low)),
                _ => None,
            };
            let (code, taken) = match (unit, low()) {
                (0xd800..0xdc00, Some(low)) => {
                    (0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), taken + 6)
                }
                _ => (unit, taken),
            };
            Some((char::from_u32(code)?.encode_utf8(utf8).len(), taken))
        }
        [b'U', rest @ ..] => {
            let code = hex(rest.get(..8)?)?;
            Some((char::from_u32(code)?.encode_utf8(utf8).len(), 9))
        }
        [sign, ..] if sign.is_ascii_punctuation() || *sign == b' ' => one(*sign, 1),
        _ => None,
    }
}

fn is_hex(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = Some(digits).filter(|digits| is_hex(digits))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What Base64 (RFC 4648) makes of a value within a longer text, as `user:password` of an
/// `Authorization` is. It depends on where in a group of three bytes the value begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Base64 {
    /// The characters that the value alone decides.
    pub(super) core: Vec<u8>,
    /// How many there are before and after it that it decides together with its neighbours.
    pub(super) around: (usize, usize),
}

/// Shorter values could stand in any Base64 by chance; longer ones are broken into lines there.
const IN_BASE64: std::ops::RangeInclusive<usize> = 8..=1024;

/// All of them, in both alphabets.
pub(super) fn base64(value: &str) -> Vec<Base64> {
    if !IN_BASE64.contains(&value.len()) {
        return Vec::new();
    }
    let mut forms = Vec::new();
    for before in 0..3 {
        let (start, end) = (before * 8, (before + value.len()) * 8);
        let bit = |at: usize| {
            let byte = value.as_bytes()[at / 8 - before];
            usize::from((byte >> (7 - at % 8)) & 1)
        };
        let core = |alphabet: &[u8; 64]| {
            let characters = start.div_ceil(6)..end / 6;
            let index =
                |at: usize| (at * 6..at * 6 + 6).fold(0, |index, at| (index << 1) | bit(at));
            characters.map(|at| alphabet[index(at)]).collect::<Vec<u8>>()
        };
        let around = (usize::from(!start.is_multiple_of(6)), usize::from(!end.is_multiple_of(6)));
        let (standard, of_urls) = (core(STANDARD), core(OF_URLS));
        if standard != of_urls {
            forms.push(Base64 { core: of_urls, around });
        }
        forms.push(Base64 { core: standard, around });
    }
    forms
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const OF_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Whether a byte may stand in Base64.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let readings = readings(text.as_bytes());
        readings.map(|reading| String::from_utf8_lossy(&reading.bytes).into_owned()).collect()
    }

    #[test]
    fn escapes_are_undone() {
        for (escaped, value) in [
            (r"abc\/def\u002fg\u00FC", "abc/def/gü"),
            (r#"\"\\\n\t\x41\u{e9}\ud83d\ude00\U0001f600"#, "\"\\\n\tAé😀😀"),
            (r"it'\''s\ \$5", "it's $5"),
            ("Z%C3%bcrich%2F9+pass~w%2Ard", "Zürich/9 pass~w*rd"),
        ] {
            assert!(
                read(escaped).iter().any(|read| read == value),
                "{escaped}: {:?}",
                read(escaped)
            );
        }
        assert_eq!(read(r"\q\u12\ud800%4%zz"), vec![r"\q\u12\ud800%4%zz"; 3]);
        assert!(read("plain").is_empty());
    }

    #[test]
    fn a_place_is_that_of_whole_escapes() {
        let text = r"a\u00fcb";
        let decoded = readings(text.as_bytes()).next().unwrap();
        assert_eq!(decoded.place(1, 3), 1..7);
        assert_eq!(decoded.place(0, 4), 0..text.len());
    }

    #[test]
    fn base64_within_a_longer_text() {
        // `user:secret-77`, whose secret begins in the middle of a group.
        let whole = "dXNlcjpzZWNyZXQtNzc=";
        let forms = base64("secret-77");
        assert!(forms.iter().any(|form| {
            let core = String::from_utf8_lossy(&form.core);
            form.around == (1, 0) && whole.contains(&*core) || whole.contains(&*core)
        }));
        assert!(base64("short").is_empty());
    }
}
