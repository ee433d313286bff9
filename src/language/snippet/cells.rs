//! The characters of a line, as they are shown.

use std::ops::Range;

use console::measure_text_width;

use crate::{printable::is_control, secrets::MASK};

/// A character as it is shown.
pub(super) struct Cell {
    /// The byte of the line at which it begins.
    pub(super) byte: usize,
    shown: String,
    /// Columns.
    pub(super) width: usize,
}

/// The characters of a line: a tab is four spaces, what cannot be seen is a `·`, and a secret is a
/// mask that stands where it begins.
pub(super) fn cells(line: &str, secrets: &[Range<usize>]) -> Vec<Cell> {
    let cell = |(byte, char): (usize, char)| {
        let secret = secrets.iter().find(|secret| secret.contains(&byte));
        let shown = match (secret, char) {
            (Some(secret), _) if secret.start == byte => MASK.to_owned(),
            (Some(_), _) | (None, '\u{feff}') => String::new(),
            (None, '\t') => "    ".to_owned(),
            (None, char) if is_control(char) => "·".to_owned(),
            (None, char) => char.to_string(),
        };
        Cell { byte, width: measure_text_width(&shown), shown }
    };
    line.char_indices().map(cell).collect()
}

/// What is seen of a line from column `skip` on in `room` columns.
pub(super) fn window(cells: &[Cell], skip: usize, room: usize, cut: &str) -> String {
    let whole: usize = cells.iter().map(|cell| cell.width).sum();
    let cut_width = measure_text_width(cut);
    let from = if skip > 0 { skip + cut_width } else { 0 };
    let to = if whole > skip + room { skip + room - cut_width } else { whole };
    let mut out = String::new();
    let (mut at, mut seen) = (0, 0);
    if skip > 0 {
        out.push_str(cut);
        seen = cut_width;
    }
    for cell in cells {
        if at >= from && at + cell.width <= to {
            // A wide character that the cut went through.
            out.push_str(&" ".repeat((at - skip).saturating_sub(seen)));
            out.push_str(&cell.shown);
            seen = at - skip + cell.width;
        }
        at += cell.width;
    }
    if to < whole {
        out.push_str(cut);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_seen_around_its_mark() {
        let shown = |text: &str, skip, room| window(&cells(text, &[]), skip, room, "…");
        assert_eq!(shown("abcdef", 0, 6), "abcdef");
        assert_eq!(shown("abcdefgh", 0, 6), "abcde…");
        assert_eq!(shown("abcdefghij", 2, 6), "…defg…");
        assert_eq!(shown("abcdefghij", 4, 6), "…fghij");
        assert_eq!(shown("\ta\u{7}日", 0, 20), "    a·日");
        assert_eq!(shown("ab日c", 2, 4), "… c");
    }

    #[test]
    fn a_secret_is_a_mask_in_its_place() {
        let line = "TOKEN \"hunter2\" secrt=#true";
        let secret = line.find("hunter2").map(|start| start..start + "hunter2".len());
        let cells = cells(line, secret.as_slice());
        assert_eq!(window(&cells, 0, 80, "…"), "TOKEN \"•••\" secrt=#true");
        let before: usize =
            cells.iter().take_while(|cell| cell.byte < 16).map(|cell| cell.width).sum();
        assert_eq!(before, 12, "what follows is marked where it stands");
    }
}
