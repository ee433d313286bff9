//! Secrets are in nothing that stackrun puts into words or into a file, wherever they were used.

use std::{fs, io, path::Path};

use serde_json::Value;

use crate::support::{Ran, Running, Stack, eventually, wait_for};

/// Declared a secret; it comes from the caller's environment.
const DECLARED: &str = "xyzzy-hunter2/é";
/// From an env file, and fit for an address.
const TOKEN: &str = "sk_live_8f14e45f";
/// From an env file, and another one in JSON and in an address.
const TRICKY: &str = "tr\"icky\\ é/42";
/// The password of an address.
const PASSWORD: &str = "pw-Of-The-Url-7";
/// Declared, and so short that nobody would take it for a secret.
const PIN: &str = "qzj4";

const SECRETS: [&str; 5] = [DECLARED, TOKEN, TRICKY, PASSWORD, PIN];

/// Every place in which a secret may stand.
const EVERYWHERE: &str = r##"
stack "shop"
env-file ".env"
env {
    DECLARED "{{env.DECLARED}}" secret=#true
    PIN "qzj4" secret=#true
    COMPOSED "for {{env.TRICKY}} and {{env.DECLARED}}"
    TRICKY #null
}
service "api" {
    describe "speaks to {{env.TRICKY}} with qzj4"
    run "@testbed" "listen" "{{port}}" "print" "{{env.TOKEN}} {{env.DECLARED}}"
    port @0
    url "http://admin:{{env.PASSWORD}}@localhost:{{port}}/shop"
    ready {
        http "http://127.0.0.1:{{port}}/health?key={{env.TOKEN}}" {
            header "Authorization" "Bearer {{env.TRICKY}}"
        }
    }
    alive every="50ms" { shell "echo {{env.TOKEN}} && test ! -e sick" }
    before-start { shell "echo before {{env.TOKEN}}" }
    after-ready { run "@testbed print {{env.DECLARED}} exit 0" }
    stop { shell "echo stop {{env.TOKEN}}" }
}
service "crash" {
    run "@testbed" "print" "Error: no {{env.TRICKY}} for {{env.DECLARED}} qzj4" "exit" "3"
    restart tries=2 delay="10ms"
}
service "never" {
    run "@testbed" "listen" "{{port}}"
    port @1
    ready within="300ms" { shell "echo {{env.DECLARED}} {{env.TOKEN}} && false" }
    restart "never"
}
service "other" {
    run "@testbed" "listen" "{{port}}"
    port @2
    ready within="300ms" { http "/health?key={{env.TOKEN}}" status=418 }
    restart "never"
}
service "missing" { run "@testbed"; dir "{{env.DIR}}"; tool "/bin/sh" hint="ask for {{env.TOKEN}}" }
service "held" { run "@testbed listen {{port}}"; port @3 busy="fail"; restart "never" }
task "deploy" {
    describe "to {{env.DECLARED}}"
    step "to qzj4" { run "/bin/echo" "{{env.TRICKY}}" }
    step "fail" { run "@testbed" "print" "{{env.TOKEN}}" "exit" "4" }
    on-failure { step "undo" { run "{{env.PROGRAM}}" "{{env.TOKEN}}" } }
}
task "ask" { confirm "Really use {{env.DECLARED}} and {{env.TOKEN}}?"; run "@testbed exit 0" }
"##;

fn env_file() -> String {
    format!(
        "TOKEN={TOKEN}\nTRICKY='{TRICKY}'\nPASSWORD={PASSWORD}\nDIR=sub\nPROGRAM=no-such-{TOKEN}\n"
    )
}

fn everywhere() -> Stack {
    let stack = Stack::new(EVERYWHERE);
    stack.put(".env", &env_file());
    stack.put("sub/file", "");
    stack
}

/// `stackrun LINE` by somebody who has the secret in their environment.
fn start(stack: &Stack, line: &str) -> Running {
    let mut command = stack.command(line);
    command.env("DECLARED", DECLARED);
    Running::start(format!("{line}, knowing the secret"), command)
}

fn run(stack: &Stack, line: &str) -> Ran {
    start(stack, line).ends()
}

/// The forms that a value has in words.
fn forms(value: &str) -> Vec<String> {
    let json = Value::from(value).to_string();
    let url: String = value
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    vec![value.to_owned(), json.trim_matches('"').to_owned(), url.to_lowercase(), url]
}

