//! Searching a lot of lines at once.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression that lines are searched for.
///
/// Looking at line after line is slow. A block of them is searched as a whole, for what may lie
/// across lines too, and only the line where that begins is asked whether it really matches.
/// Nothing is overlooked: what matches in a line matches there in the block, so the leftmost
/// match of the block begins no later.
#[derive(Debug, Clone)]
pub struct Finder {
    line: Regex,
    /// None if what matches a line might not match in a block.
    block: Option<Regex>,
}

impl Finder {
    /// A finder of lines that match.
    ///
    /// # Errors
    /// It is no regular expression.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        let line = Regex::new(pattern)?;
        let block = match is_only_for_lines(pattern) {
            true => None,
            false => Some(RegexBuilder::new(pattern).multi_line(true).build()?),
        };
        Ok(Self { line, block })
    }

    /// Whether this line matches.
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.line.is_match(line)
    }

    /// The expression, for a single line.
    pub fn regex(&self) -> &Regex {
        &self.line
    }

    /// The first line that matches and begins there or behind it, where a line begins; without
    /// its newline.
    pub(super) fn find(&self, lines: &[u8], from: usize) -> Option<Range<usize>> {
        let mut from = from;
        while from < lines.len() {
            let (candidate, until) = match &self.block {
                Some(block) => {
                    block.find_at(lines, from).map(|found| (found.start(), found.end()))?
                }
                None => (from, lines.len()),
            };
            // An empty match behind the last newline is in no line.
            if candidate >= lines.len() {
                return None;
            }
            let start =
                memchr::memrchr(b'\n', &lines[from..candidate]).map_or(from, |at| from + at + 1);
            let end =
                memchr::memchr(b'\n', &lines[candidate..]).map_or(lines.len(), |at| candidate + at);
            // A match within a line is one of the line.
            let is_within = self.block.is_some() && until <= end;
            if is_within || self.line.is_match(&lines[start..end]) {
                return Some(start..end);
            }
            from = end + 1;
        }
        None
    }
}

/// Whether it means the beginning or end of a text by `\A` or `\z`, or switches a flag off.
fn is_only_for_lines(pattern: &str) -> bool {
    let flags = |group: &str| {
        group.chars().take_while(|letter| !":)<".contains(*letter)).any(|letter| letter == '-')
    };
    pattern.contains("\\A") || pattern.contains("\\z") || pattern.split("(?").skip(1).any(flags)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(regex: &Regex, lines: &[u8]) -> Vec<Range<usize>> {
        let (mut start, mut found) = (0, Vec::new());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if regex.is_match(text) {
                found.push(start..start + text.len());
            }
            start += line.len();
        }
        found
    }

    fn all(finder: &Finder, lines: &[u8]) -> Vec<Range<usize>> {
        let mut from = 0;
        let next = || {
            let found = finder.find(lines, from)?;
            from = found.end + 1;
            Some(found)
        };
        std::iter::from_fn(next).collect()
    }

    proptest! {
        #[test]
        fn as_line_after_line(
            lines in "[ab \n]{0,40}",
            pattern in prop::sample::select(vec![
                "a", "^a", "b$", "^$", "a\\s+b", "[^a]b", "\\Aa", "b\\z", "a*", "\\bab\\b", "(?s)a.b", "^b+$", "(?-m)^b", "(?i)A$",
            ]),
        ) {
            let finder = Finder::new(pattern).unwrap();
            let expected = one_by_one(finder.regex(), lines.as_bytes());
            prop_assert_eq!(all(&finder, lines.as_bytes()), expected);
        }
    }
}
