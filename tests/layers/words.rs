//! Holds the vocabulary: what users read is plain English, and no name is coined where the field
//! has one. The words that are not used are listed here, and nowhere else.

use std::{collections::BTreeSet, fs, path::Path};

use super::{root, sources};

/// Not in any string, since users may read it: each with what is written in its place.
const NOT_IN_STRINGS: &[(&str, &str)] = &[
    ("is no", "is not a"),
    ("are no", "are not"),
    ("stands", "is, is written"),
    ("anew", "again"),
    ("nobody", "no process, no user"),
    ("somebody", "another process, another user"),
    ("anybody", "any process, any user"),
    ("whoever", "what, the process that"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("goes on", "continues, keeps running"),
    ("let go", "dropped"),
    ("of its own accord", "by itself"),
    ("will do", "expected"),
    ("means itself", "is literal"),
    ("as it should be", "nothing is wrong with"),
    ("looks after", "supervises"),
    ("in one breath", "at once"),
    ("makes no sense", "is malformed"),
    ("be that user", "run it as that user"),
];

/// Phrases that have one of those in them and are right.
const RIGHT: &[&str] =
    &["there is no", "there are no", "is no longer", "are no longer", "boot mend"];

/// In no name and no comment either: the field has other words.
const NOT_IN_SOURCE: &[(&str, &str)] = &[
    ("papers", "checkpoint"),
    ("foresee", "dry run"),
    ("foresees", "dry run"),
    ("foreseen", "dry run"),
    ("estate", "handoff"),
    ("heritage", "spawn context"),
];

/// Files that have some of these still. None may be added.
const EXCEPTIONS: &[&str] = &[
    "cli/doctor/mod.rs",
    "control/client.rs",
    "executor/effects.rs",
    "executor/port_takeover.rs",
    "executor/pulse.rs",
    "executor/requests.rs",
    "executor/takeover.rs",
];

#[test]
fn what_users_read_is_plain() {
    let schema = fs::read_to_string(root("schema/stack.schema.kdl")).expect("the schema");
    let mut wrong = bad_strings("stack.schema.kdl", &schema);
    for (_, file, text) in sources() {
        if !file.iter().any(|part| part == "tests") && !is_exception(&file) {
            wrong.extend(bad_strings(&file.display().to_string(), &text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_are_those_of_the_field() {
    let mut wrong = Vec::new();
    for (_, file, _) in sources().into_iter().filter(|(_, file, _)| !is_exception(file)) {
        let text = fs::read_to_string(root("src").join(&file)).expect("a source file");
        let words = words(&text);
        let coined = NOT_IN_SOURCE.iter().filter(|(word, _)| words.contains(*word));
        wrong.extend(coined.map(|(word, better)| format!("{}: {word} ({better})", file.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_are_found_in_every_form() {
    let text =
        r##"let a = 'x'; f::<'a>("one \" two", r#"three "four""#); let q = '"'; g("is no b");"##;
    assert_eq!(strings(text), ["one \\\" two", "three \"four\"", "is no b"]);
    assert_eq!(bad_strings("f", text), ["f: `is no` (is not a) in `is no b`"]);
    assert!(bad_strings("f", "\"there is no file; it is no longer there\"").is_empty());
    assert!(bad_strings("f", "\"a recommended fix withstands this nodes\"").is_empty());
    let found = words("struct SpawnHeritage; fn on_estate() {} // Papers");
    assert!(["heritage", "estate", "papers"].iter().all(|word| found.contains(*word)), "{found:?}");
    assert!(!words("fn restate() {}").contains("estate"));
}

fn is_exception(file: &Path) -> bool {
    EXCEPTIONS.iter().any(|path| file == Path::new(path))
}

fn bad_strings(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for string in strings(text) {
        let plain = RIGHT.iter().fold(string.to_owned(), |text, right| text.replace(right, ""));
        for (phrase, better) in NOT_IN_STRINGS.iter().filter(|(phrase, _)| has(&plain, phrase)) {
            found.push(format!("{file}: `{phrase}` ({better}) in `{string}`"));
        }
    }
    found
}

/// Whether a text has these words one after the other, as whole words.
fn has(text: &str, phrase: &str) -> bool {
    let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
    text.match_indices(phrase).any(|(at, _)| {
        is_apart(text[..at].chars().next_back())
            && is_apart(text[at + phrase.len()..].chars().next())
    })
}

/// The contents of every string literal, as they are spelt.
fn strings(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quote) = (&rest[..at], rest.as_bytes()[at]);
        rest = &rest[at + 1..];
        if quote == b'\'' {
            // A character; or a lifetime, which has no end.
            let length = match rest.strip_prefix('\\') {
                Some(escaped) => escaped.get(1..).and_then(|tail| tail.find('\'')).map(|at| at + 3),
                None => {
                    rest.char_indices().nth(1).filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
                }
            };
            rest = &rest[length.unwrap_or(0)..];
            continue;
        }
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before[..before.len() - hashes].ends_with('r');
        let end = match is_raw {
            true => rest.find(&format!("\"{}", "#".repeat(hashes))),
            false => end_of_string(rest),
        };
        let end = end.unwrap_or(rest.len());
        found.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    found
}

/// Where the quote is that is not escaped.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Every word of a text in lower case, those of which names are made included.
fn words(text: &str) -> BTreeSet<String> {
    let mut spaced = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        if last.is_lowercase() && c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.push(c);
        last = c;
    }
    let words = spaced.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