/// The secrets that stand in these bytes.
fn secrets_in(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |form: &String| bytes.windows(form.len()).any(|window| window == form.as_bytes());
    SECRETS.into_iter().filter(|secret| forms(secret).iter().any(holds)).collect()
}

/// Every file below a folder but the logs, and what is in it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        // What has been renamed into its place meanwhile is found there.
        let Ok(kind) = fs::symlink_metadata(&path).map(|data| data.file_type()) else { continue };
        if kind.is_dir() && !path.ends_with("logs") {
            found.extend(files(&path));
        } else if kind.is_file() {
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes.expect("a readable file"),
            };
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

/// Those that have secrets in them.
fn files_with_secrets(folder: &Path) -> Vec<(String, Vec<&'static str>)> {
    let found = files(folder).into_iter().map(|(path, bytes)| (path, secrets_in(&bytes)));
    found.filter(|(_, secrets)| !secrets.is_empty()).collect()
}

#[track_caller]
fn no_file_has_a_secret(stack: &Stack) {
    for folder in [stack.path(".stackrun"), stack.places().runtime] {
        for (path, bytes) in files(&folder) {
            let text = String::from_utf8_lossy(&bytes);
            let mut lines = text.lines();
            let line = lines.find(|line| !secrets_in(line.as_bytes()).is_empty());
            assert_eq!(line, None, "in {path}");
        }
    }
}

#[track_caller]
fn says_no_secret(ran: Ran) -> Ran {
    for said in [&ran.out, &ran.err] {
        assert_eq!(secrets_in(said.as_bytes()), Vec::<&str>::new(), "{ran:#?}");
    }
    ran
}

/// Every command that puts something into words, of a stack that runs or not.
const WORDS: [&str; 36] = [
    "status",
    "status --json",
    "status api crash",
    "-v status",
    "why api",
    "why crash",
    "why crash --json",
    "why never",
    "why other",
    "why held",
    "why deploy",
    "show api",
    "show api --json",
    "show crash",
    "show deploy",
    "show ask --json",
    "env api",
    "env api --json",
    "env api --export",
    "env deploy",
    "events",
    "events --json",
    "-v events",
    "timeline",
    "timeline -v",
    "timeline --json",
    "doctor",
    "doctor --json",
    "ports",
    "ports --json",
    "check",
    "check --json",
    "graph",
    "graph --format json",
    "up --dry-run",
    "-v up --dry-run",
];

#[test]
fn a_secret_is_in_no_word_and_in_no_file() {
    let stack = everywhere();
    for line in WORDS {
        says_no_secret(run(&stack, line));
    }
    let held = stack.port(3).to_string();
    // Somebody else's process may have been given it.
    let stranger = stack.stranger(&["listen", &held, "print", &format!("{TOKEN} {DECLARED}")], &[]);
    eventually("the stranger", || {
        std::net::TcpStream::connect(("127.0.0.1", stack.port(3))).is_ok()
    });
    let up = says_no_secret(run(&stack, "-v up").exits(4));
    assert!(up.err.contains("•••"), "{up:#?}");
    assert!(
        up.err.contains(&format!("http://admin:•••@localhost:{}/shop", stack.port(0))),
        "{up:#?}"
    );
    no_file_has_a_secret(&stack);
    // The steps' own output is the log's; what is said about it is not.
    let deployed = run(&stack, "run deploy").exits(4);
    assert_eq!(secrets_in(deployed.err.as_bytes()), Vec::<&str>::new(), "{deployed:#?}");
    says_no_secret(run(&stack, "run ask").exits(125)).says("Really use ••• and •••?");
    for line in WORDS {
        says_no_secret(run(&stack, line));
    }
    stack.put("sick", "");
    stack.reaches("api", "unhealthy");
    no_file_has_a_secret(&stack);
    fs::remove_file(stack.path("sick")).expect("it is there");
    stack.reaches("api", "ready");
    // Another definition, while the one before still runs, and a file that cannot be read.
    stack.edit("qzj4\"\n    run", "qzj4.\"\n    run");
    says_no_secret(run(&stack, "up api").exits(0));
    stack.edit("PIN \"qzj4\" secret", "PIN \"qzj4\" secrt");
    stack.edit("alive every=\"50ms\"", "alive every=\"{{env.TOKEN}}\"");
    for line in ["check", "check --json", "up", "doctor", "graph"] {
        // Nobody can know that the PIN is one.
        let ran = run(&stack, line);
        let said = secrets_in((ran.out.clone() + &ran.err).as_bytes());
        assert!(said.iter().all(|secret| *secret == PIN), "{ran:#?}");
    }
    no_file_has_a_secret(&stack);
    drop(stranger);
    let down = says_no_secret(run(&stack, "-v down"));
    assert_eq!(down.code, 0, "{down:#?}");
    assert_eq!(files_with_secrets(&stack.path(".stackrun")), []);
    for line in ["events", "events --json", "timeline --json"] {
        says_no_secret(run(&stack, line));
    }
}

