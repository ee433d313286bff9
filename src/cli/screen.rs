//! What a program has done to the terminal that shows it, and how to undo that.

/// The private modes (DECSET) that outlast a program if they are not reset: the other screen,
/// cursor keys, mouse reports, bracketed paste, focus reports, and the cursor (on otherwise).
const MODES: [(u32, bool); 13] = [
    (1049, false),
    (1047, false),
    (47, false),
    (1, false),
    (9, false),
    (1000, false),
    (1002, false),
    (1003, false),
    (1004, false),
    (1006, false),
    (1015, false),
    (2004, false),
    (25, true),
];
/// No sequence that matters is longer.
const LONGEST: usize = 64;

/// The modes of a terminal, as far as what was shown has changed them.
#[derive(Debug, Default)]
pub(super) struct Screen {
    changed: Vec<(u32, bool)>,
    /// The beginning of a sequence whose end has not come.
    rest: Vec<u8>,
}

impl Screen {
    /// Takes note of what is shown.
    pub(super) fn show(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.rest);
        let mut from = 0;
        while let Some(start) = memchr::memmem::find(&bytes[from..], b"\x1b").map(|at| from + at) {
            let sequence = &bytes[start..];
            let end = sequence.iter().skip(3).position(u8::is_ascii_alphabetic);
            match end.map(|end| end + 3) {
                Some(end) if sequence.starts_with(b"\x1b[?") => {
                    self.set(&sequence[3..end], sequence[end]);
                }
                None if sequence.len() < LONGEST
                    && b"\x1b[?".starts_with(&sequence[..sequence.len().min(3)]) =>
                {
                    self.rest = sequence.to_vec();
                    return;
                }
                _ => {}
            }
            from = start + 1;
        }
    }

    fn set(&mut self, parameters: &[u8], how: u8) {
        let on = match how {
            b'h' => true,
            b'l' => false,
            _ => return,
        };
        let numbers = std::str::from_utf8(parameters).unwrap_or_default().split(';');
        for number in numbers.filter_map(|number| number.parse().ok()) {
            let usual = MODES.iter().find(|(mode, _)| *mode == number).map(|(_, usual)| *usual);
            self.changed.retain(|(mode, _)| *mode != number);
            if usual.is_some_and(|usual| usual != on) {
                self.changed.push((number, on));
            }
        }
    }

    /// What brings a terminal back to how it was, colours included.
    pub(super) fn undo(&self) -> Vec<u8> {
        let undo = self.changed.iter().rev();
        let undo = undo.map(|(mode, on)| format!("\x1b[?{mode}{}", if *on { 'l' } else { 'h' }));
        let mut bytes: Vec<u8> = undo.collect::<String>().into_bytes();
        bytes.extend_from_slice(b"\x1b[0m");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(shown: &[&str]) -> String {
        let mut screen = Screen::default();
        shown.iter().for_each(|bytes| screen.show(bytes.as_bytes()));
        String::from_utf8(screen.undo()).unwrap()
    }

    #[test]
    fn what_was_changed_is_undone() {
        assert_eq!(undo(&["plain \u{1b}[31mred\u{1b}[?7h"]), "\u{1b}[0m");
        assert_eq!(undo(&["\u{1b}[?1049h\u{1b}[?25ltop"]), "\u{1b}[?25h\u{1b}[?1049l\u{1b}[0m");
        assert_eq!(undo(&["\u{1b}[?1049hvim\u{1b}[?1049l"]), "\u{1b}[0m");
        assert_eq!(undo(&["\u{1b}[?1000;10", "06h", "x"]), "\u{1b}[?1006l\u{1b}[?1000l\u{1b}[0m");
        assert_eq!(undo(&["\u{1b}", "[", "?2004h"]), "\u{1b}[?2004l\u{1b}[0m");
    }
}
