//! Strings and names as KDL writes them.

use std::fmt::Write;

/// A string in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    text.chars().for_each(|letter| escape(&mut out, letter));
    out.push('"');
    out
}

fn escape(out: &mut String, letter: char) {
    match letter {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        letter if is_refused(letter) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
        }
        letter => out.push(letter),
    }
}

/// What KDL does not take as it is, and line ends that would break the line.
fn is_refused(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A string of several lines, as KDL indents it.
pub(super) fn lines(text: &str, depth: usize) -> String {
    let indent = "    ".repeat(depth);
    let mut out = String::from("\"\"\"\n");
    for line in text.trim_end().lines() {
        if !line.trim().is_empty() {
            out.push_str(&indent);
            line.chars().for_each(|letter| escape(&mut out, letter));
        }
        out.push('\n');
    }
    out + &indent + "\"\"\""
}

/// A name, in quotes where KDL wants them.
pub(super) fn identifier(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let reserved = ["true", "false", "null", "inf", "nan"].contains(&name);
    match begins && !reserved && name.chars().all(plain) {
        true => name.to_owned(),
        false => quoted(name),
    }
}