#[test]
fn a_problem_is_drawn_without_the_secrets_in_its_line() {
    for env in [
        // A property that there is not, a slip of the pen, and what is not in force.
        r#"env { PIN "qzj4" secret=#true wrong="qzj4" }"#,
        r#"env { PIN "qzj4" secret=true }"#,
        r#"env { PIN "qzj4" secret="yes" }"#,
        r#"profile "p" { env { PIN "qzj4" secret=#true wrong=1 } }"#,
        r#"template "t" { run "x"; env { PIN "qzj4" "qzj4" secret=#true } }"#,
    ] {
        let stack = Stack::new(&format!("{env}\nservice \"a\" {{ run \"x\" }}\n"));
        for line in ["check", "check --json", "--color always check"] {
            let ran = says_no_secret(run(&stack, line).exits(2));
            assert!(line.contains("json") || ran.err.contains("•••"), "{ran:#?}");
        }
    }
}

#[test]
fn secrets_are_shown_to_who_asks_for_them() {
    let stack = everywhere();
    for _running in [false, true] {
        let shown = run(&stack, "show api --secrets").exits(0);
        assert_eq!(secrets_in(shown.out.as_bytes()), SECRETS, "{shown:#?}");
        let json = run(&stack, "show api --secrets --json").exits(0);
        let json: Value = serde_json::from_str(&json.out).expect("JSON");
        let settings = json["settings"].as_array().expect("a list");
        let token = settings.iter().find(|one| one["key"] == "env.TOKEN").expect("a variable");
        assert_eq!(token["value"], TOKEN);
        let env = run(&stack, "env api --secrets").exits(0);
        assert!(env.out.contains(&format!("\nTOKEN={TOKEN}\n")), "{env:#?}");

        let env = says_no_secret(run(&stack, "env api --export").exits(1));
        assert!(env.out.contains(&format!("export PORT='{}'", stack.port(0))), "{env:#?}");
        for name in ["TOKEN", "DECLARED", "COMPOSED", "PIN"] {
            assert!(!env.out.contains(&format!("export {name}=")), "{env:#?}");
            assert!(env.err.contains(name), "{env:#?}");
        }
        let env = run(&stack, "env api --export --secrets").exits(0);
        let script = format!("{}printf '%s' \"$COMPOSED\"", env.out);
        let shell = stack.program("/bin/sh").args(["-c", &script]).output().expect("a shell");
        let composed = String::from_utf8_lossy(&shell.stdout);
        assert_eq!(composed, format!("for {TRICKY} and {DECLARED}"));
        let _some_fail = run(&stack, "up");
    }
}

