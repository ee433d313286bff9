//! What a program wrote, made fit for somebody else's terminal: its colours stay, and nothing
//! else that would move the cursor, clear the screen, ring, or change how the terminal works.

use std::borrow::Cow;

use crate::printable::{self, is_control};

/// Whether all of it is printable ASCII, or tabs.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // Without a way out of the loop: the compiler looks at many bytes at once.
    text.iter().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') | (*byte == b'\t')))
}

/// The text with its colours, if those are wanted, and without any other control sequence;
/// control characters, and those that turn the direction of writing, are made visible.
pub(super) fn sanitize(text: &str, colors: bool) -> Cow<'_, str> {
    if !text.contains(|letter: char| is_control(letter) && letter != '\t') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut colored = false;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if letter == '\u{1b}' || letter == '\u{9b}' {
            let (length, is_color) = sequence(rest);
            if length > 0 {
                if is_color && colors {
                    shown.push_str(&rest[..length]);
                    colored = !matches!(&rest[..length], "\u{1b}[0m" | "\u{1b}[m");
                }
                rest = &rest[length..];
                continue;
            }
        }
        match letter {
            '\t' => shown.push(letter),
            letter => printable::show(letter, &mut shown),
        }
        rest = &rest[letter.len_utf8()..];
    }
    if colored {
        shown.push_str("\u{1b}[0m");
    }
    Cow::Owned(shown)
}

/// How long the control sequence at the beginning is (ECMA-48), and whether it sets colours; 0 if
/// it has no end here.
fn sequence(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let (kind, body) = match bytes {
        [0x1b, kind, ..] => (*kind, 2),
        // The control sequence introducer as one character.
        [0xc2, 0x9b, ..] => (b'[', 2),
        _ => return (0, false),
    };
    match kind {
        b'[' => {
            let is_parameter = |byte: &&u8| matches!(byte, 0x30..=0x3f);
            let parameters = bytes[body..].iter().take_while(is_parameter).count();
            let between =
                bytes[body + parameters..].iter().take_while(|byte| matches!(byte, 0x20..=0x2f));
            let end = body + parameters + between.count();
            let is_color = bytes.get(end) == Some(&b'm')
                && end == body + parameters
                && bytes[body..end].iter().all(|byte| matches!(byte, b'0'..=b';'));
            match bytes.get(end) {
                Some(0x40..=0x7e) => (end + 1, is_color),
                _ => (0, false),
            }
        }
        // A text for the terminal: its title, a link, a picture.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let end = bytes[2..].iter().position(|byte| matches!(byte, 0x07 | 0x1b));
            match end.map(|end| end + 2) {
                Some(end) if bytes[end] == 0x07 => (end + 1, false),
                Some(end) if bytes.get(end + 1) == Some(&b'\\') => (end + 2, false),
                _ => (0, false),
            }
        }
        0x20..=0x2f => {
            let between = bytes[1..].iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            match bytes.get(1 + between) {
                Some(0x30..=0x7e) => (2 + between, false),
                _ => (0, false),
            }
        }
        0x30..=0x7e => (2, false),
        _ => (0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_nothing_else() {
        for (wild, colored, plain) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[Hhome\u{1b}[?25l", "home", "home"),
            ("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link", "alink", "alink"),
            ("\u{1b}c\u{1b}(B\u{1b}7\u{1b}M.", ".", "."),
            ("\u{9b}31mx\u{9b}2J", "\u{9b}31mx\u{1b}[0m", "x"),
            (
                "ding\u{7} \u{8}\u{b}\u{c}\u{7f}\ttab",
                "ding^G ^H^K^L\\u007f\ttab",
                "ding^G ^H^K^L\\u007f\ttab",
            ),
            ("\u{1b}[31", "^[[31", "^[[31"),
            ("\u{1b}]no end", "^[]no end", "^[]no end"),
            ("\u{1b}[>4;1m\u{1b}[1 q!", "!", "!"),
            ("\u{85}é\u{1b}é\u{202e}", "\\u0085é^[é\\u202e", "\\u0085é^[é\\u202e"),
        ] {
            assert_eq!(sanitize(wild, true), colored, "{wild:?}");
            assert_eq!(sanitize(wild, false), plain, "{wild:?}");
        }
    }

    #[test]
    fn what_is_plain_needs_no_look() {
        assert!(is_plain(b"a line\twith ~ and {}"));
        assert!(!is_plain(b"a\x1b[0m") && !is_plain("é".as_bytes()) && !is_plain(b"\x7f"));
    }
}
