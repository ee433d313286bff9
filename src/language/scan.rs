//! The tokens of KDL, for what its parser does not give: formatting, and errors with their cause.

use std::ops::Range;

/// A token: its kind and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Where.
    pub(super) range: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word, a number, a keyword such as `#true`.
    Word,
    /// A string in quotes.
    Quoted,
    /// A raw string.
    Raw,
    /// A string that the line (or the text) ends in the midst of.
    UnclosedString,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    Semicolon,
    /// `=`
    Equals,
    /// The end of a line.
    Newline,
    /// A `\` that joins two lines, with the end of the line.
    Continuation,
    /// `// …`
    LineComment,
    /// `/* … */`
    BlockComment,
    /// A `/*` that is never closed.
    UnclosedComment,
    /// `/-`
    Slashdash,
}

/// All tokens; what is between them is space. Never fails: whatever is not KDL comes out as words.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { text, at: 0 };
    let mut tokens = Vec::new();
    while scanner.skip_space() {
        let (start, kind) = (scanner.at, scanner.kind());
        let (length, closed) = scanner.extent(kind);
        scanner.at += length;
        let kind = match kind {
            Kind::Quoted | Kind::Raw if !closed => Kind::UnclosedString,
            Kind::BlockComment if !closed => Kind::UnclosedComment,
            kind => kind,
        };
        tokens.push(Token { kind, range: start..scanner.at });
    }
    tokens
}

/// The tokens that say something: without comments, joins of lines, and what `/-` takes out. An
/// `Err` is the byte at which something stands that is no KDL by itself.
pub(super) fn significant(tokens: &[Token]) -> Result<Vec<&Token>, usize> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::BlockComment | Kind::Continuation => at += 1,
            Kind::UnclosedComment | Kind::UnclosedString => return Err(token.range.start),
            Kind::Slashdash => at = slashed(tokens, at, kept.last().copied())?,
            _ => {
                kept.push(token);
                at += 1;
            }
        }
    }
    Ok(kept)
}

/// Where what the `/-` at `at` takes out ends: a block, a node, a value or a property.
fn slashed(tokens: &[Token], at: usize, before: Option<&Token>) -> Result<usize, usize> {
    let is_space = |kind: Kind| {
        matches!(kind, Kind::Newline | Kind::LineComment | Kind::BlockComment | Kind::Continuation)
    };
    let skip_space = |mut at: usize| {
        while tokens.get(at).is_some_and(|token| is_space(token.kind)) {
            at += 1;
        }
        at
    };
    let begins_node = before.is_none_or(|before| {
        matches!(
            before.kind,
            Kind::Newline | Kind::LineComment | Kind::Semicolon | Kind::Open | Kind::Close
        )
    });
    let nothing = tokens[at].range.start;
    let first = skip_space(at + 1);
    match tokens.get(first).ok_or(nothing)?.kind {
        Kind::Open => end_of(tokens, first, |token, depth| depth == 1 && token == Kind::Close)
            .map(|end| end + 1)
            .ok_or(tokens[first].range.start),
        Kind::Word | Kind::Quoted | Kind::Raw if begins_node => {
            let ends = |token, depth| {
                let end = matches!(
                    token,
                    Kind::Newline | Kind::LineComment | Kind::Semicolon | Kind::Close
                );
                depth == 0 && end
            };
            let end = end_of(tokens, first, ends).unwrap_or(tokens.len());
            // A `;` that ends what is not there would end nothing.
            let semicolon = tokens.get(end).is_some_and(|end| end.kind == Kind::Semicolon);
            Ok(end + usize::from(semicolon))
        }
        Kind::Word | Kind::Quoted | Kind::Raw => {
            let in_line = |mut at: usize| {
                let joins = |kind| matches!(kind, Kind::BlockComment | Kind::Continuation);
                while tokens.get(at).is_some_and(|token| joins(token.kind)) {
                    at += 1;
                }
                at
            };
            let equals = in_line(first + 1);
            let is_property = tokens.get(equals).is_some_and(|token| token.kind == Kind::Equals);
            Ok(if is_property { in_line(equals + 1) + 1 } else { first + 1 })
        }
        _ => Err(nothing),
    }
}

/// The first token from `from` on at which it ends, by its kind and the depth of braces there.
fn end_of(tokens: &[Token], from: usize, ends: impl Fn(Kind, usize) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        if ends(token.kind, depth) {
            return Some(at);
        }
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Goes to the next token; whether there is one.
    fn skip_space(&mut self) -> bool {
        let is_space = |c: char| (c.is_whitespace() && c != '\n' && c != '\r') || c == '\u{feff}';
        let rest = self.rest();
        self.at += rest.find(|c| !is_space(c)).unwrap_or(rest.len());
        self.at < self.text.len()
    }

    fn kind(&self) -> Kind {
        let rest = self.rest();
        let starts = |prefix| rest.starts_with(prefix);
        match rest.chars().next() {
            Some('\n' | '\r') => Kind::Newline,
            Some('{') => Kind::Open,
            Some('}') => Kind::Close,
            Some(';') => Kind::Semicolon,
            Some('=') => Kind::Equals,
            Some('"') => Kind::Quoted,
            Some('#') if rest.trim_start_matches('#').starts_with('"') => Kind::Raw,
            Some('\\') if joins_lines(&rest[1..]) => Kind::Continuation,
            Some('/') if starts("//") => Kind::LineComment,
            Some('/') if starts("/*") => Kind::BlockComment,
            Some('/') if starts("/-") => Kind::Slashdash,
            _ => Kind::Word,
        }
    }

    /// How long the token of that kind is that begins here, and whether it has its end.
    fn extent(&self, kind: Kind) -> (usize, bool) {
        let rest = self.rest();
        let length = match kind {
            Kind::BlockComment | Kind::UnclosedComment => return block_comment(rest),
            Kind::Quoted | Kind::UnclosedString => return quoted(rest),
            Kind::Raw => return raw(rest),
            Kind::Open | Kind::Close | Kind::Semicolon | Kind::Equals => 1,
            Kind::Newline if rest.starts_with("\r\n") => 2,
            Kind::Newline => 1,
            Kind::Continuation => rest.find('\n').map_or(rest.len(), |newline| newline + 1),
            Kind::LineComment => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            Kind::Slashdash => 2,
            Kind::Word => word(rest),
        };
        (length, true)
    }
}

