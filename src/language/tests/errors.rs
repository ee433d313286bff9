//! Every problem as its user sees it: plain, 80 columns.

use super::{folder, load_in, options};
use crate::{
    language::{Finding, Look, Options},
    printable,
};

/// What a stack of these files is told, warnings included.
fn told(files: &[(&str, &str)], options: &Options) -> String {
    told_in(files, options, Look { width: 80, color: false, unicode: true })
}

fn told_in(files: &[(&str, &str)], options: &Options, look: Look) -> String {
    let dir = folder(files);
    let reports = match load_in(dir.path(), options) {
        Ok(loaded) => loaded.warnings,
        Err(reports) => reports,
    };
    for data in reports.iter().map(Finding::data) {
        assert!(data.help.is_some_and(|help| !help.is_empty()), "no fix: {}", data.message);
    }
    let drawn = reports.iter().map(|report| printable::finish(&look.draw(report)).into_owned());
    let rendered: Vec<String> = drawn.collect();
    let root = dir.path().canonicalize().expect("there").display().to_string();
    rendered.join("\n").replace(&root, "/shop")
}

/// One snapshot for each text.
macro_rules! told {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), told(&[("stack.kdl", $text)], &options()));
        }
    )*};
}

told! {
    unknown_node: "servce \"a\" { run \"x\" }\nservice \"b\" { run \"x\"; prot 80 }\n";
    misplaced_node: "port 80\nservice \"a\" { run \"x\"; step \"b\" { run \"x\" } }\n";
    yaml: "services:\n  api:\n    run: x\n";
    unknown_property: "service \"a\" { run \"x\"; restart tires=3; ready port=1; url \"x\" opne=#true }\n";
    twice: "service \"a\" {\n    run \"x\"\n    dir \".\"\n    dir \".\"\n    stop grace=\"1s\" grace=\"2s\"\n}\n";
    missing_values: "service\nservice \"a\" { run; memory; tty }\ntask \"t\" { run \"x\"; on-failure }\n";
    too_many_values: "service \"a\" \"b\" { run \"x\"; tty #true #false; ready \"x\" }\n";
    no_braces: "service \"a\" { run \"x\" { y } }\n";
    wrong_types: "service \"a\" {\n    run 5\n    tty \"true\"\n    restart tries=\"3\"\n    ready within=5\n    memory max=500\n    env { A #true }\n}\n";
    wrong_formats: "service \"a\" {\n    run \"x\"\n    ready within=\"5 parsecs\"\n    memory max=\"500 mibs\"\n    stop signal=\"SIGTREM\"\n    restart \"allways\" tries=-1\n    port 80000\n    tool \"x\" version=\"latest\"\n    succeeds-with 300\n}\ntask \"t\" { run \"x\"; schedule \"61 * * * *\" }\n";
    bad_statuses: "service \"a\" {\n    run \"x\"\n    port 8000\n    ready {\n        http \"/a\" status=99\n        http \"/b\" status=\"2xx;404\"\n        http \"/c\" status=\"200,\"\n        http \"/d\" status=\"200-600\"\n        http \"/e\" status=\"404-200\"\n        http \"/f\" status=#true\n        http \"/g\" status=\"\"\n    }\n}\n";
    bad_names: "service \"My App\" { run \"x\" }\nservice \"\" { run \"x\" }\nservice \"port\" { run \"x\"; env { \"1A\" \"x\" } }\n";
    doubled_names: "service \"a\" { run \"x\" }\ntask \"a\" { run \"x\" }\nservice \"b\" { run \"x\"; port 1 name=\"p\"; port 2 name=\"p\" }\ntemplate \"t\" { tty #true }\ntemplate \"t\" { tty #true }\ntask \"c\" { step \"s\" { run \"x\" }; step \"s\" { run \"x\" } }\n";
    unknown_names: "service \"api\" {\n    run \"x\"\n    needs \"postgras\" \"nothing\"\n    after \"apis\"\n    watch \"*\" task=\"buld\"\n}\nservice \"postgres\" template=\"nod\" { run \"x\" }\ntemplate \"node\" { tty #true }\ntask \"build\" { run \"x\"; without \"postgress\" }\ngroup \"g\" \"ap\"\n";
    wrong_kinds: "service \"a\" { run \"x\"; watch \"*\" task=\"b\" }\nservice \"b\" { run \"x\" }\ntask \"t\" { run \"x\"; without \"u\" }\ntask \"u\" { run \"x\" }\n";
    nothing_to_run: "service \"a\" { port 1234 }\ntask \"b\" { dir \".\" }\ntask \"c\" { step \"s\" { dir \".\" } }\nservice \"d\" { run \"x\"; before-start {}; alive }\n";
    two_commands: "service \"a\" { run \"x\"; shell \"y\" }\nservice \"b\" { run \"x\"; external #true }\ntask \"t\" { run \"x\"; step \"s\" { run \"x\" } }\n";
    words_of_a_shell: "service \"a\" { run \"a | b\" }\nservice \"b\" { run \"cd x && make\" }\nservice \"c\" { run \"echo $HOME\" }\nservice \"d\" { run \"A=1 make\" }\nservice \"e\" { run \"make #all\" }\nservice \"f\" { run \"echo \\\"`date`\\\"\" }\nservice \"g\" { run \"echo 'it\" }\nservice \"h\" { run #\"ls \"a b\" *.js\"# }\nservice \"i\" { run \"\" }\n";
    words_in_a_long_string: "service \"a\" {\n    run \"\"\"\n        node server.js\n            --log > out.log\n        \"\"\"\n}\n";
    values: "service \"a\" {\n    run \"x {{prot}} {{b.prt}} {{c.port}} {{port.htp}} {{now}} {{b}}\"\n    port 8000 name=\"http\"\n    dir \"{{port}}\"\n    describe \"{{env.NO}} {{env.EMPTY}}\"\n    url \"{{ open\"\n}\nservice \"b\" { run \"y {{port}} {{ replica }}\"; port 81; port 9000 }\nservice \"c\" { run \"z {{port}}\" }\ntask \"t\" { run \"x {{replica}} {{port}}\" }\n";
    open_values: "service \"a\" { run \"x\"; port \"auto\"; cleanup \"{{port}}.pid\"; ready { prints \"on {{port}}\" } }\n";
    ports: "service \"a\" { run \"x\"; port 8000; port \"{{env.HOME}}\" }\nservice \"b\" { run \"x\"; port 8000 }\nservice \"c\" { run \"x\"; port 9000; port 9000 name=\"again\" }\nservice \"d\" { run \"x\"; port 65535; replicas 2 }\n";
    checks: "service \"a\" { run \"x\"; ready { tcp; http \"/\"; tcp \"web\" } }\nservice \"c\" { run \"x\"; port 9000; ready { tcp 9001 }; alive { tcp 9000 } }\nservice \"d\" { external #true; ready { tcp 5432 } }\nservice \"b\" { run \"x\"; port 8000 name=\"http\"; ready { tcp \"htp\"; http \"health\"; http \"http://x/\" port=\"http\"; prints \"(\" } }\n";
    never_asked: "service \"a\" {\n    run \"x\"\n    port 80\n    ready {\n        http \"http://127.0.0.1:99999/\"\n        http \"http:///x\"\n        http \"/a b\"\n        http \"/a\\tb\"\n        http \"http://u:p@host/\"\n        http \"/\" {\n            header \"X Y\" \"v\"\n            header \"X\" \"a\\r\\nEvil: 1\"\n            header \"Authorization\" \"Bearer {{port}}\"\n        }\n        http \"http://localhost:{{port}}/\"\n    }\n}\n";
    after_in_vain: "service \"web\" { run \"x\"; needs \"all\" }\nservice \"api\" {\n    run \"x\"\n    needs \"db\"\n}\nservice \"db\" { run \"x\"; after \"web\" }\nservice \"cache\" { run \"x\"; after \"db\" }\nservice \"queue\" { run \"x\"; after \"cache\" }\ngroup \"all\" \"api\" \"cache\"\n";
    bad_variables: "service \"a\" { run \"x {{env.}} {{env.A B}} {{port.q}}\"; port 8000 }\n";
    other_schemes: "service \"a\" { run \"x\"; port 8000; ready { http \"ftp://x/\" } }\n";
    once_for_all_profiles: "template \"t\" { run \"x\"; needs \"zz\" }\nservice \"a\" template=\"t\"\nprofile \"p\" { service \"b\" { run \"x\" } }\n";
    rescue_is_of_steps: "task \"t\" { run \"x\"; on-failure { run \"y\" } }\n";
    cycle: "service \"api\" {\n    needs \"worker\"\n    run \"x\"\n}\nservice \"worker\" {\n    needs \"db\" \"migrate\"\n    run \"x\"\n}\ntask \"migrate\" {\n    needs \"api\"\n    run \"x\"\n}\nservice \"db\" { run \"x\" }\n";
    cycle_of_one: "service \"a\" { needs \"a\"; run \"x\" }\nservice \"b\" { needs \"g\"; run \"x\" }\ngroup \"g\" \"a\" \"b\"\n";
    cycle_of_groups: "service \"a\" { run \"x\" }\ngroup \"g\" \"a\" \"h\"\ngroup \"h\" \"g\"\n";
    windows: "service \"db\" { run \"x\" }\nservice \"api\" { needs \"db\"; run \"x\" }\ntask \"t\" { needs \"api\"; without \"db\"; run \"x\" }\nservice \"web\" { needs \"u\"; run \"x\" }\ntask \"u\" { without \"web\"; run \"x\" }\n";
    files_not_there: "env-file \".env\"\nservice \"a\" { dir \"nowhere\"; env-file \"a.env\"; run \"x\" }\nservice \"b\" { dir \"stack.kdl\"; run \"x\" }\ninclude \"more.kdl\"\n";
    outside: "service \"a\" { run \"x\"; cleanup \"../x\" \"/tmp/y\" \"in/../..\" \".\" \"ok\" }\ntask \"t\" { run \"x\"; keep \"../*.sql\" newest=1; keep \"x\" }\n";
    globs: "service \"a\" { run \"x\"; watch \"src/[\" signal=\"SIGHUP\" task=\"t\"; cleanup \"{a\" }\ntask \"t\" { run \"x\" }\n";
    negated_glob: "service \"a\" { run \"x\"; watch \"src/**\" \"!src/gen/**\" }\n";
    warnings: "service \"db\" { run \"x\"; port 80 }\nservice \"api\" { run \"x {{db.port}}\"; restart \"never\"; alive { run \"true\" } }\n";
    nothing_of_it: "service \"a\" {\n    run \"x\"\n    ready within=\"0s\" every=\"0ms\"\n    memory max=\"0MiB\"\n    stop grace=\"0s\"\n}\n";
    values_in_properties: "service \"a\" {\n    shell \"x\" with=\"{{env.NO}}\"\n    port 8000 host=\"{{nope}}\"\n    user \"{{env.HOME}}\" group=\"{{now}}\"\n    tool \"sh\" hint=\"{{dri}}\"\n}\n";
    after_itself: "service \"a\" { run \"x\"; after \"a\" }\nservice \"b\" { run \"x\"; after \"g\" }\ngroup \"g\" \"b\"\n";
    not_in_force: "service \"a\" { run \"x\" }\ntemplate \"idle\" { run \"a | b {{port}} {{nope}}\"; needs \"zz\"; dir \"nowhere\"; describe \"{{env.NO}}\" }\nprofile \"p\" {\n    env-file \"no.env\"\n    service \"a\" { needs \"mail\" \"zy\"; cleanup \"..\"; run \"{{env.NO}} {{mail.port}}\" }\n}\nprofile \"q\" { service \"mail\" { run \"x\"; port 2500 } }\n";
    without_effect: "service \"a\" {\n    run \"x\"\n    replicas 2\n    port 8000 share=#true\n}\n";
    only_in_a_profile: "service \"a\" { run \"x\"; needs \"mail\" }\nprofile \"dev\" { service \"mail\" { run \"x\" } }\n";
    missing_semicolon: "service \"a\" { run \"x\" port 80 }\nservice \"b\" { ready { tcp 80 http \"/\" }; run \"x\" }\n";
    external: "defaults { log keep=2; stop grace=\"5s\" }\nservice \"db\" {\n    external #true\n    port 5432\n    before-start { run \"x\" }\n    watch \"a\"\n    watch \"b\" task=\"t\"\n    memory max=\"1MiB\"\n}\nservice \"mail\" { external #true }\nservice \"s3\" { external #true; ready { http \"http://x.test/\" } }\ntask \"t\" { run \"x\" }\n";
    a_bad_name_hides_nothing: "service \"My App\" { run \"x\"; needs \"nope\"; port 99999 }\nservice \"b\" { run \"{{nope.port}} {{my-app.port}}\"; needs \"my-app\" \"nada\" }\ngroup \"Gr\" \"b\" \"no one\" \"zz\"\n";
    single_quotes: "service \"a\" { run 'x y' }\n";
    kdl_keywords: "service \"a\" {\n    tty true\n    env { A null }\n}\n";
    kdl_numbers: "service \"a\" {\n    ready within=2s { delay 5s }\n    memory max=500MiB\n}\n";
    kdl_escapes: "service \"a\" { ready { prints \"\\d+ \\w\" } }\n";
    kdl_brace_line: "service \"a\"\n{\n    run \"x\"\n}\n";
    kdl_unclosed: "service \"a\" {\n    run \"x\"\n\nservice \"b\" {\n    run \"y\"\n}\n";
    kdl_closed_twice: "service \"a\" { run \"x\" }\n}\n";
    kdl_unclosed_string: "service \"a\" {\n    run \"x\n}\n";
    kdl_one: "/- kdl-version 1\nservice \"a\" { prints r\"\\d\"; tty true }\n";
    kdl_habits: "# comment\nservice \"a\" {\n    port = 80\n    env {\n        A=1\n    }\n    cleanup /tmp/x\n    needs [\"a\", \"b\"]\n    run \"a\"b\n}\n";
    kdl_no_semicolon: "service \"a\" { ready { tcp } alive { tcp } }\n";
    kdl_other: "service \"a\" { ready { tcp 1 2=3 } }\nservice \"b\" { run \"x\" =5 }\n";
    kdl_lone_semicolons: "service \"a\" { ; run \"x\";; port 8000 };\n;\n";
    nothing_at_all: "";
}

