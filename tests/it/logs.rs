//! What the services said.

use crate::support::{Stack, eventually};

#[test]
fn every_line_of_a_flood_is_there_in_order() {
    let stack = Stack::new(r#"service "a" { run "@testbed flood 20000" }"#);
    stack.up();
    let log = || stack.run("logs a --raw").exits(0).out;
    eventually("the last line", || log().contains("line 000020000"));
    let expected: String = (1..=20000).map(|line| format!("line {line:09}\n")).collect();
    assert!(log() == expected, "lines are missing, torn or out of order");
}

#[test]
fn the_last_ones_and_those_of_one_service() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed flood 100" }
        service "b" { run "@testbed print 'from b'" }
        "#,
    );
    stack.up();
    eventually("both", || {
        let log = stack.run("logs").exits(0).out;
        log.contains("line 000000100") && log.contains("from b")
    });
    let last = stack.run("logs -n 3 --raw a").exits(0).out;
    assert_eq!(last, "line 000000098\nline 000000099\nline 000000100\n");
    assert!(!stack.run("logs a").exits(0).out.contains("from b"));
    let found = stack.run("logs a --raw --grep 00077$").exits(0).out;
    assert_eq!(found, "line 000000077\n");
}

#[test]
fn following_goes_on_across_restarts_of_service_and_supervisor() {
    let stack = Stack::new(r#"service "a" { run "@testbed print hello tick 20" }"#);
    stack.up();
    let mut follow = stack.start("logs -f a");
    let hellos = || follow.out().matches("hello").count();
    eventually("the first start", || hellos() == 1);
    stack.run("restart a").exits(0);
    eventually("the second start", || hellos() == 2);
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another one", || stack.supervisor().pid != supervisor.pid);
    stack.run("restart a").exits(0);
    eventually("the third start", || hellos() == 3);
    follow.signal(rustix::process::Signal::INT);
    let _ = follow.ends();
}

#[test]
fn a_last_line_without_an_end_is_kept() {
    let stack = Stack::new(
        r#"service "a" { shell "printf 'one\ntwo'; exit 1"; restart "never"; ready { delay "5s" } }"#,
    );
    stack.run("up").exits(1);
    stack.run("logs a").exits(0).says("two");
}

#[test]
fn both_outputs_keep_their_order() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed print one eprint two print three eprint four" }"#,
    );
    stack.up();
    let log = || stack.run("logs a --raw").exits(0).out;
    eventually("all", || log().contains("four"));
    assert_eq!(log(), "one\ntwo\nthree\nfour\n");
}

#[test]
fn logs_remain_after_down_and_know_their_times() {
    let stack = Stack::new(r#"service "a" { run "@testbed print early" }"#);
    stack.up();
    eventually("the line", || stack.run("logs a").exits(0).out.contains("early"));
    stack.down();
    stack.run("logs a").exits(0).says("early");
    let out = stack.run("logs a --json").exits(0).out;
    let items: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = items.iter().find(|item| item["line"] == "early").expect("the line");
    assert_eq!(line["name"], "a");
    let events: Vec<&str> = items.iter().filter_map(|item| item["event"].as_str()).collect();
    assert_eq!(events, ["spawned", "ready", "stopping", "exited"]);
    assert_eq!(stack.run("logs a --raw").exits(0).out, "early\n");
}

#[test]
fn what_happened_stands_between_the_lines() {
    // The time of a line is known to a few milliseconds: the end and the next start are apart.
    let stack = Stack::new(
        r#"service "a" { run "@testbed print hello"; before-start { shell "sleep 0.2" } }"#,
    );
    stack.up();
    let shown = || stack.run("logs a").exits(0).out;
    eventually("the first start", || shown().contains("hello"));
    stack.run("restart a").exits(0);
    eventually("the second start", || shown().matches("hello").count() == 2);
    let out = shown();
    let order = [
        "(generation 1), pid",
        "hello",
        "stopping (stackrun restart a",
        "ended: SIGTERM",
        "(generation 2), pid",
        "hello",
    ];
    let mut rest = out.as_str();
    for part in order {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` in {out}"));
        rest = after;
    }
    let last = stack.run("logs a --raw --since last-start").exits(0).out;
    assert_eq!(last, "hello\n");
}

#[test]
fn lines_of_json_are_readable() {
    let stack = Stack::new(
        r##"service "a" { shell #"echo '{"level":"warn","time":1,"msg":"disk is full","free":0}'; sleep 100"# }"##,
    );
    stack.up();
    eventually("the line", || {
        stack.run("logs a").exits(0).out.contains("WARN  disk is full free=0")
    });
    assert!(stack.run("logs a --raw").exits(0).out.starts_with("{\"level\""));
}

#[test]
fn following_with_nothing_running_is_3() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.run("logs -f").exits(3);
}
