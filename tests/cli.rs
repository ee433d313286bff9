//! The command line from outside, with nothing running: grammar, help, exit statuses, files.

use std::{fs, path::Path};

use assert_cmd::Command;

const SHOP: &str = r#"
stack "shop"
service "db" { run "sleep 100"; port 1; env { PASSWORD "hunter2" secret=#true } }
task "migrate" { needs "db"; run "true" }
service "api" { needs "db" "migrate"; run "sleep 100" }
group "back" "db" "api"
"#;

fn folder(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("stack.kdl"), file).expect("a file");
    folder
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &Path, line: &str) -> Ran {
    let mut command = program(folder);
    command.args(line.split_whitespace());
    ended(command)
}

/// What bash would offer behind that line.
fn completed(folder: &Path, line: &str) -> Vec<String> {
    let words: Vec<&str> = ["stackrun"].into_iter().chain(line.split(' ')).collect();
    let mut command = program(folder);
    command.arg("--").args(&words).env("STACKRUN_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    ended(command).out.lines().filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
}

fn program(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("stackrun").expect("the program");
    command.current_dir(folder);
    // Whatever whoever runs this has set: LC_ALL, NO_COLOR, STACKRUN_FILE.
    command.env_clear().env("LANG", "C.UTF-8");
    #[expect(clippy::disallowed_methods, reason = "the programs it starts have to be found")]
    for key in ["PATH", "HOME", "USER"] {
        command.envs(std::env::var_os(key).map(|value| (key, value)));
    }
    command
}

fn ended(mut command: Command) -> Ran {
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("it exits");
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_wrong_command_line_is_2() {
    let here = folder(SHOP);
    for line in [
        "frobnicate",
        "up --nonsense",
        "up nobody",
        "up --timeout soon",
        "status nobody",
        "down nobody",
        "run api",
        "run nobody",
        "signal db NOSIG",
        "why nobody",
        "logs nobody",
        "--file nowhere.kdl status",
        "--stack nobody status",
        "logs --grep [",
    ] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
        assert!(!ran.err.is_empty(), "{line} says why");
    }
}

#[test]
fn a_wrong_command_line_says_what_would_be_right() {
    let here = folder(SHOP);
    for (line, wrong, right) in [
        ("signal db", "missing argument: <SIGNAL>", "stackrun signal <NAME> <SIGNAL>"),
        ("exec db", "missing argument: <CMD>...", "stackrun exec <SERVICE> <CMD>..."),
        ("wait db --for rdy", "invalid value `rdy` for `--for <STATE>`", "ready"),
        ("completions tcsh", "invalid value `tcsh` for `<SHELL>`", "bash, elvish, fish"),
        ("up --color blue", "invalid value `blue` for `--color <WHEN>`", "auto, always, never"),
        ("logs -n x", "invalid value `x` for `--tail <LINES>`", "expected a number"),
        ("logs -f=1", "`-f` takes no value", "write `-f` without it"),
        ("logs --follow=1", "`--follow` takes no value", "without it"),
        ("up --timeout soon", "`soon` is not a duration", "10m"),
        ("--file a --stack b up", "cannot be used together", "choose one"),
        ("explain foo", "there is no `foo`", "stackrun explain service"),
        ("explain restart.trys", "there is no `restart.trys`", "stackrun explain restart"),
        ("stat", "there is no command `stat`", "did you mean `status`?"),
        ("up --taek", "there is no option `--taek`", "did you mean `--take-ports`?"),
        ("up --colr", "there is no option `--colr`", "did you mean `--color`?"),
        ("logs --n 5", "there is no option `--n`", "did you mean `-n`?"),
        ("boot enable --evry 5m", "there is no option `--evry`", "did you mean `--every`?"),
        ("--profile p check", "`--profile` must come after its command", "--profile …`"),
        ("status --watch nobody", "there is no service, task or group `nobody`", "graph"),
        ("import nowhere", "there is no file", ""),
        ("help upp", "there is no command `upp`", "did you mean `up`?"),
    ] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, 2, "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(wrong) && ran.err.contains(right), "{line}: {}", ran.err);
    }
}

#[test]
fn a_shell_completes_what_the_command_takes() {
    let here = folder(SHOP);
    for (line, names) in [
        ("up ", vec!["db", "api", "migrate", "back"]),
        ("restart ", vec!["db", "api", "back"]),
        ("run ", vec!["migrate"]),
        ("exec m", vec!["migrate"]),
        ("signal ", vec!["db", "api"]),
        ("signal db SIGUS", vec!["SIGUSR1", "SIGUSR2"]),
        ("explain memory.", vec!["memory.max"]),
        ("wait --for d", vec!["done", "down"]),
    ] {
        assert_eq!(completed(here.path(), line), names, "{line}");
    }
}

#[test]
fn quiet_is_quiet_where_nothing_is_wrong() {
    let here = folder(SHOP);
    let ran = run(here.path(), "check -q");
    assert_eq!((ran.code, ran.out, ran.err), (0, String::new(), String::new()));
}

#[test]
fn help_is_given_the_other_way_round_too() {
    let here = folder(SHOP);
    for verb in ["", "up", "start", "boot enable"] {
        let (help, asked) = (format!("{verb} --help"), format!("help {verb}"));
        let (help, asked) = (run(here.path(), help.trim()), run(here.path(), asked.trim()));
        assert_eq!((asked.code, asked.out), (0, help.out), "{verb}: {}", asked.err);
    }
}

#[test]
fn a_wrong_file_is_2_and_shows_where() {
    let here = folder("service \"a\" { runn \"x\" }");
    for line in ["up", "check", "restart", "run a", "graph"] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.err);
        assert!(ran.err.contains("stack.kdl:1"), "{line}: {}", ran.err);
    }
    assert_eq!(run(here.path(), "down").code, 0, "works with a broken file");
}