/// Whether nothing but space and a comment follows in this line.
fn joins_lines(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.starts_with(['\n', '\r']) || rest.starts_with("//")
}

fn word(rest: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '=' | '"');
    let end = rest.find(ends).unwrap_or(rest.len());
    // A raw string glued to a word is a token of its own.
    let bare = rest[..end].trim_end_matches('#');
    if rest[end..].starts_with('"') && !bare.is_empty() { bare.len() } else { end }
}

fn block_comment(rest: &str) -> (usize, bool) {
    let mut depth = 0_usize;
    for (at, opens) in marks(rest) {
        depth = if opens { depth + 1 } else { depth.saturating_sub(1) };
        if depth == 0 {
            return (at + 2, true);
        }
    }
    (rest.len(), false)
}

/// Where a comment within more than `most` others begins in this one.
pub(super) fn comment_deeper_than(comment: &str, most: usize) -> Option<usize> {
    let mut depth = 0_usize;
    marks(comment).find_map(|(at, opens)| {
        depth = if opens { depth + 1 } else { depth.saturating_sub(1) };
        (depth > most + 1).then_some(at)
    })
}

/// Each `/*` and `*/` of a comment: where, and whether it opens one.
fn marks(comment: &str) -> impl Iterator<Item = (usize, bool)> {
    let bytes = comment.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(pair) = bytes.get(at..at + 2) {
            let start = at;
            match pair {
                b"/*" | b"*/" => {
                    at += 2;
                    return Some((start, pair == b"/*"));
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// A string in quotes: up to its end, or that of its line.
fn quoted(rest: &str) -> (usize, bool) {
    let quotes = if rest.starts_with("\"\"\"") { 3 } else { 1 };
    let mut chars = rest.char_indices().skip(quotes).peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                let escaped = chars.next();
                // Escaped space may span lines.
                let mut space = escaped.is_some_and(|(_, next)| next.is_whitespace());
                while space {
                    space = chars.next_if(|(_, next)| next.is_whitespace()).is_some();
                }
            }
            '"' if quotes == 1 => return (at + 1, true),
            '"' if rest[at..].starts_with("\"\"\"") => return (at + 3, true),
            '\n' | '\r' if quotes == 1 => return (at, false),
            _ => {}
        }
    }
    (rest.len(), false)
}

fn raw(rest: &str) -> (usize, bool) {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let multi = rest[hashes..].starts_with("\"\"\"");
    let quotes = if multi { "\"\"\"" } else { "\"" };
    let end = format!("{quotes}{}", "#".repeat(hashes));
    let body = hashes + quotes.len();
    // Not beyond its line, which may be a short one in a long text.
    let line_end = if multi { rest.len() } else { rest.find('\n').unwrap_or(rest.len()) };
    let closed = rest.get(body..line_end).and_then(|text| text.find(&end));
    closed.map_or((line_end, false), |at| (body + at + end.len(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).into_iter().map(|token| (token.kind, &text[token.range])).collect()
    }

    #[test]
    fn tokens_of_a_node() {
        let text = "a \"b \\\" }\" k=#true { /* { /* */ */ c #\"\"}\"# ; } // x\n";
        let expected = [
            (Kind::Word, "a"),
            (Kind::Quoted, "\"b \\\" }\""),
            (Kind::Word, "k"),
            (Kind::Equals, "="),
            (Kind::Word, "#true"),
            (Kind::Open, "{"),
            (Kind::BlockComment, "/* { /* */ */"),
            (Kind::Word, "c"),
            (Kind::Raw, "#\"\"}\"#"),
            (Kind::Semicolon, ";"),
            (Kind::Close, "}"),
            (Kind::LineComment, "// x"),
            (Kind::Newline, "\n"),
        ];
        assert_eq!(kinds(text), expected);
    }

    #[test]
    fn strings_that_do_not_end() {
        assert_eq!(kinds("\"a\n")[0], (Kind::UnclosedString, "\"a"));
        assert_eq!(kinds("\"a\\\"")[0], (Kind::UnclosedString, "\"a\\\""));
        assert_eq!(kinds("\"")[0], (Kind::UnclosedString, "\""));
        assert_eq!(kinds("\"\"")[0], (Kind::Quoted, "\"\""));
        assert_eq!(kinds("#\"a\n")[0], (Kind::UnclosedString, "#\"a"));
        assert_eq!(kinds("\"\"\"\n a\n \"\"\"")[0].0, Kind::Quoted);
        assert_eq!(kinds("\"\"\"\n a")[0].0, Kind::UnclosedString);
        assert_eq!(kinds("/* a")[0].0, Kind::UnclosedComment);
        assert_eq!(kinds("a \\\n b")[1], (Kind::Continuation, "\\\n"));
    }
}
