//! Keeper and supervisor are killed; what they held goes on and is held again.

use serde_json::Value;

use crate::support::{Process, Stack, alive, eventually, wait_for};

/// A service that counts in its log, one that holds a lock which a second instance would break.
const COUNTING: &str = r#"
    service "db"  { run "@testbed lock db.lock listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed lock api.lock tick 1" }
"#;

fn keeper(stack: &Stack) -> Process {
    stack.supervisor().parent().expect("the keeper")
}

/// The generation and the restarts of each service.
fn counters(stack: &Stack) -> Vec<(Value, Value, Value)> {
    let status = stack.status();
    let services = status["services"].as_array().expect("services").clone();
    let of = |service: &Value| {
        (service["pid"].clone(), service["generation"].clone(), service["restarts"].clone())
    };
    services.iter().map(of).collect()
}

/// Every number from 1 on is in the log, once, in order, since the last start.
#[track_caller]
fn no_line_is_lost(stack: &Stack, name: &str) -> usize {
    let lines = stack.run(&format!("logs {name} --raw")).exits(0).out;
    let numbers = lines.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<u64>().ok());
    let mut numbers: Vec<u64> = numbers.collect();
    let start = numbers.iter().rposition(|number| *number == 1).expect("a first line");
    numbers.drain(..start);
    let wrong = numbers.iter().zip(1..).find(|(number, expected)| *number != expected);
    assert_eq!(wrong, None, "of {} lines", numbers.len());
    numbers.len()
}

#[test]
fn a_supervisor_that_loses_its_keeper_has_another_one() {
    let stack = Stack::new(COUNTING);
    stack.up();
    stack.run("restart api").exits(0);
    let before = counters(&stack);
    for _ in 0..3 {
        let keeper = keeper(&stack);
        keeper.kill();
        // Nobody types a command meanwhile.
        wait_for("another keeper", || stack.keeper_by_lock().filter(|pid| *pid != keeper.pid));
        assert_eq!(counters(&stack), before);
    }
    let lines = no_line_is_lost(&stack, "api");
    eventually("more lines", || no_line_is_lost(&stack, "api") > lines);
    stack.run("restart api").exits(0);
    assert_eq!(stack.read("api.lock.violations") + &stack.read("db.lock.violations"), "");
    stack.down();
}

#[test]
fn killing_both_again_and_again_loses_no_line_and_doubles_nothing() {
    let stack = Stack::new(COUNTING);
    stack.up();
    let before = counters(&stack);
    for _ in 0..5 {
        let supervisor = stack.supervisor();
        let keeper = keeper(&stack);
        keeper.kill();
        supervisor.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
        assert_eq!(counters(&stack), before);
    }
    assert!(no_line_is_lost(&stack, "api") > 20);
    assert_eq!(stack.read("api.lock.violations") + &stack.read("db.lock.violations"), "");
    stack.down();
}

#[test]
fn a_flood_loses_no_line_while_both_are_killed() {
    let stack =
        Stack::new(r#"service "api" { run "@testbed flood 3000000"; log max-size="1GiB" }"#);
    stack.up();
    for _ in 0..4 {
        let supervisor = stack.supervisor();
        let keeper = keeper(&stack);
        keeper.kill();
        supervisor.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
        stack.run("status").exits(0);
    }
    eventually("the last line", || {
        stack.run("logs api --raw -n 1").out.trim_end() == "line 003000000"
    });
    assert_eq!(no_line_is_lost(&stack, "api"), 3_000_000);
    stack.down();
}

#[test]
fn an_end_that_nobody_saw_is_exact_or_unknown() {
    let stack = Stack::new(
        r#"service "a" { shell "while ! test -e go; do sleep 0.01; done; exit 9"; restart "never" }"#,
    );
    stack.up();
    let pid = stack.pid("a");
    let supervisor = stack.supervisor();
    let keeper = keeper(&stack);
    keeper.kill();
    supervisor.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    stack.put("go", "");
    eventually("its end", || !alive(pid));
    stack.reaches("a", "failed");
    // Nobody's child any more: the kernel may have forgotten, and nothing may be invented.
    let exit = &stack.node("a")["exit"];
    assert!(
        exit["code"] == 9 || exit.as_str() == Some("unknown") || exit["code"].is_null(),
        "{exit}"
    );
}

#[test]
fn a_start_that_the_death_of_both_interrupts_is_made_once() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock counted a.starts"; ready { shell "test -e go" } }
        service "b" { needs "a"; run "@testbed lock b.lock" }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    let supervisor = stack.supervisor();
    let keeper = keeper(&stack);
    keeper.kill();
    supervisor.kill();
    stack.put("go", "");
    up.ends().exits(0);
    stack.reaches("b", "ready");
    assert_eq!(stack.read("a.starts"), ".");
    assert_eq!(stack.read("a.lock.violations") + &stack.read("b.lock.violations"), "");
}
