//! Env files: `KEY=value` lines, their values literal.

/// A variable of an env file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its name.
    pub(super) key: String,
    /// Its value.
    pub(super) value: String,
    /// The line that it stands in, from 1.
    pub(super) line: usize,
}

/// A line that is no variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its number, from 1.
    pub(super) line: usize,
    /// What is wrong with it. Never shows the value: it may be a secret.
    pub(super) reason: String,
}

/// The variables of an env file, in order.
///
/// `export` may stand before a name. A value is bare (up to the end of the line or a ` #`), in
/// `'…'` (as it is, over several lines), or in `"…"` (over several lines; `\n`, `\t`, `\r`, `\"`,
/// `\\` and `\$` are escapes). `$` is never looked into.
pub(super) fn parse(text: &str) -> Result<Vec<Variable>, BadLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Vec::new();
    let mut rest = text;
    let (mut line, mut counted) = (1, 0);
    while !rest.is_empty() {
        let here = text.len() - rest.len();
        line += text[counted..here].matches('\n').count();
        counted = here;
        let end = rest.find('\n').unwrap_or(rest.len());
        let content = rest[..end].trim();
        if content.is_empty() || content.starts_with('#') {
            rest = after_line(rest);
            continue;
        }
        let bad = |reason: String| BadLine { line, reason };
        let (key, value) = rest[..end].split_once('=').ok_or_else(|| bad("no `=`".into()))?;
        let key = key.trim();
        let key = match key.strip_prefix("export") {
            Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim(),
            _ => key,
        };
        if !is_key(key) {
            // Not shown: it may as well be a line of a key.
            return Err(bad("the part before the `=` is not a valid variable name".to_owned()));
        }
        let lead = value.len() - value.trim_start().len();
        let start = end - value.len() + lead;
        let (value, after) = match rest[start..].chars().next() {
            Some(quote @ ('\'' | '"')) => quoted(&rest[start + 1..], quote).map_err(bad)?,
            _ => (bare(value), after_line(rest)),
        };
        if value.contains('\0') {
            return Err(bad(format!("the value of `{key}` contains a NUL character")));
        }
        variables.push(Variable { key: key.to_owned(), value, line });
        rest = after;
    }
    Ok(variables)
}

/// Dots and dashes do stand in the names of real env files.
fn is_key(key: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && key.chars().all(rest)
}

fn after_line(text: &str) -> &str {
    text.find('\n').map_or("", |end| &text[end + 1..])
}

/// An unquoted value: what follows a `#` after a space is a comment.
fn bare(value: &str) -> String {
    let mut end = value.len();
    for (at, _) in value.match_indices('#') {
        if value[..at].ends_with(char::is_whitespace) {
            end = at;
            break;
        }
    }
    value[..end].trim().to_owned()
}

/// The value up to the closing quote, and what follows its line.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            let rest = &text[at + 1..];
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            let tail = line.trim();
            if !tail.is_empty() && !tail.starts_with('#') {
                return Err("something follows the closing quote".to_owned());
            }
            return Ok((value, after_line(rest)));
        }
        match (char, quote) {
            ('\\', '"') => value.push_str(&escape(chars.next().map(|(_, char)| char))),
            _ => value.push(char),
        }
    }
    Err(format!("the {quote} is never closed"))
}

fn escape(char: Option<char>) -> String {
    match char {
        Some('n') => "\n".to_owned(),
        Some('t') => "\t".to_owned(),
        Some('r') => "\r".to_owned(),
        Some(char @ ('"' | '\\' | '$')) => char.to_string(),
        Some(char) => format!("\\{char}"),
        None => "\\".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let variables = parse(text).expect("parses");
        variables.into_iter().map(|variable| (variable.key, variable.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn values_are_literal() {
        let text = "# c\n\nA=1\r\n export\tB = two words # c\nC=a#b\nD=$x${y}\nE=\nF='a # $b'\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", "a#b"), ("D", "$x${y}"), ("E", "")];
        let mut expected: Vec<_> = expected.iter().map(|(k, v)| pair(k, v)).collect();
        expected.push(pair("F", "a # $b"));
        assert_eq!(values(text), expected);
    }

    #[test]
    fn quotes_span_lines() {
        let text = "A=\"x\\n\\\"y\\$\\w\nz\" # c\nB='1\n2'\nC=3";
        assert_eq!(values(text), [pair("A", "x\n\"y$\\w\nz"), pair("B", "1\n2"), pair("C", "3")]);
        assert_eq!(parse(text).expect("parses")[2].line, 5);
    }

    #[test]
    fn bad_lines_are_named() {
        let bad = |text| parse(text).expect_err("is refused").line;
        assert_eq!(bad("A=1\nnonsense"), 2);
        assert_eq!(bad("1A=1"), 1);
        assert_eq!(bad("A='x\n\n"), 1);
        assert_eq!(bad("A=\"x\"y"), 1);
    }
}
