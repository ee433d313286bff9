//! Whatever is written, nothing panics, and formatting keeps what was said.

use proptest::prelude::*;

use super::{folder, load_in, options};
use crate::language::{Look, fmt, render, scan};

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
                for (width, color) in [(40, false), (100, true)] {
                    let rendered = render(report, Look { width, color });
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
