//! Words and strings that KDL 2 refuses.

use super::{Hints, Kind, Problem, Token};

impl Hints<'_> {
    /// What is wrong with words and strings; one problem for words that touch.
    pub(super) fn words(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut told_to = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            let told = token.range.start == told_to && at > 0;
            let problem = if told { None } else { self.bad(at) };
            if told || problem.is_some() {
                told_to = token.range.end;
            }
            problems.extend(problem);
        }
        problems
    }

    fn bad(&self, at: usize) -> Option<Problem> {
        let token = &self.tokens[at];
        match token.kind {
            Kind::Word => self.bad_word(at, token),
            Kind::Quoted => self.bad_escape(token).or_else(|| self.bad_quotes(token)),
            Kind::Equals => self.bad_equals(at, token),
            Kind::UnclosedString => Some(self.problem(
                token.range.start..token.range.start + 1,
                "a string is never closed",
                "opened here; its line ends without a `\"`",
                "a string of several lines stands between `\"\"\"`, each on a line of its own",
            )),
            Kind::UnclosedComment => Some(self.problem(
                token.range.start..token.range.start + 2,
                "a comment is never closed",
                "no `*/` follows",
                "",
            )),
            Kind::Raw => self.glued(at),
            _ => None,
        }
        .or_else(|| matches!(token.kind, Kind::Quoted).then(|| self.glued(at)).flatten())
    }

    fn bad_word(&self, at: usize, token: &Token) -> Option<Problem> {
        let word = self.of(token);
        let range = token.range.clone();
        if let "true" | "false" | "null" | "inf" | "-inf" | "nan" = word {
            let message = format!("`{word}` is written `#{word}`");
            return Some(self.problem(range, message, format!("KDL 2 wants `#{word}`"), ""));
        }
        let starts_line = at == 0 || self.tokens[at - 1].kind == Kind::Newline;
        if word.starts_with('#') && !is_keyword(word) {
            let help =
                if starts_line { "a comment begins with `//`" } else { "write it in quotes" };
            return Some(self.problem(range, format!("`{word}` is no value"), "not KDL", help));
        }
        if word == "r" && self.tokens.get(at + 1).is_some_and(|next| self.touches(token, next)) {
            let (message, help) = ("raw strings are written `#\"…\"#`", "KDL 1 wrote `r\"…\"`");
            return Some(self.problem(range, message, "as in KDL 1", help));
        }
        let digits = word.trim_start_matches(['-', '+']);
        if digits.starts_with(|c: char| c.is_ascii_digit()) && !is_number(digits) {
            let message = format!("`{word}` is no number");
            return Some(self.problem(
                range,
                message,
                "write it in quotes",
                format!("`\"{word}\"`"),
            ));
        }
        if word.contains(['/', '\\', '[', ']', '(', ')', ',']) && !is_annotation(word) {
            let message = format!("`{word}` cannot stand without quotes");
            let bare = word.trim_matches(['[', ']', ',']);
            let help = match word.starts_with('[') || word.ends_with(',') {
                true => "several values stand one after the other: `needs \"a\" \"b\"`".to_owned(),
                false => format!("`\"{bare}\"`"),
            };
            return Some(self.problem(range, message, "write it in quotes", help));
        }
        None
    }

    /// A string and what follows it without a space.
    fn glued(&self, at: usize) -> Option<Problem> {
        let (token, next) = (&self.tokens[at], self.tokens.get(at + 1)?);
        let apart = matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Raw);
        (apart && self.touches(token, next)).then(|| {
            self.problem(
                next.range.clone(),
                "a space is missing",
                "follows the string at once",
                "a quote inside a string is written `\\\"`",
            )
        })
    }

    fn bad_escape(&self, token: &Token) -> Option<Problem> {
        let spelling = self.of(token);
        let mut chars = spelling.char_indices();
        while let Some((at, char)) = chars.next() {
            if char != '\\' {
                continue;
            }
            let (_, next) = chars.next()?;
            let known = matches!(next, 'n' | 'r' | 't' | '\\' | '"' | 'b' | 'f' | 's' | 'u');
            if !known && !next.is_whitespace() {
                let start = token.range.start + at;
                let inner = spelling.trim_matches('"');
                let help = format!("in a raw string it means itself: `#\"{inner}\"#`");
                let message = format!("`\\{next}` is no escape");
                let range = start..start + 1 + next.len_utf8();
                return Some(self.problem(range, message, "not known in a string", help));
            }
        }
        None
    }

    /// `"""` on one line.
    fn bad_quotes(&self, token: &Token) -> Option<Problem> {
        let spelling = self.of(token);
        let body = spelling.strip_prefix("\"\"\"").filter(|_| spelling.len() >= 6)?;
        let first = body.lines().next().unwrap_or_default();
        (!first.trim().is_empty() || !spelling.contains('\n')).then(|| {
            self.problem(
                token.range.start..token.range.start + 3,
                "a line must end after `\"\"\"`",
                "text follows on the same line",
                "the closing `\"\"\"` too stands on a line of its own",
            )
        })
    }

    /// `KEY=value` where a node should be.
    fn bad_equals(&self, at: usize, token: &Token) -> Option<Problem> {
        let key = self.tokens.get(at.checked_sub(1)?)?;
        let before = at.checked_sub(2).and_then(|before| self.tokens.get(before));
        let starts = before.is_none_or(|before| {
            matches!(before.kind, Kind::Newline | Kind::Semicolon | Kind::Open | Kind::Close)
        });
        let value = self.tokens.get(at + 1).map(|value| self.of(value).trim_matches('"'));
        let (key, value) = (self.of(key), value.filter(|value| !value.trim().is_empty()));
        starts.then(|| {
            let help = format!("`{key} \"{}\"`", value.unwrap_or("…"));
            self.problem(token.range.clone(), "a node has no `=`", "a space will do", help)
        })
    }

    fn touches(&self, token: &Token, next: &Token) -> bool {
        token.range.end == next.range.start
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "#true" | "#false" | "#null" | "#inf" | "#-inf" | "#nan")
}

/// `(type)value`.
fn is_annotation(word: &str) -> bool {
    let inner = word.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    inner.is_some_and(|(_, value)| !value.contains(['/', '\\', '[', ']', '(', ')', ',']))
}

fn is_number(digits: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || c == '_';
    let (radix, rest) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    if radix != 10 {
        return rest.chars().all(|c| c.is_digit(radix) || c == '_') && !rest.is_empty();
    }
    let mantissa = rest.split(['e', 'E']).next().unwrap_or_default();
    let mut parts = mantissa.split('.');
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next();
    let exponent = &rest[mantissa.len()..];
    let exponent = exponent.trim_start_matches(['e', 'E']).trim_start_matches(['+', '-']);
    whole.chars().all(plain)
        && fraction.is_none_or(|fraction| !fraction.is_empty() && fraction.chars().all(plain))
        && parts.next().is_none()
        && exponent.chars().all(plain)
}
