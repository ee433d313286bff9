//! Words and strings that KDL 2 refuses.

use super::{FileProblem, Hints, Kind, Token};

impl Hints<'_> {
    /// What is wrong with words and strings; one problem for words that touch.
    pub(super) fn words(&self) -> Vec<FileProblem> {
        let mut problems = Vec::new();
        let (mut told_to, mut in_list) = (0, false);
        for (at, token) in self.tokens.iter().enumerate() {
            in_list &= token.kind != Kind::Newline;
            let told = (token.range.start == told_to && at > 0) || in_list;
            let problem = if told { None } else { self.bad(at) };
            if told || problem.is_some() {
                told_to = token.range.end;
            }
            if problem.is_some() && self.of(token).starts_with('[') {
                in_list = true;
            }
            problems.extend(problem);
        }
        problems
    }

    fn bad(&self, at: usize) -> Option<FileProblem> {
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

    fn bad_word(&self, at: usize, token: &Token) -> Option<FileProblem> {
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
        if word.starts_with('[') {
            let help = "values stand one after the other: `needs \"a\" \"b\"`";
            return Some(self.problem(range, "KDL has no lists", "begins one", help));
        }
        if word.contains(['/', '\\', '[', ']', '(', ')', ',']) && !is_annotation(word) {
            let message = format!("`{word}` cannot stand without quotes");
            let help = match word.strip_suffix(',') {
                Some(_) => "values stand one after the other, no commas between".to_owned(),
                None => format!("`\"{word}\"`"),
            };
            return Some(self.problem(range, message, "write it in quotes", help));
        }
        None
    }

    /// A string and what follows it without a space.
    fn glued(&self, at: usize) -> Option<FileProblem> {
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

    fn bad_escape(&self, token: &Token) -> Option<FileProblem> {
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
    fn bad_quotes(&self, token: &Token) -> Option<FileProblem> {
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

    /// `KEY=value` where a node should be, a number as a key, a key without a value.
    fn bad_equals(&self, at: usize, token: &Token) -> Option<FileProblem> {
        let range = token.range.clone();
        let before = |back| at.checked_sub(back).and_then(|at| self.tokens.get(at));
        let Some(key) = before(1).map(|key| self.of(key)) else {
            return Some(self.problem(range, "a node has no `=`", "follows nothing", ""));
        };
        let value = self.tokens.get(at + 1).filter(|value| is_value(value.kind));
        let value = value.map(|value| self.of(value));
        let starts = before(2).is_none_or(|before| {
            matches!(before.kind, Kind::Newline | Kind::Semicolon | Kind::Open | Kind::Close)
        });
        if starts {
            let value = value.unwrap_or("…");
            let quoted = value.starts_with(['"', '#']) || is_number(value);
            let help =
                if quoted { format!("`{key} {value}`") } else { format!("`{key} \"{value}\"`") };
            return Some(self.problem(range, "a node has no `=`", "a space will do", help));
        }
        if value.is_none() {
            return Some(self.problem(
                range,
                format!("`{key}=` has no value"),
                "nothing follows",
                "",
            ));
        }
        key.starts_with(|c: char| c.is_ascii_digit()).then(|| {
            let message = format!("`{key}` cannot be the name of a property");
            self.problem(range, message, "names begin with a letter", "")
        })
    }

    fn touches(&self, token: &Token, next: &Token) -> bool {
        token.range.end == next.range.start
    }
}

fn is_value(kind: Kind) -> bool {
    matches!(kind, Kind::Word | Kind::Quoted | Kind::Raw | Kind::UnclosedString)
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
