//! The words of a one-string `run`: split as a shell quotes them, without being a shell.

use std::ops::Range;

use super::template::{self, Brace, Piece};

/// Why a string cannot be split into words, and the bytes of it that are the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WordError {
    /// The reason.
    pub(super) kind: WordErrorKind,
    /// Where.
    pub(super) range: Range<usize>,
}

/// Why a string cannot be split into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WordErrorKind {
    /// A character that only a shell gives a meaning.
    Shell(char),
    /// A variable that only a shell fills in; with its name, if it has one.
    Variable(String),
    /// A word that begins with `#`.
    Comment,
    /// A leading `K=v`.
    Assignment(String, String),
    /// A quote that is not closed.
    Unclosed(char),
    /// A backslash at the end.
    Backslash,
    /// A `{{` that is not closed.
    Braces,
    /// No word at all.
    Empty,
}

/// The words of `text`, each in pieces.
pub(super) fn split(text: &str) -> Result<Vec<Vec<Piece>>, WordError> {
    let words = Splitter { text, at: 0 }.words()?;
    if words.is_empty() {
        return Err(WordError { kind: WordErrorKind::Empty, range: 0..text.len() });
    }
    Ok(words)
}

struct Splitter<'a> {
    text: &'a str,
    at: usize,
}

impl Splitter<'_> {
    fn words(&mut self) -> Result<Vec<Vec<Piece>>, WordError> {
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Ok(words);
            }
            if words.is_empty() {
                self.refuse_assignment()?;
            }
            words.push(self.word()?);
        }
    }

    /// One word, up to the space after it.
    fn word(&mut self) -> Result<Vec<Piece>, WordError> {
        if self.peek() == Some('#') {
            return Err(self.error(WordErrorKind::Comment, 1));
        }
        // Quotes make a word even of nothing.
        let mut pieces = Vec::new();
        while let Some(char) = self.peek() {
            match char {
                _ if char.is_whitespace() => break,
                _ if self.value(&mut pieces)? => {}
                '\'' => self.single_quoted(&mut pieces)?,
                '"' => self.double_quoted(&mut pieces)?,
                '\\' => {
                    let Some(next) = self.text[self.at + 1..].chars().next() else {
                        return Err(self.error(WordErrorKind::Backslash, 1));
                    };
                    self.at += 1 + next.len_utf8();
                    // A backslash at the end of a line joins the lines.
                    if next != '\n' {
                        template::literal(&mut pieces, next.encode_utf8(&mut [0; 4]));
                    }
                }
                '$' => return Err(self.variable()),
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '~' | '`' => {
                    return Err(self.error(WordErrorKind::Shell(char), 1));
                }
                _ => self.push(&mut pieces, char),
            }
        }
        Ok(pieces)
    }

    fn single_quoted(&mut self, pieces: &mut Vec<Piece>) -> Result<(), WordError> {
        let unclosed = self.error(WordErrorKind::Unclosed('\''), 1);
        self.at += 1;
        while let Some(char) = self.peek() {
            if char == '\'' {
                self.at += 1;
                return Ok(());
            }
            if !self.value(pieces)? {
                self.push(pieces, char);
            }
        }
        Err(unclosed)
    }

    fn double_quoted(&mut self, pieces: &mut Vec<Piece>) -> Result<(), WordError> {
        let unclosed = self.error(WordErrorKind::Unclosed('"'), 1);
        self.at += 1;
        while let Some(char) = self.peek() {
            match char {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                _ if self.value(pieces)? => {}
                '$' => return Err(self.variable()),
                '`' => return Err(self.error(WordErrorKind::Shell(char), 1)),
                '\\' => match self.text[self.at + 1..].chars().next() {
                    Some('\n') => self.at += 2,
                    Some(next @ ('"' | '\\' | '$' | '`')) => {
                        self.at += 2;
                        template::literal(pieces, next.encode_utf8(&mut [0; 4]));
                    }
                    _ => self.push(pieces, char),
                },
                _ => self.push(pieces, char),
            }
        }
        Err(unclosed)
    }

    /// Takes a `{{…}}` (quotes do not hide it), if one begins here.
    fn value(&mut self, pieces: &mut Vec<Piece>) -> Result<bool, WordError> {
        match template::brace(self.text, self.at) {
            Some(Brace::Value(range, after)) => {
                pieces.push(Piece::Value(range));
                self.at = after;
            }
            Some(Brace::Escaped) => {
                template::literal(pieces, "{{");
                self.at += 4;
            }
            Some(Brace::Unclosed(_)) => return Err(self.error(WordErrorKind::Braces, 2)),
            None => return Ok(false),
        }
        Ok(true)
    }

    fn variable(&self) -> WordError {
        let rest = &self.text[self.at + 1..];
        let bare = rest.strip_prefix('{').unwrap_or(rest);
        let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &bare[..end.unwrap_or(bare.len())];
        let closed = bare.len() < rest.len() && bare[name.len()..].starts_with('}');
        let braces = if closed { 2 } else { 0 };
        let length = if name.is_empty() { 1 } else { 1 + name.len() + braces };
        self.error(WordErrorKind::Variable(name.to_owned()), length)
    }

    fn refuse_assignment(&self) -> Result<(), WordError> {
        let rest = &self.text[self.at..];
        let Some((name, value)) = rest.split_once('=') else { return Ok(()) };
        if !super::name::is_variable(name) {
            return Ok(());
        }
        let end = value.find(char::is_whitespace).unwrap_or(value.len());
        let kind = WordErrorKind::Assignment(name.to_owned(), value[..end].to_owned());
        Err(self.error(kind, name.len() + 1 + end))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn push(&mut self, pieces: &mut Vec<Piece>, char: char) {
        template::literal(pieces, char.encode_utf8(&mut [0; 4]));
        self.at += char.len_utf8();
    }

    /// Space, and lines joined by a backslash.
    fn skip_space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            match rest.find(|char: char| !char.is_whitespace()) {
                Some(0) if rest.starts_with("\\\n") => self.at += 2,
                Some(0) => return,
                Some(space) => self.at += space,
                None => return self.at = self.text.len(),
            }
        }
    }

    fn error(&self, kind: WordErrorKind, length: usize) -> WordError {
        WordError { kind, range: self.at..self.at + length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let shown = |pieces: Vec<Piece>| {
            let piece = |piece: Piece| match piece {
                Piece::Literal(text) => text,
                Piece::Value(range) => format!("<{}>", &text[range]),
            };
            pieces.into_iter().map(piece).collect()
        };
        split(text).expect("splits").into_iter().map(shown).collect()
    }

    fn error(text: &str) -> (WordErrorKind, &str) {
        let error = split(text).expect_err("is refused");
        (error.kind, &text[error.range])
    }

    #[test]
    fn quotes_are_those_of_a_shell() {
        assert_eq!(words("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(words(r#"a 'b c' "d e" f\ g"#), ["a", "b c", "d e", "f g"]);
        assert_eq!(words(r#"'' """#), ["", ""]);
        assert_eq!(words(r#"a'b'"c"d"#), ["abcd"]);
        assert_eq!(words(r#""a\"b\$c\n" '\'"#), ["a\"b$c\\n", "\\"]);
        assert_eq!(words("'$x | *' a#b k=v"), ["$x | *", "a#b", "k=v"]);
        assert_eq!(words("a \\\n b"), ["a", "b"]);
    }

    #[test]
    fn a_value_is_never_split() {
        assert_eq!(words("a {{ env.X:-b c }} '{{port}}'-{{{{"), ["a", "<env.X:-b c>", "<port>-{{"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for char in "|&;<>()*?[~`".chars() {
            let text = format!("a b{char}c");
            assert_eq!(error(&text), (WordErrorKind::Shell(char), &text[3..4]), "{text}");
        }
        assert_eq!(error("a $HOME/x"), (WordErrorKind::Variable("HOME".into()), "$HOME"));
        assert_eq!(error("a \"${X}\""), (WordErrorKind::Variable("X".into()), "${X}"));
        assert_eq!(error("a \"`b`\""), (WordErrorKind::Shell('`'), "`"));
        assert_eq!(error("a #b"), (WordErrorKind::Comment, "#"));
        let assignment = WordErrorKind::Assignment("K".into(), "v".into());
        assert_eq!(error(" K=v a"), (assignment, "K=v"));
        assert_eq!(error("a 'b"), (WordErrorKind::Unclosed('\''), "'"));
        assert_eq!(error("a \\"), (WordErrorKind::Backslash, "\\"));
        assert_eq!(error("  "), (WordErrorKind::Empty, "  "));
    }
}
