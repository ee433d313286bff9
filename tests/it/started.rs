//! Services that nothing checks: `started`, and believed once they have lived for half a second.

use serde_json::Value;

use crate::support::{Stack, eventually};

/// Ends with that status, after that many milliseconds.
fn ends(after: u32, status: i32) -> Stack {
    Stack::new(&format!(
        r#"
        service "d" {{
            run "@testbed counted starts.txt print 'no such module' after {after} exit {status}"
            restart tries=2 delay="10ms"
        }}
        "#
    ))
}

#[test]
fn what_ends_within_half_a_second_has_not_started() {
    for after in [0, 100, 250] {
        let stack = ends(after, 3);
        let ran = stack.run("up").exits(1).says("d  failed: no such module: exit 3, 3 times in ");
        assert!(!ran.err.contains("d  started") && !ran.err.contains("ready"), "{ran:#?}");
        assert_eq!(stack.read("starts.txt"), "...");
        assert_eq!(stack.state("d"), "failed");
        stack.run("status").exits(3);
        stack.run("wait --timeout 10s").exits(1).says("d has failed");
        stack.run("restart d").exits(1).says("no such module: exit 3, 3 times in ");
        let events = stack.run("events --json").exits(0).out;
        assert!(!events.contains(r#""event":"ready""#), "{events}");
    }
}

#[test]
fn what_lives_for_longer_has_started_and_crashes_later() {
    let stack = ends(900, 3);
    let ran = stack.run("up").exits(0).says("d  started").says("1 service started");
    assert!(!ran.err.contains("ready"), "{ran:#?}");
    stack.reaches("d", "failed");
    let reason = stack.node("d")["reason"].as_str().map(str::to_owned);
    assert!(reason.is_some_and(|reason| !reason.contains("start")), "it was up");
}

#[test]
fn it_is_told_as_started_everywhere_and_as_unchecked_to_programs() {
    let stack = Stack::new(
        r#"
        service "d" { run "@testbed" }
        service "e" { run "@testbed"; ready { delay "10ms" } }
        "#,
    );
    let up = stack.up();
    up.says("d  started").says("e  ready in").says("1 service ready, 1 service started in");
    let node = stack.node("d");
    assert_eq!((&node["state"], &node["checked"]), (&"ready".into(), &false.into()));
    assert_eq!(node["proven"], Value::Null, "told only until it is");
    assert_eq!(stack.node("e")["checked"], true);
    let table = stack.run("status").exits(0).out;
    let states: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(states, ["started", "ready"]);
    stack.run("why d").exits(0).says("d has started").says("nothing checks");
    stack.run("why e").exits(0).says("e is ready");
    stack.run("up").exits(0).says("1 service ready, 1 service started, nothing to do");
    stack.run("events").exits(0).says("d started").says("e ready in");
    stack.run("timeline -v").exits(0).says("lived for");
}

#[test]
fn a_good_exit_right_after_the_start_is_told_with_what_it_may_mean() {
    let hints = ["make it a `task`", "`stdin \"open\"`", "background"];
    for (command, policy) in [
        ("true", "describe \"by default\""),
        ("true", "restart \"always\" tries=1 delay=\"10ms\""),
        ("true", "restart \"never\""),
        ("sh -c 'exit 3'", "succeeds-with 3"),
        // It stops where its input ends.
        ("cat", "restart \"never\""),
    ] {
        let stack = Stack::new(&format!(r#"service "d" {{ run "{command}"; {policy} }}"#));
        let ran = stack.run("up").exits(1);
        for hint in hints {
            assert!(ran.err.contains(hint), "{policy}: no `{hint}` in {ran:#?}");
        }
        assert_eq!(stack.state("d"), "failed", "{policy}");
        stack.run("status").exits(3);
        stack.run("why d").exits(0).says("make it a `task`");
    }
    let stack = Stack::new(r#"service "d" { run "cat"; stdin "open" }"#);
    stack.up();
    stack.run("status").exits(0);
}

#[test]
fn a_missing_module_and_a_signal_are_failures() {
    let stack = Stack::new(
        r#"
        service "lost" { shell "exec ./no-such-module"; restart "never" }
        service "shot" { shell "kill -SEGV $$"; restart "never" }
        service "fine" { run "@testbed" }
        "#,
    );
    let ran = stack.run("up").exits(1);
    ran.says("no-such-module").says("shot  failed: SIGSEGV").says("fine  started");
    // In the foreground it is that of the one that was first.
    stack.run("down").exits(0);
    let code = stack.run("up --foreground").code;
    assert!([127, 139].contains(&code), "{code}");
}

#[test]
fn what_needs_it_goes_ahead_at_once_and_stays() {
    let stack = Stack::new(
        r#"
        service "d"   { run "@testbed after 200 exit 3"; restart "never" }
        service "api" { needs "d"; run "@testbed mark marks.txt api" }
        "#,
    );
    let up = stack.start("up");
    eventually("the start of what needs it", || stack.read("marks.txt").contains("start api"));
    up.ends().exits(1).says("d failed, 1 service started");
    assert_eq!(stack.state("api"), "ready");
    // Named, it counts alone.
    stack.run("status api").exits(0);
    stack.run("status").exits(3);
}

#[test]
fn replicas_and_what_is_started_by_name_are_no_exception() {
    let stack = Stack::new(
        r#"
        service "w" { shell "test {{replica}} = 1 || exit 4; exec sleep 9009"; replicas 2; restart "never" }
        service "tools" { shell "exit 5"; autostart #false; restart "never" }
        "#,
    );
    stack.run("up").exits(1).says("w.2    failed: exit 4").says("w.1    started");
    stack.run("up tools").exits(1).says("tools  failed: exit 5");
    assert_eq!(stack.state("w.1"), "ready");
}

#[test]
fn a_second_up_and_a_new_supervisor_within_half_a_second_wait_too() {
    let stack = Stack::new(
        r#"service "d" { run "@testbed counted starts.txt after 250 exit 3"; restart "never" }"#,
    );
    let first = stack.start("up");
    eventually("its start", || !stack.read("starts.txt").is_empty());
    let second = stack.start("up");
    first.ends().exits(1);
    // It came in time, or has started it once more: neither is a success.
    second.ends().exits(1).says("d  failed: exit 3 right after its start");

    let stack = Stack::new(
        r#"service "d" { run "@testbed counted starts.txt after 300 exit 3"; restart "never" }"#,
    );
    let up = stack.start("up");
    eventually("its start", || !stack.read("starts.txt").is_empty());
    stack.supervisor().kill();
    up.ends().exits(1).says("d  failed: exit 3");
    assert_eq!(stack.read("starts.txt"), ".", "the same start");
    assert_eq!(stack.state("d"), "failed");
}

#[test]
fn what_a_window_held_down_is_back_once_it_lives() {
    let stack = Stack::new(
        r#"
        service "d" { run "@testbed unless broken.txt lock d.lock after 60000"; restart "never" }
        service "e" { shell "test ! -e broken.txt || exit 6; exec sleep 9010"; restart "never" }
        task "break" { without "e"; shell "touch broken.txt" }
        task "look" { needs "d"; shell "true" }
        "#,
    );
    stack.up();
    stack.run("run look").exits(0);
    stack.run("run break").exits(1).says("e is not ready again").says("stackrun why e");
    assert_eq!(stack.state("e"), "failed");
}

#[test]
fn attached_or_in_the_foreground_it_is_the_same() {
    let stack = ends(100, 3);
    // It is followed until the stack ends, whatever became of the start.
    let attached = stack.start("up -a");
    eventually("the verdict", || {
        attached.err().contains("d is not up") || attached.err().contains("is not up after")
    });
    stack.run("down").exits(0);
    attached.ends().exits(1);
    stack.run("up --foreground").exits(3).says("no such module: exit 3, 3 times in ");
    stack.run("status").exits(3);
}

#[test]
fn a_run_whose_need_has_started_goes_ahead_and_tells_its_own_status() {
    let stack = Stack::new(
        r#"
        service "d" { run "@testbed after 200 exit 3"; restart "never" }
        task "t" { needs "d"; shell "exit 7" }
        task "fine" { needs "d"; shell "true" }
        "#,
    );
    stack.run("run t").exits(7);
    stack.reaches("d", "failed");
    stack.run("run fine").exits(0);
}

#[test]
fn what_ends_well_at_once_is_tried_again_only_where_the_file_says_so() {
    let stack = Stack::new(
        r#"
        service "once" { run "@testbed counted once.txt exit 0" }
        service "always" {
            run "@testbed counted always.txt exit 0"
            restart "always" tries=2 delay="10ms"
        }
        "#,
    );
    stack.run("up").exits(1).says("always  failed: exit 0 right after its start, 3 times in ");
    assert_eq!((stack.read("once.txt").len(), stack.read("always.txt").len()), (1, 3));
    assert_eq!(stack.state("once"), "failed");
}
