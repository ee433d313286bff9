//! What scripts read: exit statuses and `status --json`.

use crate::support::{Stack, eventually};

#[test]
fn nothing_running_lists_every_service_as_idle() {
    let stack = Stack::new(
        r#"
        stack "quiet"
        service "a" { run "@testbed"; port @0 name="http" }
        task "t" { run "true" }
        "#,
    );
    let ran = stack.run("status --json").exits(3);
    let status: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(status["stack"], "quiet");
    assert_eq!(status["supervisor"], serde_json::Value::Null);
    assert_eq!(status["services"][0]["state"], "idle");
    assert_eq!(status["tasks"][0]["state"], "idle");
    assert!(stack.left().is_empty(), "a question starts nothing");
}

#[test]
fn the_time_of_a_state_is_told_alike_each_time() {
    let stack = Stack::new(
        r#"
        task "t" { run "true" }
        service "a" { needs "t"; run "@testbed" }
        "#,
    );
    stack.up();
    let since = || {
        let ran = stack.run("status --json").exits(0);
        let status: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        (status["services"][0]["since"].clone(), status["tasks"][0]["since"].clone())
    };
    let first = since();
    assert!(first.0.is_string() && first.1.is_string(), "{first:?}");
    for _ in 0..5 {
        assert_eq!(since(), first);
    }
}

#[test]
fn up_counts_what_is_ready_and_done_and_nothing_else() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed after 700 exit 0" }
        service "b" { run "@testbed"; ready { shell "test -e ended.txt" } }
        profile "more" {
            task "t" { run "true" }
            service "c" { needs "t"; run "@testbed" }
        }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "exited");
    stack.put("ended.txt", "");
    up.ends().exits(0).says("1 service ready, 1 service ended in");
    let more = stack.run("up b c --profile more").exits(0);
    more.says("1 service ready, 1 service started, 1 task done in");
    let gone = stack.run("up b").exits(0);
    gone.says("1 service ready, 1 stopped in");
}