#[test]
fn several_files() {
    let files = [
        ("stack.kdl", "include \"more/db.kdl\"\nservice \"api\" { run \"x\"; port 8000 }\n"),
        ("more/db.kdl", "service \"db\" { run \"x\"; port 8000 }\nservice \"api\" { rum \"x\" }\n"),
    ];
    insta::assert_snapshot!(told(&files, &options()));
}

#[test]
fn loop_of_includes() {
    let files = [
        ("stack.kdl", "include \"a.kdl\"\n"),
        ("a.kdl", "// first\ninclude \"b.kdl\"\n"),
        ("b.kdl", "include \"./a.kdl\"\n"),
    ];
    insta::assert_snapshot!(told(&files, &options()));
}

#[test]
fn bad_env_file() {
    let files = [
        ("stack.kdl", "env-file \".env\"\nservice \"a\" { run \"x\" }\n"),
        (".env", "A=1\nTOKEN \"geheim\"\n"),
    ];
    insta::assert_snapshot!(told(&files, &options()));
}

#[test]
fn unknown_profile() {
    let files = [("stack.kdl", "profile \"dev\" { service \"a\" { run \"x\" } }\n")];
    let options = Options { profiles: vec!["dve".to_owned()], ..options() };
    insta::assert_snapshot!(told(&files, &options));
}

#[test]
fn no_file() {
    insta::assert_snapshot!(told(&[], &options()));
}

/// What is drawn in other looks: a cycle, a mark far to the right, tabs and wide characters.
#[test]
fn looks() {
    let text = "service \"api\" {\n\n    needs \"worker\"\n    env { URL \"https://example.test/a/long/path\" ; KEY \"{{nope}} and {{port}}\" }\n    run \"x\"\n}\nservice \"worker\" {\n\tneeds \"api\" // 日本語\n\trun \"日本 | x\"\n}\n";
    let files = [("stack.kdl", text)];
    let look = |width, color, unicode| {
        told_in(&files, &options(), Look { width, color, unicode }).replace('\u{1b}', "␛")
    };
    insta::assert_snapshot!("look_40", look(40, false, true));
    insta::assert_snapshot!("look_24", look(24, false, true));
    insta::assert_snapshot!("look_ascii", look(60, false, false));
    insta::assert_snapshot!("look_color", look(80, true, true));
}
