//! The literals of a JavaScript module, or of JSON with comments: read, never executed.

use super::{
    ImportError,
    value::{Data, Entry, Value},
};

/// Deeper than this nobody writes by hand.
const DEPTH: usize = 64;

/// What the module exports; a file without `module.exports` or `export default` is one value.
pub(super) fn parse(text: &str) -> Result<Value, ImportError> {
    let start = ["module.exports", "export default"].into_iter().find_map(|mark| {
        let at = text.find(mark)? + mark.len();
        let after =
            text[at..].trim_start_matches(|letter: char| letter.is_whitespace() || letter == '=');
        Some(text.len() - after.len())
    });
    let start = start.unwrap_or(0);
    let mut value = Reader { text, at: start, depth: 0 }.value()?;
    // `defineConfig({…})`
    if let (Data::Code(_), Some(open)) = (&value.data, text[start..].find('(')) {
        value = Reader { text, at: start + open + 1, depth: 0 }.value()?;
    }
    match value.data {
        Data::Map(_) | Data::List(_) => Ok(value),
        _ => Err(ImportError::Syntax {
            line: value.line,
            message: "the exported value is not an object literal".into(),
        }),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    fn error<T>(&self, message: &str) -> Result<T, ImportError> {
        Err(ImportError::Syntax { line: self.line(), message: message.to_owned() })
    }

    /// Over spaces and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let comment = if trimmed.starts_with("//") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if trimmed.starts_with("/*") {
                trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
            } else {
                return;
            };
            self.at += comment;
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest().chars().next()
    }

    fn take(&mut self, letter: char) -> bool {
        let is_next = self.peek() == Some(letter);
        if is_next {
            self.at += letter.len_utf8();
        }
        is_next
    }

    fn value(&mut self) -> Result<Value, ImportError> {
        self.skip();
        let (line, start) = (self.line(), self.at);
        self.depth += 1;
        if self.depth > DEPTH {
            return self.error("nested too deeply");
        }
        let data = match self.peek() {
            Some('{') => Some(self.object()?),
            Some('[') => Some(self.list()?),
            Some('"' | '\'' | '`') => self.string()?.map(Data::Text),
            Some(_) => self.word(),
            None => return self.error("the file ends where a value should stand"),
        };
        self.depth -= 1;
        // A value that goes on is an expression; after a whole module anything may stand.
        if let Some(data) = data {
            let ends = matches!(self.peek(), None | Some(',' | '}' | ']' | ')' | ';'));
            if ends || self.depth == 0 && matches!(data, Data::Map(_) | Data::List(_)) {
                return Ok(Value { line, data });
            }
        }
        self.at = start;
        let code = self.expression()?;
        Ok(match self.declared(&code) {
            Some(value) => value,
            None => Value { line, data: Data::Code(code) },
        })
    }

    fn object(&mut self) -> Result<Data, ImportError> {
        self.take('{');
        let mut entries = Vec::new();
        loop {
            if self.take('}') {
                return Ok(Data::Map(entries));
            }
            self.skip();
            let line = self.line();
            if self.rest().starts_with("...") {
                let code = self.expression()?;
                // `...common` of a literal that stands in the file is part of it.
                match self.declared(code.trim_start_matches('.')) {
                    Some(value) => entries.extend(value.entries().iter().cloned()),
                    None => {
                        let value = Value { line, data: Data::Code(code) };
                        entries.push(Entry { key: "...".into(), line, value });
                    }
                }
            } else {
                let key = self.key()?;
                let value = match self.take(':') {
                    true => self.value()?,
                    false => {
                        // `{ apps }`, or a method.
                        let rest = self.expression()?;
                        let code = key.clone() + &rest;
                        self.declared(&code).unwrap_or(Value { line, data: Data::Code(code) })
                    }
                };
                entries.retain(|entry: &Entry| entry.key != key);
                entries.push(Entry { key, line, value });
            }
            if !self.take(',') && self.peek() != Some('}') {
                return self.error("`,` or `}` should stand here");
            }
        }
    }

    fn key(&mut self) -> Result<String, ImportError> {
        match self.peek() {
            Some('"' | '\'' | '`') => {
                let key = self.string()?;
                key.map_or_else(|| self.error("this key is computed"), Ok)
            }
            Some('[') => self.expression(),
            Some(letter) if letter.is_alphanumeric() || "_$".contains(letter) => {
                let name = |letter: char| letter.is_alphanumeric() || "_$".contains(letter);
                let rest = self.rest();
                let end = rest.find(|letter| !name(letter)).unwrap_or(rest.len());
                self.at += end;
                Ok(rest[..end].to_owned())
            }
            _ => self.error("expected a key"),
        }
    }

    fn list(&mut self) -> Result<Data, ImportError> {
        self.take('[');
        let mut items = Vec::new();
        loop {
            if self.take(']') {
                return Ok(Data::List(items));
            }
            items.push(self.value()?);
            if !self.take(',') && self.peek() != Some(']') {
                return self.error("expected `,` or `]`");
            }
        }
    }

    /// A string; none for a template with expressions in it.
    fn string(&mut self) -> Result<Option<String>, ImportError> {
        let Some(quote) = self.peek() else { return self.error("expected a string") };
        let begin = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut letters = self.text[self.at..].char_indices();
        while let Some((index, letter)) = letters.next() {
            match letter {
                '\\' => match letters.next().map(|(_, letter)| letter) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('\n') | None => {}
                    Some('u') => {
                        let digits: String = letters.by_ref().take(4).map(|(_, d)| d).collect();
                        let letter = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                        text.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    Some(other) => text.push(other),
                },
                letter if letter == quote => {
                    self.at += index + letter.len_utf8();
                    let computed = quote == '`' && self.text[begin..self.at].contains("${");
                    return Ok((!computed).then_some(text));
                }
                '\n' if quote != '`' => break,
                letter => text.push(letter),
            }
        }
        self.at = begin;
        self.error("this string does not end")
    }

    /// A number or a word that is a value.
    fn word(&mut self) -> Option<Data> {
        let rest = self.rest();
        let part = |letter: char| letter.is_alphanumeric() || "_$.-+".contains(letter);
        let end = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
        let word = &rest[..end];
        let data = match word {
            "true" => Data::Bool(true),
            "false" => Data::Bool(false),
            "null" | "undefined" => Data::Null,
            _ => {
                let digits = word.replace('_', "");
                digits.parse::<f64>().ok()?;
                Data::Text(digits)
            }
        };
        self.at += end;
        Some(data)
    }

    /// An expression, up to what ends it.
    fn expression(&mut self) -> Result<String, ImportError> {
        let start = self.at;
        let mut open = 0_usize;
        while let Some(letter) = self.peek() {
            match letter {
                '"' | '\'' | '`' => {
                    self.string()?;
                    continue;
                }
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' if open == 0 => break,
                ')' | ']' | '}' => open -= 1,
                ',' | ';' if open == 0 => break,
                _ => {}
            }
            self.at += letter.len_utf8();
        }
        Ok(self.text[start..self.at].trim().to_owned())
    }

    /// The literal that a name was declared with: `const NAME = {…}`.
    fn declared(&self, name: &str) -> Option<Value> {
        let part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        if name.is_empty() || !name.chars().all(part) || self.depth >= DEPTH / 2 {
            return None;
        }
        let at = ["const", "let", "var"].into_iter().find_map(|word| {
            let declaration = format!("{word} {name} ");
            let at = self.text.find(&declaration).map(|at| at + declaration.len());
            at.or_else(|| {
                let tight = format!("{word} {name}=");
                self.text.find(&tight).map(|at| at + tight.len() - 1)
            })
        })?;
        let after = self.text[at..].trim_start().strip_prefix('=')?;
        let mut reader =
            Self { text: self.text, at: self.text.len() - after.len(), depth: self.depth + 8 };
        let line = reader.line();
        let data = match reader.peek()? {
            '{' => reader.object().ok()?,
            '[' => reader.list().ok()?,
            '"' | '\'' | '`' => Data::Text(reader.string().ok()??),
            _ => reader.word()?,
        };
        Some(Value { line, data })
    }
}
