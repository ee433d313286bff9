//! Formatting: the text that was written, indented anew. Nothing else of it changes, so that no
//! comment, number or string can be lost.

use std::ops::Range;

use super::scan::{self, Kind};

/// The text with every line indented by the braces around it (four spaces each), space at the
/// ends of lines taken off, no two empty lines in a row, and one newline at its end. Lines within
/// strings and comments stay as they are, and so does the way in which lines end.
pub fn fmt(text: &str) -> String {
    formatted(text).0
}

/// The lines (from 1) that [`fmt`] would change or take out.
pub fn unformatted(text: &str) -> Vec<usize> {
    formatted(text).1
}

fn formatted(text: &str) -> (String, Vec<usize>) {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(text.len());
    let (mut changed, mut empty) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(lines(text)) {
        let mut new = String::new();
        if line.kept {
            new.push_str(line.text);
        } else if line.text.trim().is_empty() {
            empty.push((number, line.written));
            continue;
        } else {
            new.push_str(&"    ".repeat(line.depth));
            let trimmed = line.text.trim_start_matches(is_space);
            new.push_str(if line.open_end { trimmed } else { trimmed.trim_end() });
        }
        new.push_str(newline);
        let opens = out.trim_end_matches(['\r', '\n']).ends_with('{');
        // Of empty lines the first stays, if there is something on both its sides.
        if !empty.is_empty() && !line.kept && !out.is_empty() && !line.closes && !opens {
            let (first, written) = empty.remove(0);
            changed.extend((written != newline).then_some(first));
            out.push_str(newline);
        }
        changed.extend(empty.drain(..).map(|(number, _)| number));
        changed.extend((new != line.written).then_some(number));
        out.push_str(&new);
    }
    changed.extend(empty.into_iter().map(|(number, _)| number));
    (out, changed)
}

/// A line and how it is to be indented.
struct Line<'a> {
    text: &'a str,
    /// With its end.
    written: &'a str,
    depth: usize,
    /// It begins inside a string or comment.
    kept: bool,
    /// It ends inside a string or comment.
    open_end: bool,
    /// It begins with `}`.
    closes: bool,
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let tokens = scan::tokens(text);
    // Newlines at these bytes belong to a string or comment.
    let inner: Vec<Range<usize>> = tokens
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Newline | Kind::Continuation))
        .map(|token| token.range.clone())
        .filter(|range| text[range.clone()].contains('\n'))
        .collect();
    let is_inner = |newline: usize| inner.iter().any(|range| range.contains(&newline));
    let mut tokens = tokens.iter().peekable();
    let mut lines = Vec::new();
    let (mut start, mut depth, mut joined, mut kept) = (0, 0_usize, false, false);
    for piece in text.split_inclusive('\n') {
        let end = start + piece.len();
        let mut line_depth = depth + usize::from(joined);
        let (mut leading, mut closes) = (!kept, false);
        joined = false;
        while let Some(token) = tokens.next_if(|token| token.range.start < end) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Continuation => joined = true,
                _ => {}
            }
            // Every brace that a line begins with closes before it.
            leading &= token.kind == Kind::Close;
            if leading {
                (line_depth, closes) = (depth, true);
            }
        }
        let open_end = is_inner(end - 1);
        let content = piece.trim_end_matches(['\n', '\r']);
        lines.push(Line {
            text: content,
            written: piece,
            depth: line_depth,
            kept,
            open_end,
            closes,
        });
        kept = open_end;
        start = end;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_by_their_braces() {
        let text = "a {\n\n  b \"x\"   // c\n/* {\n  kept  */ d {\n e\n}}\n\n\n  f \\\n g\n";
        let expected =
            "a {\n    b \"x\"   // c\n    /* {\n  kept  */ d {\n        e\n}}\n\nf \\\n    g\n";
        assert_eq!(fmt(text), expected);
    }

    #[test]
    fn strings_stay_as_they_are() {
        let text = "a {\nb \"\"\"\n      x  \n\n\n      y {\n      \"\"\"\nc\n}\n";
        let expected = "a {\n    b \"\"\"\n      x  \n\n\n      y {\n      \"\"\"\n    c\n}\n";
        assert_eq!(fmt(text), expected);
    }

    #[test]
    fn lines_that_would_change_are_known() {
        assert_eq!(unformatted("a {\n b\n    c\n\n\n    d \n\n}\n\n"), [2, 5, 6, 7, 9]);
        assert_eq!(unformatted("\na {\r\n    b\r\n}"), [1, 4]);
        assert_eq!(fmt("a {\r\nb\r\n}"), "a {\r\n    b\r\n}\r\n");
        assert!(unformatted("a {\r\n    b\r\n}\r\n").is_empty());
    }

    #[test]
    fn formatting_again_changes_nothing() {
        for text in ["}}\n{", "a \"\"\"\n x", "/*\n\n", "\u{feff}a\r\n\r\n b", "a {\n} b {\n}"] {
            let once = fmt(text);
            assert_eq!(fmt(&once), once, "{text:?}");
        }
    }
}