/// A value of a file is masked by its value only where that cannot be anything else.
#[test]
fn what_is_shown_anyway_is_no_secret() {
    let stack = Stack::new(
        r#"
        stack "shop-1-front"
        env-file ".env"
        env { PASSWORD "api-postgres" secret=#true }
        service "api-postgres" {
            describe "{{env.LEVEL}} {{env.NUMBER}} {{env.URL}} {{env.PATHS}} {{env.HOST}} {{env.NAME}} {{env.DIR}}"
            run "@testbed"
            dir "{{env.DIR}}"
            url "http://{{env.HOST}}:{{env.NUMBER}}/{{env.SLUG}}"
        }
        "#,
    );
    let values = [
        ("LEVEL", "development"),
        ("NUMBER", "12345678"),
        ("URL", "http://127.0.0.1:8000/a?b=c1"),
        ("PATHS", "/var/lib/shop-1"),
        ("HOST", "db-1.internal.example.com"),
        ("NAME", "shop-1-front"),
        ("DIR", "sub-folder-1"),
        ("SLUG", "a-slug-of-the-url-1"),
    ];
    stack.put(".env", &values.map(|(key, value)| format!("{key}={value}\n")).concat());
    stack.put("sub-folder-1/file", "");
    for _running in [false, true] {
        let status = stack.status();
        let service = &status["services"][0];
        assert_eq!(
            service["name"], "api-postgres",
            "a name is no secret, whoever's password it is"
        );
        let describe = service["describe"].as_str().expect("a description").to_owned();
        for (key, value) in values.iter().filter(|(key, _)| *key != "SLUG") {
            assert!(describe.contains(value), "{key}: {describe}");
        }
        let url = "http://db-1.internal.example.com:12345678/a-slug-of-the-url-1";
        assert_eq!(service["url"], url);
        // By its name it is masked all the same.
        let shown = stack.run("show api-postgres").exits(0);
        for (key, value) in values {
            let line = shown.out.lines().find(|line| line.contains(&format!("env.{key} ")));
            let line = line.unwrap_or_else(|| panic!("no {key}: {shown:#?}"));
            assert!(line.contains("•••") && !line.contains(value), "{line}");
        }
        stack.up();
    }
    stack.edit("env-file \".env\"", "env-file \".env\" secret=#false");
    let plan = stack.run("up --dry-run").exits(0);
    assert!(!plan.out.contains("restart"), "{plan:#?}");
    stack.up();
    stack.run("show api-postgres").exits(0).says("development");
}

#[test]
fn a_change_of_a_secret_is_told_by_its_name() {
    let stack = Stack::new(
        r#"
        env-file ".env"
        service "api" { run "@testbed counted starts"; env { PIN "1111" secret=#true; OPEN "a" } }
        "#,
    );
    stack.put(".env", "LEVEL=info\n");
    stack.up();
    stack.put(".env", "LEVEL=debug\nNEW=x\n");
    stack.edit("1111", "2222");
    stack.edit("OPEN \"a\"", "OPEN \"b\"");
    let plan = stack.run("up --dry-run").exits(0);
    for told in [
        "env.LEVEL changed,",
        "env.NEW added,",
        "env.PIN changed",
        "env.OPEN changed: \"a\" → \"b\"",
    ] {
        assert!(plan.out.contains(told), "{told}: {plan:#?}");
    }
    for value in ["info", "debug", "1111", "2222"] {
        assert!(!plan.out.contains(value), "{value}: {plan:#?}");
    }
    stack.up();
    eventually("its second start", || stack.read("starts").len() == 2);
}

#[test]
fn a_value_that_has_changed_stays_a_secret() {
    let stack = Stack::new(
        r#"
        env-file ".env"
        env { T "{{env.CALLER}}" secret=#true }
        service "a" { shell "echo using $T and $FILED; exit 1"; restart "never" }
        service "b" { run "@testbed" }
        service "c" { shell "cat told; exit 1"; restart "never" }
        "#,
    );
    stack.put("told", "using callersecret77 and filed-secret-78\n");
    let up = |line: &str, value: &str| {
        let mut command = stack.command(line);
        command.env("CALLER", value);
        Running::start(format!("{line}, as {value}"), command).ends()
    };
    let why = |name: &str| {
        let ran = stack.run(&format!("why {name}")).exits(0).says("using ••• and •••");
        for value in ["callersecret77", "filed-secret-78"] {
            assert!(!ran.out.contains(value) && !ran.err.contains(value), "{value}: {ran:#?}");
        }
    };
    stack.put(".env", "FILED=filed-secret-78\n");
    up("up a", "callersecret77").exits(1);
    why("a");
    stack.put(".env", "FILED=filed-other-79\n");
    up("up b", "other-value-88").exits(0);
    why("a");
    // The next supervisor knows it, too, and no file does.
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("its end", || !supervisor.lives());
    stack.reaches("b", "ready");
    up("up c", "other-value-88").exits(1);
    why("c");
    let kept = [stack.path(".stackrun"), stack.places().runtime];
    for (file, bytes) in kept.iter().flat_map(|folder| files(folder)) {
        let holds = |value: &str| bytes.windows(value.len()).any(|part| part == value.as_bytes());
        assert!(!holds("callersecret77") && !holds("filed-secret-78"), "{file}");
    }
}

#[test]
fn a_value_is_masked_however_a_program_writes_it() {
    let stack = Stack::new(
        r##"
        env-file ".env"
        service "a" { shell #"cat said; exit 1"#; restart "never" }
        "##,
    );
    stack.put(".env", "K=abc/def/ghi9\nP='Zürich/9 pass~w*rd(1)'\nQ=basic-pass-5\n");
    stack.put(
        "said",
        concat!(
            r#"{"p":"abc\/def\/ghi9"}"#,
            "\nabc%2fdef%2Fghi9\n",
            r"abc\u002fdef/ghi9",
            "\nZ%C3%BCrich/9%20pass~w%2Ard%281%29\nZ%c3%bcrich%2f9+pass~w*rd(1)\n",
            r"Z\u00fcrich\/9 pass~w*rd(1)",
            "\nAuthorization: Basic dXNlcjpiYXNpYy1wYXNzLTU=\n",
        ),
    );
    stack.run("up").exits(1);
    for line in ["why a", "events", "status", "events --json"] {
        let ran = stack.run(line);
        for part in ["ghi", "rich", "pass~", "YmFzaWM"] {
            assert!(!ran.out.contains(part), "{line} shows {part}: {ran:#?}");
        }
    }
    stack.run("why a").says("•••");
}

const OF_A_FILE: &str = r#"
env-file ".env"
service "api" {
    run "@testbed" "listen" "{{port}}" "env" "TOKEN" "print" "with {{env.TOKEN}}" "counted" "starts"
    port @0
    ready { http "/?key={{env.TOKEN}}" }
    restart delay="10ms"
}
"#;

#[test]
fn values_of_files_are_read_again_when_nobody_knows_them() {
    let stack = Stack::new(OF_A_FILE);
    stack.put(".env", &format!("TOKEN={TOKEN}\n"));
    stack.up();
    no_file_has_a_secret(&stack);
    stack.kill_both();
    stack.reaches("api", "ready");
    let why = says_no_secret(stack.run("why api").exits(0));
    assert!(!why.out.contains("read again"), "the file is the same: {why:#?}");
    stack.process("api").kill();
    stack.has_logged("api", &format!("TOKEN={TOKEN}\nwith {TOKEN}\n"));
    eventually("its second start", || stack.read("starts").len() == 2);
    stack.reaches("api", "ready");
    no_file_has_a_secret(&stack);

    // Other values: they are taken by whatever starts from now on, and that is said.
    stack.kill_both();
    stack.put(".env", "TOKEN=another-token-2\n");
    stack.reaches("api", "ready");
    stack.process("api").kill();
    stack.has_logged("api", "TOKEN=another-token-2\nwith another-token-2\n");
    let why = wait_for("a reason", || {
        let why = stack.run("why api");
        why.out.contains(".env has changed since `up`, and was read again").then_some(why)
    });
    assert!(!why.out.contains("another-token-2"), "{why:#?}");
    stack.up();
    let why = stack.run("why api");
    assert!(!why.out.contains("read again"), "{why:#?}");
}

#[test]
fn a_value_that_is_nowhere_any_more_fails_the_start_and_harms_nothing_that_runs() {
    let stack = Stack::new(
        r#"
        env-file ".env" optional=#true
        service "api" {
            run "@testbed" "listen" "{{port}}" "print" "{{env.TOKEN}}" "counted" "starts"
            port @0
            alive every="20ms" failures=1 { http "/?key={{env.TOKEN}}" }
            restart "never"
        }
        "#,
    );
    stack.put(".env", &format!("TOKEN={TOKEN}\n"));
    stack.up();
    let pid = stack.pid("api");
    stack.kill_both();
    fs::remove_file(stack.path(".env")).expect("it is there");
    stack.reaches("api", "ready");
    let told = "its `alive` is not asked: its secret TOKEN is not known any more";
    eventually("a notice", || stack.run("events").out.contains(told));
    assert_eq!(stack.pid("api"), pid, "a check that cannot be asked restarts nobody");
    assert!(!stack.run("show api").out.contains('\u{fdd0}'));
    stack.put("starts", ".");
    stack.process("api").kill();
    stack.reaches("api", "failed");
    let _no_file = stack.run("restart api");
    stack.put(".env", &format!("TOKEN={TOKEN}\n"));
    stack.up();
    stack.reaches("api", "ready");
    no_file_has_a_secret(&stack);
}
