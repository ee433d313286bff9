//! KDL, read quickly and within bounds.
//!
//! The parser of KDL takes about a microsecond a byte: the schema alone would be a good part of
//! what a short command costs, and a long stack more than its start. What people write is read
//! here instead, in a time that grows with its length and on a stack that grows with its braces.
//! The parser is asked for single values of the rarer kinds, and has the word where this gives up:
//! so also for whatever is wrong (see [`super::bounded`]). A test holds both to the same result,
//! spans included.

use std::{iter::Peekable, ops::Range, vec};

use kdl::{KdlDocument, KdlEntry, KdlEntryFormat, KdlIdentifier, KdlNode, KdlValue};

use super::scan::{Kind, Token, significant};

/// Braces within braces deeper than this are refused before anything is parsed: no node of a stack
/// lies deeper than five others.
pub(super) const MAX_DEPTH: usize = 16;
/// A number or keyword is no longer than this, in bytes.
const LONGEST_NUMBER: usize = 100;

/// The document with these tokens; where this gives up, the byte from which on.
pub(super) fn document(text: &str, tokens: &[Token]) -> Result<KdlDocument, usize> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bom = text.len() - body.len();
    if let Some((at, _)) = body.char_indices().find(|(_, char)| !is_plain(*char)) {
        return Err(bom + at);
    }
    let tokens = significant(tokens)?;
    let mut reader = Reader { text, tokens: tokens.into_iter().peekable(), end: 0 };
    let document = reader.nodes(0).ok_or(reader.end)?;
    match reader.tokens.next() {
        None => Ok(document),
        Some(token) => Err(token.range.start),
    }
}

/// Neither forbidden nor an end of a line of a rarer kind.
fn is_plain(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        '\0'..' ' | '\u{7f}' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        _ => true,
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: Peekable<vec::IntoIter<&'a Token>>,
    /// Where the last token that was taken ends.
    end: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<Kind> {
        self.tokens.peek().map(|token| token.kind)
    }

    fn take(&mut self) -> Option<&'a Token> {
        let token = self.tokens.next()?;
        self.end = token.range.end;
        Some(token)
    }

    /// Whether the next token stands right behind the last one.
    fn is_glued(&mut self) -> bool {
        self.tokens.peek().is_some_and(|token| token.range.start == self.end)
    }

    /// Nodes up to a closing brace or the end.
    fn nodes(&mut self, depth: usize) -> Option<KdlDocument> {
        let mut document = KdlDocument::new();
        loop {
            match self.peek() {
                None | Some(Kind::Close) => return Some(document),
                Some(Kind::Newline | Kind::LineComment) => _ = self.take(),
                Some(Kind::Word | Kind::Quoted | Kind::Raw) => {
                    let start = self.tokens.peek()?.range.start;
                    let mut node = self.node(depth)?;
                    node.set_span(start..self.end);
                    document.nodes_mut().push(node);
                    match self.peek() {
                        Some(Kind::Newline | Kind::Semicolon | Kind::LineComment) => {
                            _ = self.take();
                        }
                        None | Some(Kind::Close) => {}
                        Some(_) => return None,
                    }
                }
                Some(_) => return None,
            }
        }
    }

    fn node(&mut self, depth: usize) -> Option<KdlNode> {
        let name = self.take()?;
        let mut node = KdlNode::new(self.identifier(name)?);
        loop {
            match self.peek() {
                None | Some(Kind::Newline | Kind::Semicolon | Kind::LineComment | Kind::Close) => {
                    return Some(node);
                }
                Some(Kind::Word | Kind::Quoted | Kind::Raw) if !self.is_glued() => {
                    node.entries_mut().push(self.entry()?);
                }
                Some(Kind::Open) if !self.is_glued() && depth < MAX_DEPTH => {
                    self.take();
                    node.set_children(self.nodes(depth + 1)?);
                    let closed = self.take()?.kind == Kind::Close;
                    return closed.then_some(node);
                }
                Some(_) => return None,
            }
        }
    }

    fn entry(&mut self) -> Option<KdlEntry> {
        let first = self.take()?;
        if self.peek() != Some(Kind::Equals) {
            let mut entry = self.value(first)?;
            entry.set_span(first.range.clone());
            return Some(entry);
        }
        let name = self.identifier(first)?;
        self.take();
        let value = self.take()?;
        let mut entry = self.value(value)?;
        entry.set_name(Some(name));
        entry.set_span(first.range.start..value.range.end);
        Some(entry)
    }

    fn value(&self, token: &Token) -> Option<KdlEntry> {
        let spelling = self.text.get(token.range.clone())?;
        let value = match token.kind {
            Kind::Quoted => KdlValue::String(string(spelling, quoted)?),
            Kind::Raw => KdlValue::String(string(spelling, raw)?),
            Kind::Word => match spelling {
                "#true" => KdlValue::Bool(true),
                "#false" => KdlValue::Bool(false),
                "#null" => KdlValue::Null,
                _ if is_integer(spelling) => KdlValue::Integer(spelling.parse().ok()?),
                _ if is_decimal(spelling) => KdlValue::Float(spelling.parse().ok()?),
                _ if is_name(spelling) => KdlValue::String(spelling.to_owned()),
                _ if spelling.len() <= LONGEST_NUMBER => by_parser(spelling)?,
                _ => return None,
            },
            _ => return None,
        };
        let mut entry = KdlEntry::new(value);
        let value_repr = spelling.to_owned();
        entry.set_format(KdlEntryFormat { value_repr, ..KdlEntryFormat::default() });
        Some(entry)
    }

    fn identifier(&self, token: &Token) -> Option<KdlIdentifier> {
        let spelling = self.text.get(token.range.clone())?;
        let mut identifier = match token.kind {
            Kind::Quoted => KdlIdentifier::from(string(spelling, quoted)?),
            Kind::Raw => KdlIdentifier::from(string(spelling, raw)?),
            Kind::Word if is_name(spelling) => KdlIdentifier::from(spelling),
            _ => return None,
        };
        let range: Range<usize> = token.range.clone();
        identifier.set_span(range);
        Some(identifier)
    }
}