#[test]
fn with_nothing_running() {
    let here = folder(SHOP);
    for (line, code) in [
        ("status", 3),
        ("status --json", 3),
        ("wait", 3),
        ("wait --for down", 0),
        ("down", 0),
        ("logs", 0),
        ("logs -f", 3),
        ("logs db", 0),
        ("events", 0),
        ("events -f", 3),
        ("why db", 3),
        ("signal db TERM", 3),
        ("ls", 0),
        ("graph", 0),
        ("check", 0),
    ] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, code, "{line}: {}{}", ran.out, ran.err);
    }
    assert!(run(here.path(), "down").err.contains("0 processes, 0 ports"));
    assert!(!here.path().join(".stackrun").exists(), "asking leaves no trace");
    let here = folder("service \"db\" { run \"sleep 100\"; port \"auto\" }");
    let shown = run(here.path(), "status").out;
    assert!(
        shown.lines().any(|line| line.split_whitespace().eq(["db", "idle", "auto"])),
        "{shown}"
    );
}

#[test]
fn a_missing_program_is_named_before_anything_starts() {
    let here = folder("service \"a\" { run \"slep 5\" }");
    let ran = run(here.path(), "up");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`slep`") && ran.err.contains("`sleep`"), "{}", ran.err);
    assert!(!here.path().join(".stackrun").exists());
}

#[test]
fn exec_tells_its_own_failures_from_the_command_s() {
    let here = folder(SHOP);
    fs::write(here.path().join("plain"), "").expect("a file");
    for (line, code) in [
        ("exec db true", 0),
        ("exec db -- false", 1),
        ("exec db nosuch", 127),
        ("exec db ./plain", 126),
        ("exec db sh -c nosuch", 127),
    ] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
    }
    assert_eq!(run(here.path(), "exec db printenv PASSWORD").out, "hunter2\n");
}

#[test]
fn show_masks_secrets_and_says_where_values_come_from() {
    let here = folder(SHOP);
    let ran = run(here.path(), "show db");
    assert_eq!(ran.code, 0);
    assert!(!ran.out.contains("hunter2"));
    assert!(ran.out.contains("stack.kdl:3") && ran.out.contains("default"), "{}", ran.out);
}

