//! What a person types, and mistypes; and readers that go away.

use std::process::Command;

use crate::support::{Running, Stack};

const TWO: &str = r#"
    stack "typed"
    service "api" { run "@testbed" }
    service "web" { needs "api"; run "@testbed" }
"#;

#[test]
fn what_was_meant_is_said_and_nothing_is_touched() {
    let stack = Stack::new(TWO);
    for (line, meant) in [
        ("upp", "did you mean `up`?"),
        ("statsu", "did you mean `status`?"),
        ("up --tiemout 3s", "did you mean `--timeout`?"),
        ("up apii", "did you mean `api`?"),
        ("restart wbe", "did you mean `web`?"),
        ("down apii", "did you mean `api`?"),
        ("logs apii", "did you mean `api`?"),
        ("why apii", "did you mean `api`?"),
        ("wait apii", "did you mean `api`?"),
        ("signal apii TERM", "did you mean `api`?"),
        ("signal api TREM", "did you mean TERM?"),
        ("show apii", "did you mean `api`?"),
        ("check extra", "unexpected argument `extra`"),
    ] {
        let ran = stack.run(line).exits(2).says(meant);
        assert!(ran.out.is_empty(), "{ran:#?}");
    }
    stack.run("").exits(2).says("stackrun up");
    assert!(stack.left().is_empty() && !stack.path(".stackrun").exists());
    stack.up();
    stack.run("restart apii").exits(2).says("did you mean `api`?");
    assert_eq!(stack.node("api")["generation"], 1);
}

#[test]
fn where_nothing_is_up_there_is_nothing_to_restart() {
    let stack = Stack::new(TWO);
    stack.run("restart").exits(0).says("nothing was restarted").says("stackrun up");
    assert!(stack.left_soon().is_empty());
}

#[test]
fn a_running_stack_is_found_by_its_name_from_anywhere() {
    let name = format!("typed-{}", std::process::id());
    let stack = Stack::new(&TWO.replace("typed", &name));
    stack.up();
    for verb in
        ["status", "why api", "wait", "restart api", "logs", "events", "timeline", "show api"]
    {
        let mut command = stack.command(&format!("--stack {name} {verb}"));
        command.current_dir("/");
        Running::start(format!("--stack {verb}"), command).ends().exits(0);
    }
    let mut command = stack.command(&format!("--stack {name}x status"));
    command.current_dir("/");
    Running::start("--stack".into(), command)
        .ends()
        .exits(2)
        .says(&format!("did you mean `{name}`?"));
    let ran = stack.run("ls --json").exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let mut all = json["stacks"].as_array().expect("stacks").iter();
    let own = all.find(|own| own["name"] == *name).expect("this one");
    assert_eq!((&own["state"], &own["ready"]), (&"ready".into(), &2.into()));
    assert!(own["since"].is_string() && own["folder"].is_string(), "{own:#}");
    let mut command = stack.command(&format!("--stack {name} down"));
    command.current_dir("/");
    Running::start("--stack down".into(), command).ends().exits(0);
}

/// `stackrun LINE` whose outputs nobody reads after the first line.
fn into_head(stack: &Stack, line: &str) -> i32 {
    let mut shell = Command::new("/bin/sh");
    let command = stack.command(line);
    let script = format!("{{ \"$0\" {line} 2>&1; echo $? >&3; }} 3>code | head -n 1 >/dev/null");
    shell.arg("-c").arg(script).arg(command.get_program()).current_dir(stack.folder());
    shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Running::start(line.to_owned(), shell).ends().exits(0);
    stack.read("code").trim().parse().expect("an exit status")
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let many: String =
        (0..12).map(|n| format!("service \"s{n}\" {{ run \"@testbed print hello\" }}\n")).collect();
    let stack = Stack::new(&many);
    assert_eq!(into_head(&stack, "up"), 0);
    assert_eq!(stack.state("s11"), "ready");
    for line in
        ["status", "logs", "events", "ls", "timeline", "graph", "schema", "doctor", "restart"]
    {
        assert_eq!(into_head(&stack, line), 0, "{line}");
    }
    assert_eq!(into_head(&stack, "down"), 0);
    assert_eq!(stack.state("s0"), "idle");
}

#[test]
fn a_broken_file_stops_no_question_about_what_runs() {
    let stack = Stack::new(TWO);
    stack.up();
    let text = stack.read("stack.kdl");
    for broken in ["service \"x\" { runn }", "service {{{"] {
        stack.write(broken);
        for line in [
            "status",
            "why api",
            "logs",
            "events",
            "timeline",
            "wait",
            "ports",
            "show api",
            "ls",
            "exec api true",
        ] {
            stack.run(line).exits(0);
        }
        stack.run("up").exits(2);
        stack.run("restart api").exits(2);
        assert_eq!(stack.node("api")["generation"], 1);
    }
    stack.run("down web").exits(0);
    stack.run("status web").exits(3);
    stack.down();
    stack.put("stack.kdl", &text);
}
