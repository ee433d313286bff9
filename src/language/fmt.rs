//! Formatting: the text that was written, indented anew. Nothing else of it changes, so that no
//! comment, number or string can be lost.

use std::ops::Range;

use super::scan::{self, Kind};

/// The text with every line indented by the braces around it (four spaces each), space at the
/// ends of lines taken off, no two empty lines in a row, and one newline at its end. Lines within
/// strings and comments stay as they are.
pub fn fmt(text: &str) -> String {
    let lines = lines(text);
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in lines {
        if line.kept {
            out.push_str(line.text);
            empty = 0;
        } else if line.text.trim().is_empty() {
            empty += 1;
            continue;
        } else {
            if empty > 0 && !out.is_empty() && !line.closes && !out.ends_with("{\n") {
                out.push('\n');
            }
            empty = 0;
            out.push_str(&"    ".repeat(line.depth));
            let trimmed = line.text.trim_start_matches(is_space);
            out.push_str(if line.open_end { trimmed } else { trimmed.trim_end() });
        }
        out.push('\n');
    }
    out
}

/// A line and how it is to be indented.
struct Line<'a> {
    text: &'a str,
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
        lines.push(Line { text: content, depth: line_depth, kept, open_end, closes });
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
    fn formatting_again_changes_nothing() {
        for text in ["}}\n{", "a \"\"\"\n x", "/*\n\n", "\u{feff}a\r\n\r\n b", "a {\n} b {\n}"] {
            let once = fmt(text);
            assert_eq!(fmt(&once), once, "{text:?}");
        }
    }
}