#[test]
fn show_knows_the_layer_of_every_value() {
    let here = folder(
        r#"
defaults { restart "always" tries=9 }
template "node" { restart delay="1s"; env { A "t"; B "t" } }
group "back" "db" "cache"
service "api" template="node" {
    needs "back"
    run "sh" "-c" "sleep 9"
    env { B "own"; TOKEN "geheim-7" secret=#true; URL "http://geheim-7@x" }
    port 7001
    port 7002 name="admin" busy="next"
}
service "db" { run "sleep 9" }
service "cache" { run "sleep 9" }
"#,
    );
    let ran = run(here.path(), "show api --json");
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let settings = json["settings"].as_array().expect("settings");
    let told: Vec<String> = settings
        .iter()
        .filter(|setting| setting["from"] != "default")
        .map(|setting| {
            let text = |key: &str| setting[key].as_str().unwrap_or_default().to_owned();
            format!("{} = {} ({})", text("key"), text("value"), text("from"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "run = sh -c 'sleep 9' (stack.kdl:7)",
            "needs = db (stack.kdl:6)",
            "needs = cache (stack.kdl:6)",
            "port = 7001 (stack.kdl:9)",
            "port = 7002 name=admin busy=next (stack.kdl:10)",
            "env.A = t (stack.kdl:3, template node)",
            "env.B = own (stack.kdl:8)",
            "env.PORT = 7001 (stack.kdl:9, port)",
            "env.PORT_ADMIN = {{api.port.admin}} (stack.kdl:10, port)",
            "env.TOKEN = ••• (stack.kdl:8)",
            "env.URL = http://•••@x (stack.kdl:8)",
            "restart = always (stack.kdl:2, defaults)",
            "restart.tries = 9 (stack.kdl:2, defaults)",
            "restart.delay = 1s (stack.kdl:3, template node)",
        ]
    );
}

#[test]
fn init_writes_a_file_that_is_fine_and_never_overwrites() {
    let here = tempfile::tempdir().expect("a folder");
    fs::create_dir(here.path().join("web")).expect("a folder");
    let package = r#"{"scripts": {"dev": "vite"}}"#;
    fs::write(here.path().join("web/package.json"), package).expect("a file");
    assert_eq!(run(here.path(), "init").code, 0);
    let ran = run(here.path(), "check");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(run(here.path(), "fmt --check").code, 0);
    assert_eq!(run(here.path(), "init").code, 1);
}

#[test]
fn fmt_indents_and_check_tells() {
    let here = folder("service \"a\" {\nrun \"sleep 1\" // stays\n}\n");
    let ran = run(here.path(), "fmt --check");
    assert_eq!((ran.code, ran.out.as_str()), (1, "stack.kdl:2: run \"sleep 1\" // stays\n"));
    assert_eq!(run(here.path(), "fmt").code, 0);
    let text = fs::read_to_string(here.path().join("stack.kdl")).expect("the file");
    assert_eq!(text, "service \"a\" {\n    run \"sleep 1\" // stays\n}\n");
    assert_eq!(run(here.path(), "fmt --check").code, 0);
}

#[test]
fn fmt_leaves_a_file_alone_that_is_no_kdl() {
    let text = "service \"a\" {\nrun \"sleep 1\"\n  tty true\n\n";
    let here = folder(text);
    for line in ["fmt", "fmt --check"] {
        let ran = run(here.path(), line);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("stack.kdl:1:13") && ran.err.contains("#true"), "{}", ran.err);
    }
    assert_eq!(fs::read_to_string(here.path().join("stack.kdl")).expect("the file"), text);
}

#[test]
fn logs_are_read_without_a_supervisor() {
    let here = folder(SHOP);
    let logs = here.path().join(".stackrun/logs");
    fs::create_dir_all(&logs).expect("a folder");
    fs::write(logs.join("db.log"), "one\n\u{1b}[31mtwo\u{1b}[0m\nthree").expect("a log");
    assert_eq!(run(here.path(), "logs db").out, "one\ntwo\nthree\n");
    assert_eq!(run(here.path(), "logs -n 1").out, "db │ three\n");
    assert_eq!(run(here.path(), "logs --raw --grep two").out, "\u{1b}[31mtwo\u{1b}[0m\n");
    assert_eq!(run(here.path(), "logs --since 1h db").out, "one\ntwo\nthree\n");
    let colored = run(here.path(), "--color always logs -n 1").out;
    assert_eq!(colored, "\u{1b}[36mdb\u{1b}[0m \u{1b}[2m│\u{1b}[0m three\n");
}
