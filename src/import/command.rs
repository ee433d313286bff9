//! Commands of other tools as `run` or `shell`.

use super::kdl_writer::Node;
use crate::language::is_plain_command;

/// A command, and what stood before it on its line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The folder of a leading `cd FOLDER &&`.
    pub(super) dir: Option<String>,
    /// Leading `K=v`.
    pub(super) env: Vec<(String, String)>,
    /// `run` or `shell`; none for an empty line.
    pub(super) command: Option<Node>,
    /// Whether it takes its port from `PORT`.
    pub(super) wants_port: bool,
}

/// A text as stackrun shows it: its own `{{` escaped.
pub(super) fn literal(text: &str) -> String {
    text.replace("{{", "{{{{")
}

/// A line that a shell would run: without a shell where none is needed.
pub(super) fn of_shell(text: &str) -> Line {
    let mut line = Line::default();
    let mut rest = text.trim();
    if let Some((dir, after)) = leading_cd(rest) {
        line.dir = Some(dir.to_owned());
        rest = after;
    }
    let simple = literal(rest);
    let port = with_port(&simple);
    line.wants_port = port.is_some();
    let mut words = port.as_deref().unwrap_or(&simple);
    let mut env = Vec::new();
    while let Some((key, value, after)) = leading_assignment(words) {
        env.push((key.to_owned(), value.to_owned()));
        words = after;
    }
    words = words.strip_prefix("exec ").map_or(words, str::trim_start);
    if words.is_empty() {
        return line;
    }
    if is_plain_command(words) {
        line.command = Some(Node::new("run").arg(words));
        line.env = env;
    } else {
        // A shell knows all of it by itself.
        line.command = Some(Node::new("shell").arg(simple.trim()));
    }
    line
}

/// A command of words, none of which a shell is to see.
pub(super) fn of_words(words: &[String]) -> Option<Node> {
    let words: Vec<String> = words.iter().map(|word| literal(word)).collect();
    of_filled_words(words)
}

/// The same where `{{…}}` means something already.
pub(super) fn of_filled_words(words: Vec<String>) -> Option<Node> {
    let first = words.first()?;
    if first.is_empty() {
        return None;
    }
    let is_word = |word: &String| {
        let odd = |letter: char| letter.is_whitespace() || "'\"\\".contains(letter);
        let quiet = word.replace("{{", "").replace("}}", "");
        !word.is_empty() && (!quiet.contains(odd) || word.contains("{{")) && !word.contains('\n')
    };
    let together = words.join(" ");
    if words.iter().all(is_word) && is_plain_command(&together) {
        return Some(Node::new("run").arg(together));
    }
    match words.len() {
        // One string alone would be split.
        1 if first.contains('\'') => Some(Node::new("run").arg("/usr/bin/env").arg(first.as_str())),
        1 => Some(Node::new("run").arg(format!("'{first}'"))),
        _ => Some(Node::new("run").args(words)),
    }
}

/// The words of a text, as a shell would quote them; none where it is no plain command.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    let mut quote = None;
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('"') | None, '\\') => {
                word.get_or_insert_default().push(letters.next()?);
            }
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return None;
    }
    words.extend(word);
    Some(words)
}

/// `cd api && npm start` → `api`, `npm start`.
fn leading_cd(text: &str) -> Option<(&str, &str)> {
    let (dir, rest) = text.strip_prefix("cd ")?.split_once("&&")?;
    let dir = dir.trim();
    let plain = |letter: char| letter.is_alphanumeric() || "_-./".contains(letter);
    (!dir.is_empty() && dir.chars().all(plain)).then(|| (dir, rest.trim_start()))
}

/// `A=b npm start` → `A`, `b`, `npm start`.
fn leading_assignment(text: &str) -> Option<(&str, &str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace)?;
    let (key, value) = word.split_once('=')?;
    let name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_name = !key.is_empty() && key.chars().all(name) && !key.starts_with(char::is_numeric);
    let plain =
        !value.contains(['$', '`', '"', '\'', '\\', '~', '*', '(', ';', '&', '|', '<', '>']);
    (is_name && plain).then(|| (key, value, rest.trim_start()))
}

/// The text with `$PORT` as `{{port}}`, if it has that.
fn with_port(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at..];
        let braced = after.strip_prefix("${PORT").and_then(|tail| {
            let end = tail.find('}')?;
            let default = &tail[..end];
            (default.is_empty() || default.starts_with(":-") || default.starts_with('-'))
                .then(|| &tail[end + 1..])
        });
        let bare = after.strip_prefix("$PORT").filter(|tail| {
            !tail.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        });
        match braced.or(bare) {
            Some(tail) => {
                out.push_str("{{port}}");
                rest = tail;
                found = true;
            }
            None => {
                out.push('$');
                rest = &after[1..];
            }
        }
    }
    found.then(|| out + rest)
}

/// The number in `${PORT:-3000}`.
pub(super) fn default_port(text: &str) -> Option<u16> {
    let tail = text.split_once("${PORT:-")?.1;
    tail.split_once('}')?.0.trim().parse().ok()
}