#[test]
fn the_json_has_what_was_promised() {
    let stack = Stack::new(
        r#"
        stack "shape"
        task "t" { run "true" }
        service "a" {
            needs "t"
            run "@testbed child stubborn listen {{port}}"
            port @0 name="http"
            stop grace="500ms"
        }
        service "b" { needs "a"; run "@testbed" }
        "#,
    );
    stack.up();
    let ran = stack.run("status --json").exits(0);
    let status: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON alone on stdout");
    assert_eq!(status["format"], 1);
    assert_eq!(status["stack"], "shape");
    assert!(status["file"].as_str().is_some_and(|file| file.ends_with("stack.kdl")));
    assert!(status["supervisor"]["pid"].is_u64());
    assert_eq!(status["supervisor"]["version"], env!("CARGO_PKG_VERSION"));
    let names = |kind: &str| -> Vec<String> {
        let nodes = status[kind].as_array().expect("a list").iter();
        nodes.map(|node| node["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("services"), ["a", "b"]);
    assert_eq!(names("tasks"), ["t"]);
    let a = &status["services"][0];
    assert_eq!(a["state"], "ready");
    assert_eq!(a["generation"], 1);
    assert_eq!(a["restarts"], 0);
    assert_eq!(a["processes"], 2);
    assert_eq!(a["ports"][0]["name"], "http");
    assert_eq!(a["ports"][0]["port"], stack.port(0));
    assert_eq!(a["exit"], serde_json::Value::Null);
    assert!(a["memory_bytes"].as_u64() > Some(0));
    assert!(a["uptime_ms"].is_u64() && a["cpu_percent"].is_number() && a["since"].is_string());
    assert_eq!(status["services"][1]["needs"][0], "a");
    assert_eq!(status["tasks"][0]["state"], "done");
    assert_eq!(status["tasks"][0]["exit"]["code"], 0);
}

#[test]
fn up_into_a_pipe_ends_for_the_reader_too() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    let mut shell = std::process::Command::new("/bin/sh");
    let command = stack.command("up");
    shell.arg("-c").arg("\"$0\" up | cat").arg(command.get_program()).current_dir(stack.folder());
    shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ran = crate::support::Running::start("up | cat".to_owned(), shell).ends();
    assert_eq!(ran.code, 0);
}

#[test]
fn a_time_limit_that_runs_out_is_124() {
    let stack = Stack::new(r#"service "a" { run "@testbed"; ready { shell "false" } }"#);
    // Time enough for a busy machine to begin.
    stack.run("up --timeout 3s").exits(124);
    stack.run("wait a --for ready --timeout 100ms").exits(124);
    stack.run("status").exits(3);
}

#[test]
fn a_missing_program_is_said_before_anything_starts() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted started.txt" }
        service "b" { tool "no-such-tool" hint="apt install no-such-tool"; run "@testbed" }
        service "c" { run "no-such-program --flag" }
        "#,
    );
    let ran = stack.run("up").says("no-such-tool").says("no-such-program");
    assert!(matches!(ran.code, 1 | 2), "{ran:#?}");
    assert_eq!(stack.read("started.txt"), "");
    // Each is an error of its own, and has its mark.
    let errors = ran.err.lines().filter(|line| line.contains("there is no program"));
    let marks: Vec<Option<&str>> = errors.map(|line| line.split(' ').next()).collect();
    assert!(matches!(marks[..], [Some(one), Some(other)] if one == other), "{}", ran.err);
}

#[test]
fn a_start_that_the_system_refuses_says_at_which_stage() {
    let stack = Stack::new(
        r#"
        service "a" { run "./not-executable"; restart "never" }
        "#,
    );
    stack.put("not-executable", "#!/bin/sh\n");
    let ran = stack.run("up").says("not-executable");
    assert!(matches!(ran.code, 1 | 2), "{ran:#?}");
}

#[test]
fn mistakes_on_the_command_line_are_2() {
    let stack = Stack::new(r#"service "api" { run "@testbed" }"#);
    stack.run("up nobody").exits(2).says("nobody");
    stack.run("up apii").exits(2).says("api");
    stack.run("frobnicate").exits(2);
    stack.run("up --no-such-flag").exits(2);
    assert!(stack.left().is_empty());
}

#[test]
fn no_stack_file_is_said_plainly() {
    let stack = Stack::new("");
    std::fs::remove_file(stack.path("stack.kdl")).expect("the stack file");
    stack.run("up").exits(2).says("stack.kdl");
    stack.run("status").exits(2).says("stack.kdl");
    stack.put("stack.kdl", "");
}

#[test]
fn without_a_terminal_there_are_no_control_codes() {
    let stack = Stack::new(r#"service "a" { run "@testbed print done" }"#);
    for line in ["up", "status", "logs", "why a", "graph", "check", "down"] {
        let ran = stack.run(line).exits(0);
        assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "{ran:#?}");
    }
}

/// `b` was not asked for, `c` starts by name alone.
const PARTS: &str = r#"
    task "t" { run "true" }
    service "a" { needs "t"; run "@testbed"; ready { shell "test ! -e sick.txt" } }
    service "b" { run "@testbed"; ready { shell "test -e b.txt" } }
    service "c" { run "@testbed"; autostart #false }
"#;

#[test]
fn all_is_what_was_asked_for_to_everyone_who_asks() {
    let stack = Stack::new(PARTS);
    stack.run("up a").exits(0);
    let all = || {
        stack.run("wait --timeout 30s").exits(0);
        stack.run("status").exits(0);
    };
    all();
    stack.run("ls").exits(0).says("1 of 1 ready");
    assert_eq!(stack.node("a")["wanted"], true);
    assert_eq!(stack.node("t")["wanted"], true);
    assert_eq!(stack.node("b")["wanted"], false);
    // By name each counts.
    stack.run("status b").exits(3);
    let ran = stack.run("wait b --timeout 300ms").exits(124);
    ran.says("timed out: b is idle");
    // Asked for, it is a part of all.
    stack.run("up b --timeout 2s").exits(124);
    let ran = stack.run("wait --timeout 300ms").exits(124);
    ran.says("timed out: b is starting (").says("exit 1");
    stack.run("status").exits(3);
    stack.run("ls").exits(0).says("1 of 2 ready");
    stack.put("b.txt", "");
    all();
    // Taken back, it is none any more.
    stack.run("down b").exits(0);
    all();
    stack.run("ls").exits(0).says("1 of 1 ready");
    stack.run("up c").exits(0);
    stack.process("c").kill();
    stack.reaches("c", "ready");
    stack.run("wait --timeout 10s").exits(0);
    // What is needed goes with what needs it.
    stack.run("wait t --for done --timeout 5s").exits(0);
    stack.run("wait --for done --timeout 5s").exits(0);
}

#[test]
fn a_wait_for_all_heeds_what_is_taken_back_meanwhile() {
    let stack = Stack::new(PARTS);
    let up = stack.start("up");
    stack.reaches("b", "starting");
    stack.reaches("a", "ready");
    let waiting = stack.start("wait --timeout 60s");
    stack.run("down b").exits(0);
    waiting.ends().exits(0);
    up.ends().exits(1);
    let waiting = stack.run("wait --for down --timeout 200ms").exits(124);
    waiting.says("timed out: a is ready");
}

#[test]
fn a_task_counts_by_its_last_run() {
    let stack = Stack::new(
        r#"
        task "t" { shell "exit $(cat code.txt)" }
        task "other" { shell "exit 3" }
        service "a" { needs "t"; run "@testbed" }
        "#,
    );
    stack.put("code.txt", "0");
    stack.up();
    stack.run("status").exits(0);
    // What nothing wanted needs is nobody's worry.
    stack.run("run other").exits(3);
    stack.run("status").exits(0);
    stack.run("wait").exits(0);
    stack.run("status other").exits(3);
    stack.run("wait other --for done").exits(1).says("other has failed");
    stack.put("code.txt", "4");
    stack.run("run t").exits(4);
    stack.run("status").exits(3);
    stack.run("wait").exits(1).says("t has failed");
    stack.run("ls").exits(0).says("failed");
    let up = stack.run("up").exits(1).says("t failed");
    assert!(!up.err.contains("1 task done"), "{up:#?}");
}

#[test]
fn what_has_ended_well_is_well_and_is_not_told_as_ready() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        service "once" { run "@testbed after 800 exit 0" }
        "#,
    );
    stack.up();
    stack.reaches("once", "exited");
    stack.run("status").exits(0);
    stack.run("wait").exits(0);
    stack.run("ls").exits(0).says("1 of 2 ready");
    stack.run("status once").exits(3);
    stack.run("wait once").exits(1).says("once is not ready: it has ended (exit 0)");
}

#[test]
fn a_hook_that_failed_is_known_later_too() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed"; ready { delay "10ms" }; after-ready { shell "exit 9" } }"#,
    );
    stack.run("up").exits(0);
    eventually("the hook's end", || {
        stack.node("a")["notices"][0].as_str() == Some("after-ready failed: exit 9")
    });
    stack.run("status").exits(0).says("after-ready failed: exit 9");
    stack.run("why a").exits(0).says("after-ready failed: exit 9");
    stack.run("restart a").exits(0);
    eventually("the next one's", || stack.run("why a").out.contains("after-ready failed: exit 9"));
}
