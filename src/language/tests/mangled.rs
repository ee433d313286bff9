//! Whatever is written, nothing panics, and formatting keeps what was said.

use proptest::prelude::*;

use super::{folder, load_in, options};
use crate::language::{Finding, Look, fmt, scan};

const SHOP: &str = include_str!("shop.kdl");

/// Bits of the language, good and bad, to put in anywhere.
const BITS: [&str; 24] = [
    "{",
    "}",
    "\"",
    "\"\"\"",
    "#\"",
    "\"#",
    "/*",
    "*/",
    "//",
    "/-",
    "\\",
    ";",
    "=",
    "\n",
    "{{",
    "}}",
    "true",
    "#true",
    "é",
    "\r\n",
    " ",
    "5s",
    "include \"stack.kdl\"\n",
    "\u{2028}",
];

/// The file of the language page with a few cuts and insertions.
fn mangled() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..40_usize, 0..BITS.len());
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut chars: Vec<char> = SHOP.chars().collect();
        for (at, cut, bit) in edits {
            let start = at.index(chars.len() + 1);
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, BITS[bit].chars());
        }
        chars.into_iter().collect()
    })
}

/// The comments of a text, the space around each aside.
fn comments(text: &str) -> Vec<String> {
    let tokens = scan::tokens(text).into_iter();
    let comments = tokens
        .filter(|token| matches!(token.kind, scan::Kind::LineComment | scan::Kind::BlockComment));
    let text_of = |token: scan::Token| text[token.range].replace('\r', "").trim().to_owned();
    comments.map(text_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in mangled()) {
        let dir = folder(&[("stack.kdl", &text), ("api/x", ""), ("web/x", "")]);
        if let Err(reports) = load_in(dir.path(), &options()) {
            prop_assert!(!reports.is_empty());
            for report in &reports {
                for (width, color) in [(24, false), (100, true)] {
                    let rendered = Look { width, color, unicode: color }.draw(report);
                    prop_assert!(!rendered.is_empty());
                }
            }
        }
    }

    #[test]
    fn formatting_is_stable_and_keeps_comments(text in mangled()) {
        let once = fmt(&text);
        prop_assert_eq!(fmt(&once), once.clone());
        prop_assert_eq!(comments(&once), comments(&text));
        let (before, after) = (text.parse::<kdl::KdlDocument>(), once.parse::<kdl::KdlDocument>());
        if let Ok(mut before) = before {
            let mut after = after.expect("still parses");
            before.clear_format_recursive();
            after.clear_format_recursive();
            prop_assert_eq!(before.to_string(), after.to_string());
        }
    }
}

/// A text without one of its bytes (or characters), with one doubled, with two swapped.
fn slips(text: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    let string = |chars: &[char]| chars.iter().collect::<String>();
    (0..chars.len()).flat_map(move |at| {
        let (mut less, mut more, mut swapped) = (chars.clone(), chars.clone(), chars.clone());
        less.remove(at);
        more.insert(at, chars[at]);
        swapped.swap(at, (at + 1).min(chars.len() - 1));
        [string(&less), string(&more), string(&swapped)]
    })
}

/// The same by lines.
fn slips_of_lines(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    (0..lines.len()).flat_map(move |at| {
        let (mut less, mut more, mut swapped) = (lines.clone(), lines.clone(), lines.clone());
        less.remove(at);
        more.insert(at, lines[at].clone());
        swapped.swap(at, (at + 1).min(lines.len() - 1));
        [less, more, swapped].map(|lines| lines.join("\n"))
    })
}

/// Whatever slips, every problem has its place and its fix, few follow from one slip, and what
/// else is wrong is still told.
#[test]
fn every_slip_is_told_at_its_place() {
    // What is wrong besides stands first and last.
    let wrong = |name: &str| format!("service \"{name}\" {{ run \"x\"; prot 1 }}\n");
    let dir = folder(&[("api/x", ""), ("web/x", "")]);
    let (mut total, mut most) = (0, (0, String::new()));
    let mut lost = Vec::new();
    // Bytes are many: every seventh in a debug build is enough to meet every kind of slip.
    let texts = slips(SHOP).step_by(7).chain(slips_of_lines(SHOP));
    for text in texts {
        let text = format!("{}{text}\n{}", wrong("first"), wrong("last"));
        std::fs::write(dir.path().join("stack.kdl"), &text).expect("written");
        let reports = load_in(dir.path(), &options()).expect_err("two errors are planted");
        let all: Vec<_> = reports.iter().map(Finding::data).collect();
        for one in &all {
            let line = one.line.unwrap_or_else(|| panic!("no place: {}\n{text}", one.message));
            assert!(line <= text.lines().count() + 1, "{}\n{text}", one.message);
            assert!(one.help.is_some(), "no fix: {}", one.message);
        }
        let planted = all.iter().filter(|one| one.message == "unknown node `prot`").count();
        // A third one may slip in.
        if planted < 2 {
            lost.push(text.clone());
        }
        total += 1;
        if all.len() > most.0 {
            most = (all.len(), text);
        }
    }
    assert!(most.0 <= 8, "{} problems of one slip:\n{}", most.0, most.1);
    assert!(
        lost.len() * 50 <= total,
        "{} of {total} hide others:\n{}",
        lost.len(),
        lost.join("\n====\n")
    );
}
