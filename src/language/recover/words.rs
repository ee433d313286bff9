//! Words and strings that KDL 2 refuses.

use super::{Hint, Hints, Kind, Token};

impl Hints<'_> {
    /// What is wrong with words and strings; one problem for words that touch.
    pub(super) fn words(&self) -> Vec<Hint> {
        let mut hints: Vec<Hint> = Vec::new();
        // One problem for what belongs together; the rest of a comment or list is no other.
        let mut told_to = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            let told = at > 0 && token.range.start <= told_to && token.kind != Kind::Newline;
            if told {
                told_to = told_to.max(token.range.end);
                if let (Kind::UnclosedString, Some(last)) = (token.kind, hints.last_mut()) {
                    last.fixes.extend(self.unclosed_string(token).fixes);
                }
                continue;
            }
            let Some(hint) = self.bad(at) else { continue };
            told_to = hint.fixes.iter().map(|fix| fix.range.end).max().unwrap_or_default();
            told_to = told_to.max(token.range.end);
            hints.push(hint);
        }
        hints
    }

    fn bad(&self, at: usize) -> Option<Hint> {
        let token = &self.tokens[at];
        match token.kind {
            Kind::Word => self.bare_template(at).or_else(|| self.bad_word(at, token)),
            Kind::Open => self.bare_template(at),
            Kind::Quoted => self
                .bad_escape(token)
                .or_else(|| self.bad_quotes(token))
                .or_else(|| self.bad_indent(token))
                .or_else(|| self.glued(at)),
            Kind::Raw => self.glued(at),
            Kind::Equals => self.bad_equals(at, token),
            Kind::Semicolon => self.lone_semicolon(at, token),
            Kind::UnclosedString => Some(self.unclosed_string(token)),
            Kind::UnclosedComment => {
                let (range, message) = (token.range.clone(), "a comment is never closed");
                let help = "`/* … */` ends with `*/`; a comment of one line begins with `//`";
                let opened = range.start..range.start + 2;
                let hint = self.hint(opened, message, "no `*/` follows", help);
                Some(Hint { loses_names: true, ..hint }.fix(range, ""))
            }
            _ => None,
        }
    }

    /// A `;` ends a node; KDL has no empty ones.
    fn lone_semicolon(&self, at: usize, token: &Token) -> Option<Hint> {
        let before = at.checked_sub(1).map(|before| self.tokens[before].kind);
        let ends_nothing =
            matches!(before, None | Some(Kind::Newline | Kind::Semicolon | Kind::Open));
        ends_nothing.then(|| {
            let range = token.range.clone();
            let message = "a `;` with nothing before it";
            self.hint(range.clone(), message, "no node to end", "remove it").fix(range, "")
        })
    }

    fn bad_word(&self, at: usize, token: &Token) -> Option<Hint> {
        let word = self.of(token);
        let range = token.range.clone();
        if let "true" | "false" | "null" | "inf" | "-inf" | "nan" = word {
            let (message, label) =
                (format!("`{word}` is written `#{word}`"), format!("KDL 2 wants `#{word}`"));
            let help = format!("write `#{word}`, or `\"{word}\"` if it is text");
            let hint = self.hint(range.clone(), message, label, help);
            return Some(hint.fix(range, format!("#{word}")));
        }
        let starts_line = at == 0 || self.tokens[at - 1].kind == Kind::Newline;
        if word.starts_with('#') && !is_keyword(word) {
            let message = format!("`{word}` is not a value");
            // `#` with a space after it begins a comment elsewhere; the line before it is right.
            if starts_line || word.bytes().all(|byte| byte == b'#') {
                let line = range.start..self.line_end(range.start);
                let hint = self.hint(range, message, "not KDL", "a comment begins with `//`");
                return Some(hint.fix(line, ""));
            }
            let help = "write it in quotes; a comment begins with `//`";
            return Some(self.hint(range, message, "not KDL", help));
        }
        if word == "r" && self.tokens.get(at + 1).is_some_and(|next| self.touches(token, next)) {
            return Some(self.raw_string(at, token));
        }
        if let Some(rest) = word.strip_prefix('\'') {
            return Some(self.single_quotes(token, rest));
        }
        // A word at the beginning of a node is its name: no guess what it was meant to be.
        let is_name = starts_line
            || matches!(self.tokens[at - 1].kind, Kind::Semicolon | Kind::Open | Kind::Close);
        let quoted = |hint: Hint, word: &str| match is_name {
            true => hint,
            false => hint.fix(range.clone(), quote(word)),
        };
        let digits = word.trim_start_matches(['-', '+']);
        if digits.starts_with(|c: char| c.is_ascii_digit()) && !is_number(digits) {
            let message = format!("`{word}` is not a number");
            let help = format!("`{}`", quote(word));
            return Some(quoted(
                self.hint(range.clone(), message, "write it in quotes", help),
                word,
            ));
        }
        if word.starts_with('[') && is_name {
            let help = "a node and what belongs to it: `service \"api\" { … }`";
            return Some(self.hint(range, "KDL has no `[…]`", "not a node", help));
        }
        if word.starts_with('[') {
            return Some(self.list(at, token));
        }
        if word.contains(['/', '\\', '[', ']', '(', ')', ',']) && !is_annotation(word) {
            let message = format!("`{word}` must be quoted");
            let (help, bare) = match word.strip_suffix(',') {
                Some(bare) => ("separate values with spaces, not with commas".to_owned(), bare),
                None => (format!("`{}`", quote(word)), word),
            };
            let hint = self.hint(range.clone(), message, "write it in quotes", help);
            return Some(quoted(hint, bare));
        }
        None
    }

    /// `["a", "b"]`, up to the end of its line.
    fn list(&self, at: usize, token: &Token) -> Hint {
        let help = "separate values with spaces: `needs \"a\" \"b\"`";
        let hint = self.hint(token.range.clone(), "KDL has no lists", "a list begins here", help);
        let mut plain = String::new();
        let mut end = token.range.start;
        for token in &self.tokens[at..] {
            if !matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Raw) {
                break;
            }
            plain.push_str(&self.text[end..token.range.start]);
            match token.kind {
                Kind::Word => plain.push_str(&self.of(token).replace(['[', ']', ','], " ")),
                _ => plain.push_str(self.of(token)),
            }
            end = token.range.end;
        }
        hint.fix(token.range.start..end, plain)
    }

    pub(super) fn line_end(&self, from: usize) -> usize {
        self.text[from..].find(['\n', '\r']).map_or(self.text.len(), |length| from + length)
    }

    /// A string and what follows it without a space.
    fn glued(&self, at: usize) -> Option<Hint> {
        let (token, next) = (&self.tokens[at], self.tokens.get(at + 1)?);
        let apart = matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Raw);
        if !apart || !self.touches(token, next) {
            return None;
        }
        let range = next.range.clone();
        Some(match self.of(next) {
            "," => {
                let help = "separate values with spaces: `\"a\" \"b\"`";
                let hint =
                    self.hint(range.clone(), "KDL has no commas", "between two values", help);
                hint.fix(range, " ")
            }
            ":" => {
                let help = "a node is a name and its values: `port 8000`";
                self.hint(range, "a name is not followed by `:`", "not KDL", help)
            }
            _ => self.hint(
                range,
                "a space is missing",
                "directly after the string",
                "a quote inside a string is written `\\\"`",
            ),
        })
    }

    /// `KEY=value` where a node should be, a number as a key, a key without a value.
    fn bad_equals(&self, at: usize, token: &Token) -> Option<Hint> {
        let range = token.range.clone();
        let before = |back| at.checked_sub(back).and_then(|at| self.tokens.get(at));
        let Some(key) = before(1).map(|key| self.of(key)) else {
            let help = "a node is written `NAME VALUE`, with properties `KEY=VALUE` after it";
            return Some(self.hint(
                range,
                "a node is written without `=`",
                "nothing before it",
                help,
            ));
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
            let hint =
                self.hint(range.clone(), "a node is written without `=`", "use a space", help);
            return Some(hint.fix(range, " "));
        }
        if value.is_none() {
            let template = (at + 1 < self.tokens.len()).then(|| self.bare_template(at + 1));
            if let Some(template) = template.flatten() {
                return Some(template);
            }
            return Some(self.hint(
                range,
                format!("`{key}=` has no value"),
                "no value",
                format!("write `{key}=\"…\"`, or remove it"),
            ));
        }
        key.starts_with(|c: char| c.is_ascii_digit()).then(|| {
            let message = format!("`{key}` is not a valid property name");
            self.hint(range, message, "names begin with a letter", HELP)
        })
    }

    pub(super) fn touches(&self, token: &Token, next: &Token) -> bool {
        token.range.end == next.range.start
    }
}

const HELP: &str = "write a property as `key=value`, and quote text that contains a `=`";

/// The string of KDL that means this text.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
