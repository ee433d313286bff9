//! Whatever stands in a file, it is read on a stack, in a time and with words that are bounded.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{folder, load_in, options};
use crate::language::{declared, report::Finding};

/// What is said of a text: each place and message.
fn told(text: &str) -> Vec<String> {
    told_of(folder(&[("stack.kdl", text)]).path())
}

fn told_of(folder: &Path) -> Vec<String> {
    let findings = match load_in(folder, &options()) {
        Ok(loaded) => loaded.warnings,
        Err(findings) => findings,
    };
    let line = |finding: &Finding| {
        let data = finding.data();
        let place = |number: Option<usize>| number.unwrap_or_default();
        format!("{}:{} {}", place(data.line), place(data.column), data.message)
    };
    findings.iter().map(line).collect()
}

const FINE: &str = "service \"a\" { run \"x\" }\n";

#[test]
fn what_is_nested_too_deeply_is_told_where_it_is() {
    let nested = |depth: usize| format!("{}{}\n{FINE}", "/*".repeat(depth), "*/".repeat(depth));
    assert_eq!(told(&nested(101)), [""; 0]);
    assert_eq!(told(&nested(5000)), ["1:203 comments nested too deeply"]);
    let open = told(&format!("{FINE}{}", "/*".repeat(5000)));
    assert_eq!(open, ["2:203 comments nested too deeply"]);
    let braces = told(&format!("{FINE}{}{}", "x { ".repeat(5000), "}".repeat(5000)));
    assert_eq!(braces, ["2:67 braces nested too deeply"]);
    let slashed = told(&format!("/-x {{{}{}}}\n{FINE}", "{ ".repeat(5000), "}".repeat(5000)));
    assert_eq!(slashed, ["1:36 braces nested too deeply"]);
}

#[test]
fn what_is_long_and_right_is_read() {
    let texts = [
        format!("/{}/\n{FINE}", "*".repeat(50_001)),
        format!("/* {} */\n{FINE}", "a/b*c ".repeat(20_000)),
        format!("service \"a\" {} {{ run \"x\" }}\n", "/- b ".repeat(5000)),
        format!("service \"a\" {} {{ run \"x\" }}\n", "/- { x; } ".repeat(5000)),
        format!("{}{FINE}", "/- x { y; }\n".repeat(5000)),
        format!("service \"a\" {}{{ run \"x\" }}\n", "\\\n".repeat(20_000)),
        format!("service \"a\" {{ run \"x {}\" }}\n", "y ".repeat(200_000)),
        format!("service \"a\" {{ run \"x\" // {}\n}}\n", "z".repeat(1_000_000)),
        format!("{}{FINE}", "\n".repeat(200_000)),
        format!("{}{FINE}", "// c\r\n".repeat(50_000)),
    ];
    for text in texts {
        assert_eq!(told(&text), [""; 0], "{}", &text[..40]);
    }
}

#[test]
fn rows_of_mistakes_are_told_and_end_nothing() {
    for mistake in [
        "} ", "= ", "/- ", "( ", ") ", "[ ", "a } ", "\" ", "#\" ", "a \"\n", "a/*b ", "/*/ ",
        "\\ ", "a { /- ", "\u{85}", "'", "{{", "}}", "a=", "=a\n", ";", "\u{feff}", "\0",
    ] {
        let row = mistake.repeat(4000);
        for text in [row.clone(), format!("{FINE}{row}"), format!("{FINE}x {row}\n{FINE}")] {
            let told = told(&text);
            // A new line, a mark of the byte order and a `;` are none.
            let is_fine = matches!(mistake, "\u{85}" | "\u{feff}" | ";");
            assert!((is_fine || !told.is_empty()) && told.len() < 2000, "{mistake:?}: {told:?}");
            let length: usize = told.iter().map(String::len).sum();
            assert!(length < 1_500_000, "{mistake:?}: {length}");
        }
    }
}

#[test]
fn a_name_is_found_though_the_rest_is_no_kdl() {
    let dir = folder(&[("stack.kdl", &format!("{FINE}{}", "} ".repeat(20_000)))]);
    assert_eq!(declared(&dir.path().join("stack.kdl")).services, ["a"]);
}

#[test]
fn what_is_quoted_in_a_message_is_cut() {
    let told = told(&format!("{FINE}service {} {{ run \"x\" }}\n", "x/".repeat(500_000)));
    assert!(told.iter().all(|told| told.len() < 1200 && told.contains('…')), "{told:?}");
}

