//! `{{…}}` in strings: where they are. What they mean is for `values`.

use std::ops::Range;

/// A piece of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Characters as they are.
    Literal(String),
    /// What stands between `{{` and `}}`: bytes of the string, spaces around it left out.
    Value(Range<usize>),
}

/// A `{{` without its `}}`: the bytes of the two braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) Range<usize>);

/// What begins at a byte of a string.
pub(super) enum Brace {
    /// `{{{{`: two literal braces.
    Escaped,
    /// `{{…}}`: what it holds, and the byte after it.
    Value(Range<usize>, usize),
    /// `{{` to the end of the string.
    Unclosed(Unclosed),
}

/// The braces that begin at byte `at`, if any do.
pub(super) fn brace(text: &str, at: usize) -> Option<Brace> {
    let rest = &text[at..];
    if rest.starts_with("{{{{") {
        return Some(Brace::Escaped);
    }
    let inner = rest.strip_prefix("{{")?;
    let Some(length) = inner.find("}}") else {
        return Some(Brace::Unclosed(Unclosed(at..at + 2)));
    };
    let expression = &inner[..length];
    let lead = expression.len() - expression.trim_start().len();
    let start = at + 2 + lead;
    let end = start + expression.trim().len();
    Some(Brace::Value(start..end, at + 2 + length + 2))
}

/// The pieces of a string.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Unclosed> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("{{") {
        literal(&mut pieces, &text[at..at + next]);
        at += next;
        match brace(text, at) {
            Some(Brace::Value(range, after)) => {
                pieces.push(Piece::Value(range));
                at = after;
            }
            Some(Brace::Unclosed(unclosed)) => return Err(unclosed),
            Some(Brace::Escaped) => {
                literal(&mut pieces, "{{");
                at += 4;
            }
            None => break,
        }
    }
    literal(&mut pieces, &text[at..]);
    Ok(pieces)
}

/// Adds characters to the last piece, or begins a new one.
pub(super) fn literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(last)) => last.push_str(text),
        Some(Piece::Value(_)) | None => pieces.push(Piece::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_found() {
        let text = "a {{ port }}b}} {{{{c";
        let value = Piece::Value(5..9);
        let rest = Piece::Literal("b}} {{c".into());
        assert_eq!(pieces(text), Ok(vec![Piece::Literal("a ".into()), value, rest]));
        assert_eq!(&text[5..9], "port");
        assert_eq!(pieces("x {{port"), Err(Unclosed(2..4)));
        assert_eq!(pieces(""), Ok(vec![]));
    }
}
