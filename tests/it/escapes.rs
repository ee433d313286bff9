//! What others wrote reaches a terminal made visible: no control character but our own colours.

use std::{fs, os::unix::process::CommandExt, path::PathBuf, process::Command};

use serde_json::Value;

use crate::support::{Ran, Running, Stack, eventually, testbed};

/// A title, a colour, a move of the cursor, a bell, C1, a turned direction, and lines of its own.
const WILD: &str = "w\u{1b}]0;PWNED\u{7}\u{1b}[31;8mr\u{9b}2Jx\u{202e}y\u{7f}z\rq\u{8}\nPWNED\tt";
/// The same as a string of KDL.
const KDL: &str = r"w\u{1b}]0;PWNED\u{7}\u{1b}[31;8mr\u{9b}2Jx\u{202e}y\u{7f}z\rq\b\nPWNED\tt";

/// A stack in a folder of a wild name, and with wild strings in every place that takes one.
fn text(ports: [u16; 3]) -> String {
    let testbed = testbed().display();
    let [api, sick, held] = ports;
    format!(
        r##"
stack "s{KDL}"
env-file ".env" secret=#false
env {{ OPEN "{KDL}"; HIDDEN "secret {KDL}" secret=#true }}
service "api" {{
    describe "{KDL}"
    run "{testbed}" "listen" "{api}" "print" "{KDL}"
    port {api}
    env {{ OWN "{KDL}" }}
    url "http://localhost:{api}/{KDL}" open=#true
    before-start {{ shell "echo '{KDL}'" }}
    tool "/bin/sh" hint="{KDL}"
}}
service "crash" {{
    run "/bin/sh" "wild.sh"
    restart tries=2 delay="10ms"
    on-failure {{ shell "printf '{KDL}'; exit 3" }}
}}
service "sick" {{
    run "{testbed}" "listen" "{sick}"
    port {sick}
    ready within="300ms" {{ shell "printf 'no {KDL}' && false" }}
    restart "never"
}}
service "nowhere" {{ run "no{KDL}such" "x"; autostart #false; restart "never" }}
service "held" {{ run "{testbed}" "listen" "{held}"; port {held} busy="fail"; restart "never" }}
task "deploy" {{
    describe "{KDL}"
    step "one {KDL}" {{ shell "exit 0" }}
    step "two {KDL}" {{ shell "printf '{KDL}'; exit 4" }}
    on-failure {{ step "undo {KDL}" {{ run "no{KDL}such" "x" }} }}
}}
task "ask" {{ confirm "Really {KDL}?"; run "{testbed}" "exit" "0" }}
"##
    )
}

/// Demands that nothing but newlines and, where there may be any, our own colours are printed, and
/// that no line is somebody else's.
#[track_caller]
fn is_tame(ran: &Ran, colors: bool) {
    for said in [&ran.out, &ran.err] {
        has_tame_words(said, colors);
    }
}

#[track_caller]
fn has_tame_words(said: &str, colors: bool) {
    let mut rest = said.to_owned();
    if colors {
        for sgr in ["0", "1", "2", "31", "32", "33", "34", "35", "36", "96"] {
            rest = rest.replace(&format!("\u{1b}[{sgr}m"), "");
        }
    }
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let wild = |letter: char| letter != '\n' && (letter.is_control() || turns(letter));
    assert!(!rest.contains(wild), "{said:?}");
    assert!(!rest.lines().any(|line| line.trim_start().starts_with("PWNED")), "{said:?}");
}

/// Every command that says something about a stack.
const WORDS: [&str; 40] = [
    "status",
    "status --json",
    "why api",
    "why crash",
    "why crash --json",
    "why sick",
    "why nowhere",
    "why held",
    "why deploy",
    "show api",
    "show api --json",
    "show api --secrets",
    "show deploy",
    "show nowhere",
    "env api",
    "env api --json",
    "env api --secrets",
    "env api --export",
    "events",
    "events --json",
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
    "graph --format dot",
    "graph --format mermaid",
    "graph --format json",
    "up --dry-run",
    "ls",
    "ls --json",
    "boot status",
    "fmt --check",
    "logs --json -n 5",
    "wait api",
];

/// A stack file outside of a [`Stack`]'s folder: in one below it, of a wild name.
struct Wild {
    stack: Stack,
    folder: PathBuf,
}

impl Wild {
    fn new() -> Self {
        let stack = Stack::new("service \"outer\" { run \"@testbed\" }");
        let folder = stack.path(&format!("f{}", WILD.replace('/', "")));
        fs::create_dir(&folder).expect("a folder");
        let ports = [0, 1, 2].map(|index| stack.port(index));
        fs::write(folder.join("stack.kdl"), text(ports)).expect("a file");
        fs::write(folder.join(".env"), format!("FROM_FILE=\"{WILD}\"\n")).expect("a file");
        fs::write(folder.join("wild.sh"), format!("printf '%s\\n' 'Error: {WILD}'\nexit 3\n"))
            .expect("a file");
        Self { stack, folder }
    }

    fn run(&self, line: &str, args: &[&str]) -> Ran {
        let mut command = self.stack.command(line);
        command.args(args).current_dir(&self.folder);
        Running::start(format!("{line} {args:?}"), command).ends()
    }
}

impl Drop for Wild {
    fn drop(&mut self) {
        let _ = self.run("down", &[]);
    }
}

#[test]
fn nothing_that_others_wrote_reaches_a_terminal_raw() {
    let wild = Wild::new();
    let mut stranger = Command::new(testbed());
    stranger.arg0(WILD).args(["listen", &wild.stack.port(2).to_string(), "print", WILD]);
    let stranger = wild.stack.foreign(&mut stranger);
    eventually("the stranger", || {
        std::net::TcpStream::connect(("127.0.0.1", wild.stack.port(2))).is_ok()
    });
    for running in [false, true] {
        for line in WORDS {
            is_tame(&wild.run(line, &[]), false);
            let colored = wild.run("--color always", &line.split(' ').collect::<Vec<_>>());
            is_tame(&colored, !line.contains("logs"));
            if line.contains("json") && !line.contains("events") && !line.contains("logs") {
                let json: Result<Value, _> = serde_json::from_str(&colored.out);
                assert!(json.is_ok(), "{colored:#?}");
            }
        }
        if !running {
            for line in ["-v up", "up crash", "-q up sick", "-v up held", "up nowhere"] {
                let up = wild.run(line, &[]);
                is_tame(&up, false);
                is_tame(&wild.run("--color always -v up", &[]), true);
            }
            is_tame(&wild.run("-v restart sick", &[]), false);
            let deploy = wild.run("-v run deploy", &[]);
            // Its output is the program's own.
            has_tame_words(&deploy.err, false);
            is_tame(&wild.run("run ask", &[]), false);
        }
    }
    // What was typed, and a file that is wrong.
    for args in [
        &["status", WILD][..],
        &["up", WILD],
        &[WILD],
        &["status", &format!("--{WILD}")],
        &["logs", "--since", WILD],
        &["logs", "api", "--tail", WILD],
        &["signal", "api", WILD],
        &["explain", WILD],
        &["show", "api", "--profile", WILD],
        &["--file", WILD, "status"],
        &["--stack", WILD, "status"],
        &["exec", "api", WILD],
        &["import", WILD],
        &["up", "--profile", WILD],
        &["completions", WILD],
    ] {
        is_tame(&wild.run("", args), false);
    }
    for wrong in [
        format!(
            "include \"no{KDL}such.kdl\"\nenv-file \"{KDL}\"\nservice \"{KDL}\" {{ run \"{KDL}\" }}\n"
        ),
        format!(
            "service \"a\" {{ run \"x\"; ready {{ prints \"({KDL}\" }}; dir \"{KDL}\"; needs \"{KDL}\" }}\n"
        ),
        format!(
            "service \"a\" {{ run \"{KDL}{{{{nope{KDL}}}}}\"; port \"{KDL}\"; watch \"[{KDL}\" }}\n"
        ),
        format!("service \"a\" {{ run \"x\"; {WILD} }}\n"),
    ] {
        fs::write(wild.folder.join("stack.kdl"), wrong).expect("a file");
        for line in ["check", "check --json", "--color always check", "up", "doctor", "status"] {
            is_tame(&wild.run(line, &[]), line.contains("color"));
        }
    }
    fs::write(wild.folder.join(".env"), format!("{WILD}\n")).expect("a file");
    fs::write(wild.folder.join("stack.kdl"), "env-file \".env\"\n").expect("a file");
    is_tame(&wild.run("check", &[]), false);
    let down = wild.run("-v down", &[]);
    is_tame(&down, false);
    assert_eq!(down.code, 0, "{down:#?}");
    is_tame(&wild.run("events", &[]), false);
    drop(stranger);
}

/// A row of `ls` is a line, whatever the folder is called.
#[test]
fn a_folder_with_a_newline_is_one_row() {
    let wild = Wild::new();
    let text = format!("service \"a\" {{ run \"{}\" }}\n", testbed().display());
    fs::write(wild.folder.join("stack.kdl"), text).expect("a file");
    let up = wild.run("up", &[]);
    assert_eq!(up.code, 0, "{up:#?}");
    let ls = wild.run("ls", &[]);
    let own = wild.stack.folder().to_str().expect("UTF-8").to_owned();
    let rows: Vec<&str> = ls.out.lines().filter(|line| line.contains(&own)).collect();
    assert_eq!(rows.len(), 1, "{ls:#?}");
    assert!(rows[0].contains("1 of 1 ready") && rows[0].contains("^JPWNED"), "{ls:#?}");
    let json: Value = serde_json::from_str(&wild.run("ls --json", &[]).out).expect("JSON");
    let folders: Vec<&str> = json["stacks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["folder"].as_str())
        .collect();
    let own = wild.folder.to_str().expect("UTF-8");
    assert!(folders.contains(&own), "data is as it is: {json:#}");
}

/// On a terminal live lines are drawn by moving the cursor, and nothing else moves it.
#[test]
fn live_lines_are_our_own() {
    let wild = Wild::new();
    let mut command = wild.stack.command("up");
    command.current_dir(&wild.folder);
    let mut terminal = crate::support::Terminal::start(command);
    let _some_fail = terminal.ends();
    let shown = terminal.shown();
    for wild in ["\u{1b}]0;", "\u{7}", "\u{9b}", "\u{202e}", "\u{1b}[31;8m", "\u{8}"] {
        assert!(!shown.contains(wild), "{wild:?}: {shown:?}");
    }
    assert!(shown.contains("w^[]"), "{shown}");
}
