//! Many hands on one stack: never two instances of a service, no hang, honest exit statuses.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Stack, eventually};

/// A service that nobody may start twice, and that takes a moment to start and to stop.
const LOCKED: &str = r#"
    service "db" {
        run "@testbed lock db.lock after 30 listen {{port}}"
        port @0
    }
    service "api" {
        needs "db"
        run "@testbed lock api.lock counted starts.txt slow-stop 50 after 30 listen {{port}}"
        port @1
    }
"#;

fn assert_no_second_instance(stack: &Stack) {
    assert_eq!(stack.read("db.lock.violations"), "");
    assert_eq!(stack.read("api.lock.violations"), "");
}

#[test]
fn ten_ups_start_one_stack() {
    let stack = Stack::new(LOCKED);
    let ups: Vec<_> = (0..10).map(|_| stack.start("up")).collect();
    for up in ups {
        up.ends().exits(0);
    }
    assert_no_second_instance(&stack);
    assert_eq!(stack.read("starts.txt"), ".");
}

#[test]
fn ten_restarts_end_with_one_instance() {
    let stack = Stack::new(LOCKED);
    stack.up();
    let db = stack.pid("db");
    let restarts: Vec<_> = (0..10).map(|_| stack.start("restart api")).collect();
    for restart in restarts {
        restart.ends().exits(0);
    }
    assert_no_second_instance(&stack);
    assert_eq!(stack.state("api"), "ready");
    assert_eq!(stack.pid("db"), db, "what it needs was left alone");
}

#[test]
fn down_beats_an_up_on_its_way() {
    let stack = Stack::new(
        r#"
        service "never"  { run "@testbed lock a.lock"; ready { shell "false" } }
        service "behind" { needs "never"; run "@testbed counted started.txt" }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("never", "starting");
    stack.down();
    up.ends().exits(1).says("by another command meanwhile");
    assert_eq!(stack.read("started.txt"), "");
}

#[test]
fn up_during_a_slow_down_brings_it_back() {
    let stack =
        Stack::new(r#"service "a" { run "@testbed lock a.lock slow-stop 700 mark marks.txt a" }"#);
    stack.up();
    eventually("the first start", || stack.read("marks.txt").contains("start a"));
    let down = stack.start("down");
    eventually("the stop", || stack.read("marks.txt").contains("term a"));
    stack.up();
    assert_eq!(stack.state("a"), "ready");
    assert_eq!(stack.read("a.lock.violations"), "");
    let _ = down.ends();
}

#[test]
fn whoever_comes_at_any_moment_of_a_down_finds_it_up_or_down() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock" }"#);
    for round in 0..16 {
        stack.up();
        let down = stack.start("down");
        // Every round another moment: 0 … 120 ms.
        std::thread::sleep(Duration::from_millis(round * 8));
        if round % 4 == 3 {
            stack.run("down").exits(0);
            stack.run("status").exits(3);
        } else {
            stack.up();
        }
        let _beaten_or_not = down.ends();
        assert_eq!(stack.read("a.lock.violations"), "");
    }
}

#[test]
fn ups_downs_and_questions_in_one_moment_say_only_what_is_so() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock" }
        service "b" { needs "a"; run "@testbed lock b.lock" }
        "#,
    );
    let lines = ["up", "down", "up", "status"].repeat(4);
    let running: Vec<_> = lines.iter().map(|line| (line, stack.start(line))).collect();
    for (line, command) in running {
        let ran = command.ends();
        let beaten = ran.code == 1 && ran.err.contains("by another command meanwhile");
        let good = match *line {
            "status" => matches!(ran.code, 0 | 3),
            "down" if ran.err.contains(" is down: ") => ran.code == 0,
            _ => ran.code == 0 || beaten,
        };
        assert!(good, "{ran:#?}");
    }
    // Whatever came of it, the next command starts from there.
    stack.up();
    for name in ["a", "b"] {
        assert_eq!(stack.state(name), "ready");
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    stack.down();
    assert!(!stack.places().runtime.exists(), "the keeper is the last to go");
    for _ in 0..5 {
        stack.up();
        stack.down();
    }
}

#[test]
fn ctrl_c_while_waiting_lets_the_start_go_on() {
    let stack = Stack::new(r#"service "a" { run "@testbed"; ready { shell "test -e go" } }"#);
    let mut up = stack.start("up");
    stack.reaches("a", "starting");
    up.signal(Signal::INT);
    up.ends().exits(130);
    assert_eq!(stack.state("a"), "starting");
    stack.put("go", "");
    stack.run("wait a --for ready --timeout 30s").exits(0);
}

#[test]
fn interrupts_and_kills_at_any_moment_break_nothing() {
    let stack = Stack::new(LOCKED);
    let lines = ["up", "restart api", "up", "restart", "down api", "up"];
    for (round, line) in lines.iter().cycle().take(24).enumerate() {
        let mut command = stack.start(line);
        // The moment is the point here, so every round takes another one: 0 … 230 ms.
        std::thread::sleep(Duration::from_millis(round as u64 * 10));
        let signal = if round % 3 == 2 { Signal::KILL } else { Signal::INT };
        command.signal(signal);
        let ran = command.ends();
        assert!(matches!(ran.code, 0 | 1 | 130 | 137), "{ran:#?}");
        assert_no_second_instance(&stack);
    }
    stack.up();
    assert_eq!(stack.state("api"), "ready");
    assert_no_second_instance(&stack);
    stack.down();
}

#[test]
fn two_stacks_side_by_side_do_not_know_each_other() {
    let text = r#"service "a" { run "@testbed listen {{port}}"; port @0 }"#;
    let (one, two) = (Stack::new(text), Stack::new(text));
    one.up();
    two.up();
    let pid = two.pid("a");
    one.down();
    assert_eq!(two.pid("a"), pid);
    assert_eq!(two.state("a"), "ready");
    two.down();
}