#[test]
fn copies_are_bounded_before_they_are_made() {
    let told_of = |text: &str| told(text).join("\n");
    let one = told_of("service \"a\" { run \"x\"; replicas 100000000 }\n");
    assert_eq!(one, "1:33 `replicas` cannot be 100000000");
    let all: String = (0..11)
        .map(|number| format!("service \"s{number}\" {{ run \"x\"; replicas 1000 }}\n"))
        .collect();
    assert_eq!(told_of(&all), "11:9 the stack has more than 10000 services and tasks");
    let chain: String = (0..3)
        .map(|number| {
            let needs =
                if number > 0 { format!("needs \"s{}\"", number - 1) } else { String::new() };
            format!("service \"s{number}\" {{ run \"x\"; replicas 1000; {needs} }}\n")
        })
        .collect();
    assert_eq!(told_of(&chain), "3:9 the stack has more than 1000000 needs");
    let env = (0..3000).map(|key| format!("K{key} \"v\"\n")).collect::<String>();
    let large =
        told_of(&format!("service \"a\" {{ run \"x\"; replicas 1000; env {{\n{env}}} }}\n"));
    assert_eq!(large, "1:9 the stack has more than 2000000 settings");
    let ports = told_of("service \"a\" { run \"x\"; port 65000; replicas 1000 }\n");
    assert!(ports.contains("1:29"), "{ports}");
}

#[test]
fn templates_and_the_env_of_all_are_bounded_before_they_multiply() {
    let keys = (0..3000).map(|key| format!("K{key} \"v\"\n")).collect::<String>();
    let users: String = (0..1000)
        .map(|number| format!("service \"s{number}\" template=\"t\" {{ run \"x\" }}\n"))
        .collect();
    let told_of = told(&format!("template \"t\" {{ env {{\n{keys}}} }}\n{users}"));
    assert_eq!(told_of, ["3336:9 the stack has more than 2000000 settings"]);
    let users = users.replace(" template=\"t\"", "");
    let told_of = told(&format!("env {{\n{keys}}}\n{users}"));
    assert_eq!(told_of, ["3336:9 the stack has more than 2000000 settings"]);
}

#[test]
fn groups_within_groups_are_looked_at_once() {
    let mut text = format!("{FINE}group \"g0\" \"a\"\ngroup \"g1\" \"g0\" \"a\"\n");
    for number in 2..200 {
        text += &format!("group \"g{number}\" \"g{}\" \"g{}\"\n", number - 1, number - 2);
    }
    assert_eq!(told(&text), [""; 0]);
}

#[test]
fn files_that_include_files_are_bounded() {
    let names: Vec<String> = (0..12).map(|number| format!("f{number}.kdl")).collect();
    let many: Vec<String> =
        (1..13).map(|next| format!("include \"f{next}.kdl\"\n").repeat(10)).collect();
    let mut files: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(many.iter().map(String::as_str)).collect();
    files.push(("f12.kdl", ""));
    let root = format!("{FINE}include \"f0.kdl\"\n");
    files.push(("stack.kdl", &root));
    let dir = folder(&files);
    let told = told_of(dir.path());
    assert!(told.iter().all(|told| told.contains("too large to read")), "{told:?}");
    assert!(told.len() <= 1001, "{}", told.len());
}

#[test]
fn a_long_way_is_cut_in_its_middle() {
    let ring: String = (0..3000)
        .map(|number| {
            let next = (number + 1) % 3000;
            format!("service \"s{number}\" {{ run \"x\"; needs \"s{next}\" }}\n")
        })
        .collect();
    let told = told(&ring);
    assert!(told[0].contains("s9 → (2981 more) → s2991 →"), "{told:?}");
    let dir = folder(&[("stack.kdl", &ring)]);
    let findings = load_in(dir.path(), &options()).expect_err("a ring");
    assert!(findings[0].data().labels.len() <= 50);
}

#[test]
fn no_string_holds_a_nul() {
    for text in [
        "service \"a\" { run \"x \\u{0}\" }",
        "service \"a\" { run \"x\"; dir \"a\\u{0}b\" }",
        "service \"a\" { run \"x\"; env { K \"a\\u{0}b\" } }",
        "service \"a\" { shell \"x \\u{0}\" }",
        "env { K \"\\u{0}\" }",
        "service \"a\" { run \"x\"; ready { http \"/\\u{0}\" } }",
    ] {
        let told = told(&format!("{FINE}{}\n", text.replace("\"a\"", "\"b\"")));
        assert!(
            told.iter().any(|told| told.starts_with("2:") && told.contains("cannot contain a NUL")),
            "{text}: {told:?}"
        );
    }
    let dir =
        folder(&[("stack.kdl", &format!("env-file \".env\"\n{FINE}")), (".env", "A=1\nB=x\0y\n")]);
    let told = told_of(dir.path());
    assert!(told[0].contains("line 2") && told[0].contains("`B` contains a NUL"), "{told:?}");
}