/// A string by the quick way, where it is of the simplest kind.
fn string(spelling: &str, quickly: impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(text) = quickly(spelling) {
        return Some(text);
    }
    match by_parser(spelling)? {
        KdlValue::String(text) => Some(text),
        _ => None,
    }
}

/// A single value in the words of the parser, which does not call itself for one.
fn by_parser(spelling: &str) -> Option<KdlValue> {
    // What is more than one token, or holds comments, is none of its business.
    let is_string = spelling.starts_with(['"', '#']);
    let is_number =
        spelling.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._#".contains(&byte));
    if !is_string && !is_number {
        return None;
    }
    let entry: KdlEntry = spelling.parse().ok()?;
    let alone = entry.name().is_none() && entry.ty().is_none();
    alone.then(|| entry.value().clone())
}

/// What is between quotes, if nothing but quotes and backslashes is escaped in it.
fn quoted(spelling: &str) -> Option<String> {
    let text = spelling.strip_prefix('"')?.strip_suffix('"')?;
    if text.starts_with('"') || text.contains(['\n', '\r']) {
        return None;
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        unescaped.push(match char {
            '\\' => chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?,
            char => char,
        });
    }
    Some(unescaped)
}

/// What is between the quotes of a raw string on one line.
fn raw(spelling: &str) -> Option<String> {
    let hashes = spelling.len() - spelling.trim_start_matches('#').len();
    let text = spelling.get(hashes..spelling.len().checked_sub(hashes)?)?;
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    (!text.starts_with("\"\"") && !text.contains(['\n', '\r'])).then(|| text.to_owned())
}

/// A decimal integer, short enough for every kind of number.
fn is_integer(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number with a point and digits on both sides of it.
fn is_decimal(word: &str) -> bool {
    let Some((whole, part)) = word.split_once('.') else { return false };
    is_integer(whole) && is_integer(part) && !part.starts_with('-')
}

/// A bare string.
fn is_name(word: &str) -> bool {
    let allowed = |char: char| !matches!(char, '\\' | '/' | '(' | ')' | '[' | ']' | '#' | '"');
    let keyword = matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan");
    // What begins like a number is one, or a mistake.
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    !word.is_empty()
        && !digits.starts_with(|char: char| char.is_ascii_digit())
        && word.chars().all(allowed)
        && !keyword
}

#[cfg(test)]
mod tests;
