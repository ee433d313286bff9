//! The files that were read, and places in them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::model::Source;

/// A place in one of the files: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    /// Which file, by its index in [`Sources`].
    pub(super) file: usize,
    /// The first byte.
    pub(super) start: usize,
    /// Past the last byte.
    pub(super) end: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spanned<T> {
    /// The value.
    pub(super) value: T,
    /// Its place.
    pub(super) span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub(super) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A file of the language.
#[derive(Debug)]
pub(super) struct File {
    /// Absolute path.
    pub(super) path: PathBuf,
    /// How it is called in messages: relative to the stack's folder where it lies in it.
    pub(super) name: String,
    /// What it says.
    pub(super) text: Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl File {
    /// The folder that it lies in.
    pub(super) fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

/// The files of the language that were read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// In the order of reading; the first is the stack file.
    pub(super) files: Vec<File>,
    /// Their paths and fingerprints.
    pub(super) read: Vec<Source>,
}

impl Sources {
    /// Takes in the text of a file and gives its index.
    pub(super) fn add(&mut self, path: PathBuf, name: String, text: String) -> usize {
        let fingerprint = crate::model::fingerprint(text.as_bytes());
        self.read.push(Source { path: path.clone(), fingerprint });
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        self.files.push(File { path, name, text: text.into(), lines });
        self.files.len() - 1
    }

    /// The file of a place.
    pub(super) fn file(&self, span: Span) -> &File {
        &self.files[span.file]
    }

    /// The characters at a place.
    pub(super) fn text(&self, span: Span) -> &str {
        self.file(span).text.get(span.start..span.end).unwrap_or_default()
    }

    /// The line of a place's beginning, from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        self.file(span).lines.partition_point(|start| *start <= span.start)
    }

    /// Line and column (in characters) of a place's beginning, both from 1.
    pub(super) fn line_column(&self, span: Span) -> (usize, usize) {
        let (file, line) = (self.file(span), self.line(span));
        let line_start = file.lines[line.saturating_sub(1)];
        let before = file.text.get(line_start..span.start).unwrap_or_default();
        let before = before.trim_start_matches('\u{feff}');
        (line, before.chars().count() + 1)
    }

    /// The place of `range` of the string value at `span`: the value's own bytes, its escapes
    /// and quotes taken into account.
    pub(super) fn inside(&self, span: Span, range: std::ops::Range<usize>) -> Span {
        let Some(map) = offsets(self.text(span)) else { return span };
        let (Some(&start), Some(&end)) = (map.get(range.start), map.get(range.end)) else {
            return span;
        };
        Span { file: span.file, start: span.start + start, end: span.start + end.max(start) }
    }
}

/// The file by its canonical folder: a link to a file stays where the link is.
pub(super) fn canonical(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), file.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => file.to_path_buf(),
    }
}

/// For every byte of a KDL string's value (and its end), the byte of its spelling that it comes
/// from. `None` for the spellings that are not worth it.
fn offsets(spelling: &str) -> Option<Vec<usize>> {
    let hashes = spelling.bytes().take_while(|byte| *byte == b'#').count();
    let body = &spelling[hashes..];
    if body.starts_with("\"\"\"") {
        return multi_line(spelling, hashes);
    }
    let Some(inner) = body.strip_prefix('"') else {
        return (hashes == 0).then(|| (0..=spelling.len()).collect());
    };
    let inner = inner.get(..inner.len().checked_sub(1 + hashes)?)?;
    let mut map = Vec::with_capacity(inner.len() + 1);
    unescape(inner, hashes + 1, hashes > 0, &mut map);
    map.push(hashes + 1 + inner.len());
    Some(map)
}

/// The same for `"""` strings: the last line's indentation is taken off every line.
fn multi_line(spelling: &str, hashes: usize) -> Option<Vec<usize>> {
    let open = hashes + 3;
    let first = open + spelling[open..].find('\n')? + 1;
    let close = spelling.len().checked_sub(open)?;
    let last = spelling[..close].rfind('\n')?;
    let indent = close - last - 1;
    let mut map = Vec::new();
    let mut at = first;
    if at > last {
        return Some(vec![last]);
    }
    for line in spelling[first..last].split('\n') {
        let content = line.trim_end_matches('\r');
        let blank = content.trim().is_empty();
        let skip = if blank { content.len() } else { indent.min(content.len()) };
        unescape(&content[skip..], at + skip, hashes > 0, &mut map);
        map.push(at + content.len());
        at += line.len() + 1;
    }
    // The newline before the closing quotes is not part of the value: its entry is the end.
    Some(map)
}

/// Adds an entry for each byte that `spelling`, which begins at `base`, stands for.
fn unescape(spelling: &str, base: usize, raw: bool, map: &mut Vec<usize>) {
    let mut chars = spelling.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let mut add = |length: usize| map.extend(std::iter::repeat_n(base + at, length));
        if raw || char != '\\' {
            (0..char.len_utf8()).for_each(|byte| map.push(base + at + byte));
            continue;
        }
        match chars.next() {
            Some((_, 'u')) => {
                let digits: String =
                    chars.by_ref().map(|(_, char)| char).take_while(|char| *char != '}').collect();
                let code = u32::from_str_radix(digits.trim_start_matches('{'), 16);
                add(code.ok().and_then(char::from_u32).map_or(1, char::len_utf8));
            }
            Some((_, space)) if space.is_whitespace() => {
                while chars.next_if(|(_, char)| char.is_whitespace()).is_some() {}
            }
            Some(_) => add(1),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spelling: &str) {
        let doc: kdl::KdlDocument = format!("a {spelling}").parse().expect("parses");
        let value = doc.nodes()[0].entries()[0].value().as_string().expect("a string").to_owned();
        let map = offsets(spelling).expect("mapped");
        assert_eq!(map.len(), value.len() + 1, "{spelling}");
        for (at, char) in value.char_indices() {
            let source = spelling[map[at]..].chars().next().expect("a character");
            assert!(source == char || source == '\\' || char == '\n', "{spelling} at {at}");
        }
    }

    #[test]
    fn every_spelling_is_mapped() {
        check("bare");
        check(r#""plain""#);
        check(r#""""#);
        check(r#""tab\tquote\"uni\u{e9}é end""#);
        check(r##"#"raw \d "x""#"##);
        check("\"a\\   b\"");
        check("\"\"\"\n  one\n    two\n\n  three\n  \"\"\"");
        check("#\"\"\"\n  a \\d\n  b\n  \"\"\"#");
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("/a".into(), "a".into(), "a\né x".into());
        let at = |start| sources.line_column(Span { file, start, end: start });
        assert_eq!((at(0), at(1), at(2), at(5)), ((1, 1), (1, 2), (2, 1), (2, 3)));
    }
}