#[test]
fn only_utf8_is_read() {
    let told_with = |kdl: &[u8], env: &[u8]| {
        let dir = folder(&[]);
        std::fs::write(dir.path().join("stack.kdl"), kdl).expect("written");
        std::fs::write(dir.path().join(".env"), env).expect("written");
        told_of(dir.path()).join("\n")
    };
    let with_env = format!("env-file \".env\"\n{FINE}");
    let latin = told_with(with_env.as_bytes(), b"A=1\nPASSWORD=caf\xe9\n");
    assert!(latin.contains("byte 13 of line 2 (0xe9)") && latin.contains("ISO-8859-1"), "{latin}");
    assert!(latin.starts_with("1:10"), "{latin}");
    let wide: Vec<u8> = FINE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = told_with(&[b"\xff\xfe".as_slice(), &wide].concat(), b"");
    assert!(wide.contains("UTF-16LE"), "{wide}");
    let marked =
        |text: &str| [b"\xef\xbb\xbf".as_slice(), text.replace('\n', "\r\n").as_bytes()].concat();
    assert_eq!(told_with(&marked(&with_env), &marked("A=\u{e9}\nB=2\n")), "");
    assert!(told_with(b"service \"\xe9\" {}\n", b"").contains("byte 10 of line 1"));
}

/// A stack of so many services with so many entries each.
fn large(kind: &str, services: usize, entries: usize) -> String {
    let before = |at: usize| (0..entries.min(at)).map(move |back| format!("s{}", at - 1 - back));
    let body = |at: usize| match kind {
        "env" => {
            let all = (0..entries).map(|key| format!("K{key} \"v\"; ")).collect::<String>();
            format!("env {{ {all} }}")
        }
        "needs" => match at {
            0 => String::new(),
            _ => format!(
                "needs {}",
                before(at).map(|name| format!("\"{name}\" ")).collect::<String>()
            ),
        },
        "after" => {
            let after = before(at).map(|name| format!("after \"{name}\"; "));
            let needs = before(at).map(|name| format!("needs \"{name}\"; "));
            after.chain(needs).collect()
        }
        "uses" => {
            let uses = before(at).map(|name| format!("K{name} \"{{{{{name}.port}}}}\"; "));
            let needs = if at > 0 { format!("needs \"s{}\"; ", at - 1) } else { String::new() };
            format!("port {}; {needs} env {{ {} }}", 2000 + at, uses.collect::<String>())
        }
        _ => (0..entries).map(|number| format!("nope {number}; ")).collect(),
    };
    let services =
        (0..services).map(|at| format!("service \"s{at}\" {{ run \"x\"; {} }}", body(at)));
    // All in one line: its length must not count either.
    services.collect::<Vec<_>>().join("; ")
}

#[test]
#[ignore = "it measures time: `cargo test --release --lib four_times -- --ignored`, with nothing beside it"]
#[expect(clippy::disallowed_methods, reason = "a measurement watches the clock")]
fn four_times_as_much_takes_about_four_times_as_long() {
    let took = |kind: &str, services: usize| -> Duration {
        let dir = folder(&[("stack.kdl", &large(kind, services, 20))]);
        let once = || {
            let began = Instant::now();
            let _ = load_in(dir.path(), &options());
            began.elapsed()
        };
        // The least: what else runs here takes time, and gives none.
        (0..3).map(|_| once()).min().unwrap_or_default()
    };
    for kind in ["env", "needs", "after", "uses", "unknown"] {
        let ratio = |_| took(kind, 400).as_secs_f64() / took(kind, 100).as_secs_f64();
        let ratios: Vec<f64> = (0..3).map(ratio).take_while(|ratio| *ratio > 8.0).collect();
        assert!(ratios.len() < 3, "{kind}: {ratios:?}");
    }
}

/// What files are made of, and what goes wrong in them.
const BITS: [&str; 24] = [
    "{",
    "}",
    "/*",
    "*/",
    "/-",
    "\"",
    "#\"",
    "\"#",
    "\"\"\"",
    "\n",
    ";",
    "=",
    "(",
    ")",
    "a",
    " ",
    "\\",
    "1",
    "#",
    "//",
    "service \"a\" ",
    "{{",
    "}}",
    "'",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_repeated_ends_with_an_answer(
        parts in prop::collection::vec((prop::collection::vec(0..BITS.len(), 1..4), 1..600_usize), 1..4)
    ) {
        let mut text = FINE.to_owned();
        for (bits, times) in parts {
            let unit: String = bits.into_iter().map(|bit| BITS[bit]).collect();
            text += &unit.repeat(times);
        }
        let told = told(&text);
        prop_assert!(told.len() <= 1001);
    }
}
