//! Patterns of paths, in the syntax of the `globset` crate: how they are written for a path whose
//! characters mean themselves, and which part of one is plain text.

use std::path::PathBuf;

/// What has a meaning in a pattern.
const SPECIAL: [char; 7] = ['?', '*', '[', ']', '{', '}', '\\'];

/// The pattern that matches this text alone: each special character is a class of its own.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match SPECIAL.contains(&c) {
            true => escaped.extend(['[', c, ']']),
            false => escaped.push(c),
        }
    }
    escaped
}

/// The text that a pattern matches, if it has no wildcards.
pub fn literal(pattern: &str) -> Option<String> {
    let (text, rest) = literal_prefix(pattern);
    rest.is_empty().then_some(text)
}

/// Where to look for what a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The folder in which the first wildcard (or the last part) is.
    pub folder: PathBuf,
    /// How many levels of folders below it the pattern reaches into; `None`: all of them.
    pub levels: Option<usize>,
}

/// Where to look for what a pattern matches.
pub fn reach(pattern: &str) -> Reach {
    let (text, rest) = literal_prefix(pattern);
    let (folder, name) = text.rsplit_once('/').unwrap_or(("", &text));
    let deeper = name.matches('/').count() + rest.matches('/').count();
    let levels = (!rest.contains("**")).then_some(deeper);
    Reach { folder: folder.into(), levels }
}

/// The text before the first wildcard, and the pattern from there on.
fn literal_prefix(pattern: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = pattern;
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('[') => match (chars.next(), chars.next()) {
                (Some(c), Some(']')) if SPECIAL.contains(&c) => text.push(c),
                _ => return (text, rest),
            },
            Some('\\') => match chars.next() {
                Some(c) => text.push(c),
                None => return (text, rest),
            },
            Some('?' | '*' | '{') | None => return (text, rest),
            Some(c) => text.push(c),
        }
        rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_part_before_the_first_wildcard_is_text() {
        let reach = |pattern| {
            let Reach { folder, levels } = reach(pattern);
            (folder.display().to_string(), levels)
        };
        assert_eq!(reach("/s/.restart"), ("/s".into(), Some(0)));
        assert_eq!(reach("/s/src/*.js"), ("/s/src".into(), Some(0)));
        assert_eq!(reach("/s/src/*/a.js"), ("/s/src".into(), Some(1)));
        assert_eq!(reach("/s/s{a,b/c}/*.js"), ("/s".into(), Some(2)));
        assert_eq!(reach("/s/src/**/*.js"), ("/s/src".into(), None));
        assert_eq!(reach("/my [[]old[]] s/src/*.js"), ("/my [old] s/src".into(), Some(0)));
        assert_eq!(literal("/a/b").as_deref(), Some("/a/b"));
        assert_eq!(literal("/[[]a[]]/b").as_deref(), Some("/[a]/b"));
        assert_eq!((literal("/a/[b]"), literal("/a/*")), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_escaped_matches_itself_alone(text in "[a-c?*{}!,^\\[\\]\\\\-]{1,8}", other in "[a-c]{1,8}") {
            let pattern = escape(&text);
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            let matcher = glob.expect("a pattern").compile_matcher();
            prop_assert!(matcher.is_match(&text), "{pattern}");
            prop_assert_eq!(matcher.is_match(&other), text == other);
            prop_assert_eq!(literal(&pattern), Some(text));
        }
    }
}
