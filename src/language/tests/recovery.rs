//! A syntax error hides nothing else of its file, and nothing that follows from it is told.

use super::{folder, load_in, options};
use crate::language::Finding;

/// Each problem in one line: its place, its characters, what is wrong.
fn told(text: &str) -> String {
    let dir = folder(&[("stack.kdl", text)]);
    let reports = match load_in(dir.path(), &options()) {
        Ok(loaded) => loaded.warnings,
        Err(reports) => reports,
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut out = format!("{text}---\n");
    for data in reports.iter().map(Finding::data) {
        let (line, column, length) =
            (data.line.unwrap_or(0), data.column.unwrap_or(0), data.length.unwrap_or(0));
        let of_line = lines.get(line.wrapping_sub(1)).unwrap_or(&"");
        let at: String = of_line.chars().skip(column - 1).take(length).collect();
        out.push_str(&format!("{line}:{column} «{at}» {}\n", data.message));
    }
    out
}

/// One snapshot for each text.
macro_rules! told {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), told($text));
        }
    )*};
}

told! {
    habits_are_read_as_they_were_meant: "service \"a\" {\n    run 'x'\n    tty true\n    ready within=2s { delay 3s }\n    port = 99999\n    needs [\"b\", \"zz\"]\n}\nservice \"b\" { run r\"\\d\"; needs \"a\", \"zy\" }\n";
    a_node_that_is_no_kdl: "service \"a\" {\n    run \"x\"\n    port 80 2=3\n    prot 1\n}\nservice \"b\" { needs \"a\" \"zz\"; run \"x {{a.port}}\" }\n";
    a_name_that_cannot_be_read: "service \"a {\n    run \"x\"\n}\nservice \"b\" 2=3 { run \"x\" }\nservice 4=5 { run \"x\" }\nservice \"c\" { needs \"a\" \"b\" \"d\"; run \"x\"; prot 1 }\n";
    a_string_never_closed: "service \"b\" {\n    run \"x\n    port 8000\n    prot 1\n}\nservice \"c\" { needs \"b\" \"zz\"; run \"x {{b.port}}\" }\n";
    a_long_string_never_closed: "service \"b\" {\n    shell \"\"\"\n        echo\n}\nservice \"c\" { needs \"b\" \"zz\"; run \"x {{b.port}}\"; prot 1 }\n";
    a_line_of_a_long_string_too_far_out: "service \"b\" {\n    shell \"\"\"\n        echo\n      hi\n        \"\"\"\n    prot 1\n}\n";
    a_comment_never_closed: "service \"a\" { run \"x\"; prot 1 }\n/* not yet\nservice \"b\" { needs \"zz\" }\n";
    a_brace_never_closed: "service \"a\" {\n    ready {\n        delay \"1s\"\n    run \"x\"\n    port 8000\n}\nservice \"b\" { run \"x {{a.port}}\"; prot 1 }\nservice \"c\" {\n    run \"x\"\n";
    a_brace_too_many: "service \"a\" {\n    run \"x\"\n    }\n    port 8000\n}\nservice \"b\" { needs \"a\"; run \"{{a.port}}\"; prot 1 }\n}\nservice \"c\" { run \"x\" } port 80 }\n";
    braces_on_their_own: "service \"a\"\n{\n    ready // soon\n    {\n        tcp 1\n    }\n    run \"x\"\n    prot 1\n}\nservice \"b\" { run \"x\" } { port 1 }\n";
    braces_on_their_own_and_a_string_never_closed: "service \"a\"\n{\n    run \"x\n    prot 1\n}\nservice \"b\"\n{\n    run \"x\"\n    prot 1\n}\nservice \"c\n{\n    run \"x\"\n}\n";
    comments_of_others: "# the { stack\nservice \"a\" { # it's \"fine\n    run \"x\" # }\n    env { COLOR #fff }\n    prot 1\n}\n";
    what_is_no_kdl_at_all: ")(*&^%$\nservice \"a\" { run \"x\"; prot 1; needs \"b\" }\n{ \"json\": 1 }\n[toml]\nkey: value\n";
    templates_without_quotes: "service \"a\" { port {{env.PORT}}; needs \"zz\"; url http://localhost:{{port}}/x open=#true }\nservice \"b\" { needs \"zy\"; run x-{{ a.port }}; port 80 host={{nope.port}} }\nservice \"d\" { run \"x\"; ready { tcp }}\n";
    what_is_taken_out: "/-service \"a\" { prot 1 }\nservice \"b\" { run \"x\"; /-prot 1; ready { /-tcp 1; delay \"1s\" } }\n";
}
