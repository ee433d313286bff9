//! Strings that KDL 2 refuses.

use super::{Edit, Hint, Hints, Kind, Token, words::quote};
use crate::language::schema;

impl Hints<'_> {
    /// A string whose line, or file, ends first.
    pub(super) fn unclosed_string(&self, token: &Token) -> Hint {
        let range = token.range.clone();
        let spelling = self.of(token);
        let hashes = spelling.len() - spelling.trim_start_matches('#').len();
        let long = spelling[hashes..].starts_with("\"\"\"");
        let label = match long {
            true => "opened here; no `\"\"\"` follows",
            false => "opened here; its line ends without a `\"`",
        };
        let help =
            "a string of several lines is written between `\"\"\"`, each on a line of its own";
        let opened = range.start..range.start + 1;
        let mut hint = self.hint(opened.clone(), "a string is never closed", label, help);
        hint.hole = Some(opened.clone());
        if long {
            return hint.fix(range.start..self.margin(token).unwrap_or(range.end), "\"\"\n");
        }
        // The braces at the end of its line are none of its own.
        let text = spelling.trim_end_matches([' ', '\t', ';', '{', '}']);
        let end = range.start + text.len();
        if !self.text[end..range.end].contains(['{', '}']) {
            return hint;
        }
        match (text.len() == hashes + 1, hashes > 0 && text.ends_with('"')) {
            // A quote too many.
            (true, _) => hint.fix(range.start..end, " "),
            (false, true) => hint.fix(end..end, "#".repeat(hashes)),
            (false, false) => hint.fix(end..end, format!("\"{}", "#".repeat(hashes))),
        }
    }

    /// The first line in a long string that begins as a node at the top does, or ends one: it has
    /// been swallowed.
    fn margin(&self, token: &Token) -> Option<usize> {
        let lines = self.of(token).match_indices('\n').map(|(at, _)| token.range.start + at + 1);
        lines.into_iter().find(|line| {
            let line = &self.text[*line..];
            let word = line.find(|c: char| !c.is_ascii_alphabetic() && c != '-');
            let word = &line[..word.unwrap_or(line.len())];
            line.starts_with('}') || schema::document().child(word).is_some()
        })
    }

    /// A line of a `"""` string that is indented less than its end.
    pub(super) fn bad_indent(&self, token: &Token) -> Option<Hint> {
        let spelling = self.of(token);
        let (before, last) = spelling.strip_prefix("\"\"\"")?.rsplit_once('\n')?;
        let indent = last.strip_suffix("\"\"\"").filter(|indent| indent.trim().is_empty())?;
        let mut at = token.range.start + 3;
        for line in before.split_inclusive('\n') {
            let text = line.trim_end();
            if at > token.range.start + 3 && !text.is_empty() && !line.starts_with(indent) {
                let lead = line.len() - line.trim_start().len();
                let hint = self.hint(
                    at + lead..at + text.len(),
                    "a line of a `\"\"\"` string is not indented enough",
                    "indented less than the closing `\"\"\"`",
                    "indent every line at least as far as the closing `\"\"\"`; that much is removed",
                );
                return Some(hint);
            }
            at += line.len();
        }
        None
    }

    /// `r"…"` of KDL 1.
    pub(super) fn raw_string(&self, at: usize, token: &Token) -> Hint {
        let (message, help) =
            ("raw strings are written `#\"…\"#`", "KDL 1 wrote `r\"…\"`; take the `r` out");
        let hint = self.hint(token.range.clone(), message, "as in KDL 1", help);
        let next = &self.tokens[at + 1];
        match next.kind {
            Kind::Raw => hint.fix(token.range.clone(), ""),
            Kind::Quoted => {
                let whole = token.range.start..next.range.end;
                hint.fix(whole, format!("#{}#", self.of(next)))
            }
            _ => hint,
        }
    }

    /// `'a b'`.
    pub(super) fn single_quotes(&self, token: &Token, rest: &str) -> Hint {
        let (start, line_end) = (token.range.start, self.line_end(token.range.start));
        let hint = self.hint(
            start..token.range.end,
            "strings are written in double quotes",
            "`'` does not begin a string",
            "write `\"…\"`",
        );
        let from = token.range.end - rest.len();
        match self.text[from..line_end].find('\'') {
            Some(length) => {
                let inner = &self.text[from..from + length];
                hint.fix(start..from + length + 1, quote(inner))
            }
            None => hint,
        }
    }

    pub(super) fn bad_escape(&self, token: &Token) -> Option<Hint> {
        let spelling = self.of(token);
        let mut chars = spelling.char_indices().peekable();
        let mut bad = Vec::new();
        while let Some((at, char)) = chars.next() {
            if char != '\\' {
                continue;
            }
            let Some((_, next)) = chars.next() else { break };
            let known = match next {
                'u' => chars.peek().is_some_and(|(_, next)| *next == '{'),
                'n' | 'r' | 't' | '\\' | '"' | 'b' | 'f' | 's' => true,
                _ => next.is_whitespace(),
            };
            if !known {
                bad.push((token.range.start + at, next));
            }
        }
        let (first, next) = *bad.first()?;
        let inner = spelling.trim_matches('"');
        let help = format!("in a raw string it is taken literally: `#\"{inner}\"#`");
        let message = format!("`\\{next}` is not an escape");
        let range = first..first + 1 + next.len_utf8();
        let mut hint = self.hint(range, message, "unknown escape", help);
        hint.fixes = bad.iter().map(|(at, _)| Edit::new(*at..*at, "\\")).collect();
        Some(hint)
    }

    /// `"""` on one line.
    pub(super) fn bad_quotes(&self, token: &Token) -> Option<Hint> {
        let spelling = self.of(token);
        let body = spelling.strip_prefix("\"\"\"").filter(|_| spelling.len() >= 6)?;
        let first = body.lines().next().unwrap_or_default();
        (!first.trim().is_empty() || !spelling.contains('\n')).then(|| {
            self.hint(
                token.range.start..token.range.start + 3,
                "a line must end after `\"\"\"`",
                "text follows on the same line",
                "the closing `\"\"\"` also needs a line of its own",
            )
        })
    }
}
