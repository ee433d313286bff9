//! Plain KDL, read quickly.
//!
//! The parser of KDL takes about a microsecond a byte: the schema alone would be a good part of
//! what a short command costs, and a long stack more than its start. Almost all of what people
//! write uses few of KDL's forms, and those are read here: names and numbers, strings on one
//! line, braces, comments. At anything else this gives up, and the parser has the word; so also
//! for whatever is wrong. A test holds both to the same result, spans included.

use std::{iter::Peekable, ops::Range, slice};

use kdl::{KdlDocument, KdlEntry, KdlEntryFormat, KdlIdentifier, KdlNode, KdlValue};

use super::scan::{Kind, Token};

/// Braces within braces deeper than this are for the parser to refuse.
const DEPTH: usize = 50;

/// The document with these tokens, if it is plain.
pub(super) fn document(text: &str, tokens: &[Token]) -> Option<KdlDocument> {
    if !text.chars().all(is_plain) {
        return None;
    }
    let mut reader = Reader { text, tokens: tokens.iter().peekable(), end: 0 };
    let document = reader.nodes(0)?;
    reader.tokens.next().is_none().then_some(document)
}

/// Neither forbidden nor a space or an end of a line of a rarer kind.
fn is_plain(char: char) -> bool {
    match char {
        ' ' | '\t' | '\n' => true,
        '\0'..' ' | '\u{7f}'..='\u{a0}' => false,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        '\u{feff}' => false,
        _ => !char.is_whitespace(),
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: Peekable<slice::Iter<'a, Token>>,
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
                Some(Kind::Word | Kind::Quoted) => {
                    document.nodes_mut().push(self.node(depth)?);
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
                Some(Kind::Open) if !self.is_glued() && depth < DEPTH => {
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
        if !(self.peek() == Some(Kind::Equals) && self.is_glued()) {
            let mut entry = self.value(first)?;
            entry.set_span(first.range.clone());
            return Some(entry);
        }
        let name = self.identifier(first)?;
        self.take();
        if !self.is_glued() {
            return None;
        }
        let value = self.take()?;
        let mut entry = self.value(value)?;
        entry.set_name(Some(name));
        entry.set_span(first.range.start..value.range.end);
        Some(entry)
    }

    fn value(&self, token: &Token) -> Option<KdlEntry> {
        let spelling = self.text.get(token.range.clone())?;
        let value = match token.kind {
            Kind::Quoted => KdlValue::String(quoted(spelling)?),
            Kind::Raw => KdlValue::String(raw(spelling)?.to_owned()),
            Kind::Word => match spelling {
                "#true" => KdlValue::Bool(true),
                "#false" => KdlValue::Bool(false),
                "#null" => KdlValue::Null,
                _ if is_integer(spelling) => KdlValue::Integer(spelling.parse().ok()?),
                _ if is_decimal(spelling) => KdlValue::Float(spelling.parse().ok()?),
                _ if is_name(spelling) => KdlValue::String(spelling.to_owned()),
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
            Kind::Quoted => KdlIdentifier::from(quoted(spelling)?),
            Kind::Word if is_name(spelling) => KdlIdentifier::from(spelling),
            _ => return None,
        };
        let range: Range<usize> = token.range.clone();
        identifier.set_span(range);
        Some(identifier)
    }
}

/// What is between quotes, if nothing but quotes and backslashes is escaped in it.
fn quoted(spelling: &str) -> Option<String> {
    let text = spelling.strip_prefix('"')?.strip_suffix('"')?;
    if text.starts_with('"') || text.contains('\n') {
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
fn raw(spelling: &str) -> Option<&str> {
    let hashes = spelling.len() - spelling.trim_start_matches('#').len();
    let text = spelling.get(hashes..spelling.len().checked_sub(hashes)?)?;
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    (!text.starts_with("\"\"") && !text.contains('\n')).then_some(text)
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

/// A bare string of the simplest kind.
fn is_name(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let keyword = matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan");
    word.as_bytes().first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && word.bytes().all(plain)
        && !keyword
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::language::scan;

    fn read(text: &str) -> Option<KdlDocument> {
        document(text, &scan::tokens(text))
    }

    /// Everything that is read out of a document.
    fn told(document: &KdlDocument) -> String {
        let mut text = String::new();
        for node in document.nodes() {
            let name = node.name();
            let _ = write!(text, "{:?}@{:?}", name.value(), name.span());
            for entry in node.iter() {
                let name = entry.name().map(|name| (name.value(), name.span()));
                let spelling = entry.format().map(|format| &format.value_repr);
                let _ = write!(text, " {name:?}={:?} {spelling:?}", entry.value());
                let _ = write!(text, "@{:?} {:?}", entry.span(), entry.ty());
            }
            let _ = match node.children() {
                Some(children) => writeln!(text, " {{\n{}}}", told(children)),
                None => writeln!(text),
            };
        }
        text
    }

    /// Whatever is read quickly is what the parser reads; whether it was.
    fn agrees(text: &str) -> bool {
        let Some(document) = read(text) else { return false };
        let by_parser: KdlDocument = match text.parse() {
            Ok(document) => document,
            Err(error) => panic!("the parser refuses {text:?}: {error:?}"),
        };
        assert_eq!(told(&document), told(&by_parser), "{text}");
        true
    }

    #[test]
    fn plain_texts_are_read() {
        assert!(agrees(crate::language::schema::TEXT));
        for text in [
            "",
            "\n",
            "a",
            "a;b\nc // d\n// e\n",
            "a { b 1; c -2 x=3 \"d e\"=\"f\" }\n",
            "a #\"b \"c\"\"# #true {\n}\nb {}",
            "\"a b\" k=#null x.y",
            "a{ b }",
            "a {b}",
            "a { b };",
        ] {
            let _ = agrees(text);
        }
        assert!(agrees("service \"api\" { run \"x 1\"; stop grace=\"2s\" } // ü\n"));
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for text in [
            "a \"\\n\"",
            "a 1.5e3",
            "a 0x1f",
            "a \"\"\"\n b\n \"\"\"",
            "/- a",
            "a /* b */",
            "(t)a",
            "a \\\n b",
            "a k = 1",
            "a true",
            "a \"b",
            "a {",
            "a }",
            "a \"b\"c",
            "ä",
            "a\u{a0}b",
            "a\r\nb",
            "a 1_000",
            "+1",
        ] {
            assert!(read(text).is_none(), "{text:?}");
        }
    }

    /// Bits of KDL, to be put together in any order.
    const BITS: [&str; 26] = [
        "a",
        "b-c",
        "\"x y\"",
        "\"\"",
        "{",
        "}",
        " {",
        " }",
        ";",
        "\n",
        " ",
        " ",
        "=",
        "1",
        "-2",
        "1.5",
        "\"\\\"\\\\\"",
        "#true",
        " #\"r\"#",
        "// c\n",
        "true",
        "/",
        "#",
        " k=",
        ".",
        "\t",
    ];

    proptest! {
        #[test]
        fn whatever_is_read_is_what_the_parser_reads(
            bits in prop::collection::vec(0..BITS.len(), 1..24)
        ) {
            let text: String = bits.into_iter().map(|bit| BITS[bit]).collect();
            let _ = agrees(&text);
        }
    }
}
