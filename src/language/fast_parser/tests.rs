use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::language::scan;

fn read(text: &str) -> Option<KdlDocument> {
    document(text, &scan::tokens(text)).ok()
}

/// Everything that is read out of a document.
fn told(document: &KdlDocument) -> String {
    let mut text = String::new();
    for node in document.nodes() {
        let name = node.name();
        let _ = write!(text, "{:?}@{:?}", name.value(), name.span());
        for entry in node.iter() {
            let name = entry.name().map(|name| (name.value(), name.span()));
            let spelling = entry.format().map(|format| &format.value_repr);
            let _ = write!(text, " {name:?}={:?} {spelling:?}", entry.value());
            let _ = write!(text, "@{:?} {:?}", entry.span(), entry.ty());
        }
        let _ = match node.children() {
            Some(children) => writeln!(text, " {{\n{}}}", told(children)),
            None => writeln!(text),
        };
    }
    text
}

/// Whatever is read quickly is what the parser reads; whether it was.
fn agrees(text: &str) -> bool {
    let Some(document) = read(text) else { return false };
    let by_parser: KdlDocument = match text.parse() {
        // What is taken out need not be right, and may be followed by a `;`, or by anything.
        _ if text.contains("/-") => return true,
        Ok(document) => document,
        Err(error) => panic!("the parser refuses {text:?}: {error:?}"),
    };
    assert_eq!(told(&document), told(&by_parser), "{text}");
    true
}

#[test]
fn plain_texts_are_read() {
    assert!(agrees(crate::language::schema::TEXT));
    for text in [
        "",
        "\n",
        "a",
        "a;b\nc // d\n// e\n",
        "a { b 1; c -2 x=3 \"d e\"=\"f\" }\n",
        "a #\"b \"c\"\"# #true {\n}\nb {}",
        "\"a b\" k=#null x.y",
        "a{ b }",
        "a {b}",
        "a { b };",
    ] {
        let _ = agrees(text);
    }
    assert!(agrees("service \"api\" { run \"x 1\"; stop grace=\"2s\" } // ü\n"));
}

#[test]
fn rarer_forms_are_read_too() {
    for text in [
        "a \"\\n\\u{e9}\\s\"",
        "a 1.5e3 0x1f -0b1 0o7 1_000 +1 #inf #nan",
        "a \"\"\"\n b\n \"\"\"",
        "a #\"\"\"\n b\n \"\"\"#",
        "/- a",
        "/- a { b }\nc",
        "a /- b c",
        "a /- k=1 c",
        "a /- { b { c } } { d }",
        "a { d } /- { b }",
        "a /* b /* c */ * / */ d",
        "a \\\n b",
        "a \\ // c\n b",
        "a k = 1",
        "ä ö=\"ü\"",
        "a\u{a0}b",
        "a\r\nb \"c\"\r\n",
        "\u{feff}a",
        "+ - .a -- +a",
        "#\"a\"# b",
    ] {
        assert!(agrees(text), "{text:?}");
        let by_parser = text.parse::<KdlDocument>();
        assert!(by_parser.is_ok(), "{text:?}: {by_parser:?}");
    }
}

#[test]
fn everything_else_is_left_to_the_parser() {
    for text in [
        "(t)a",
        "a true",
        "a \"b",
        "a {",
        "a }",
        "a \"b\"c",
        "a (t)1",
        "a/*b*/",
        "/-",
        "/- /- a",
        "a b//c",
        "a\u{85}b",
        "a \u{200e}",
        "a {} b",
        "1",
        "a .1",
        "a 1x",
        "a \"\\q\"",
        "/* a",
    ] {
        assert!(read(text).is_none(), "{text:?}");
    }
}

/// Bits of KDL, to be put together in any order.
const BITS: [&str; 41] = [
    "a",
    "b-c",
    "\"x y\"",
    "\"\"",
    "{",
    "}",
    " {",
    " }",
    ";",
    "\n",
    " ",
    " ",
    "=",
    "1",
    "-2",
    "1.5",
    "\"\\\"\\\\\"",
    "#true",
    " #\"r\"#",
    "// c\n",
    "true",
    "/",
    "#",
    " k=",
    ".",
    "\t",
    "/*",
    "*/",
    "/-",
    " /- ",
    "\\\n",
    "\r\n",
    "0x1f",
    "+1_0",
    "1e3",
    "#inf",
    "\"\\u{e9}\\n\"",
    "\"\"\"\n x\n \"\"\"",
    "ä",
    "\u{a0}",
    "\u{feff}",
];

proptest! {
    #[test]
    fn whatever_is_read_is_what_the_parser_reads(
        bits in prop::collection::vec(0..BITS.len(), 1..16)
    ) {
        let text: String = bits.into_iter().map(|bit| BITS[bit]).collect();
        let _ = agrees(&text);
    }
}
