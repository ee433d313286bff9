//! `up --foreground` and Ctrl-C at any moment.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Stack, eventually};

const TWO: &str = r#"
    service "a" { run "@testbed"; ready { delay "150ms" } }
    service "b" { needs "a"; run "@testbed"; ready { delay "150ms" } }
"#;

#[test]
fn a_ctrl_c_at_any_moment_stops_it() {
    let stack = Stack::new(TWO);
    // In steps over the whole start, the moment of its completion among them.
    for step in 0..14 {
        let mut up = stack.start("up --foreground");
        let moment = Instant::now() + Duration::from_millis(45 * step);
        eventually("the moment", || Instant::now() >= moment);
        up.signal(Signal::INT);
        let ran = up.ends();
        // Before it does anything the signal itself ends it.
        assert!([0, 130].contains(&ran.code), "step {step}: {ran:#?}");
        assert_eq!(stack.run("down").code, 0, "step {step}");
        let left = stack.left_soon();
        assert!(left.is_empty(), "step {step}: {left:#?}");
    }
}

#[test]
fn a_ctrl_c_as_the_start_completes_is_not_lost() {
    let stack = Stack::new(TWO);
    for _ in 0..5 {
        let mut up = stack.start("up --foreground");
        eventually("the last of them being ready", || up.err().contains("b  ready in"));
        up.signal(Signal::INT);
        up.ends().exits(0).says("0 processes, 0 ports");
        stack.run("status").exits(3);
    }
}

#[test]
fn a_second_ctrl_c_kills_what_ignores_the_first() {
    let stack = Stack::new(r#"service "a" { run "@testbed stubborn"; stop grace="60s" }"#);
    let mut up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    up.signal(Signal::INT);
    eventually("the stop", || up.err().contains("stopping"));
    let began = Instant::now();
    up.signal(Signal::INT);
    up.ends().exits(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_down_from_elsewhere_ends_it_well() {
    let stack = Stack::new(TWO);
    let up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    stack.run("down").exits(0);
    up.ends().exits(0);
}

#[test]
fn it_goes_on_with_the_next_supervisor() {
    let stack = Stack::new(TWO);
    let mut up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    let first = stack.supervisor();
    first.kill();
    eventually("another one", || stack.supervisor().pid != first.pid);
    up.signal(Signal::INT);
    up.ends().exits(0).says("0 processes, 0 ports");
    stack.run("status").exits(3);
}

#[test]
fn it_ends_with_the_status_of_what_failed_for_good() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        service "b" { shell "sleep 0.3; exit 7"; restart "never" }
        "#,
    );
    stack.run("up --foreground").exits(7).says("b has failed");
    stack.run("status").exits(3);
}

/// The last service that runs ends like that, once it is up.
#[track_caller]
fn ends_alone(script: &str, policy: &str, status: i32) {
    let stack = Stack::new(&format!(r#"service "a" {{ shell "{script}"; {policy} }}"#));
    let ran = stack.run("up --foreground").exits(status);
    if status != 0 {
        ran.says("a has failed: the rest is stopped");
    }
    stack.run("status").exits(3);
    assert!(stack.left_soon().is_empty());
}

#[test]
fn the_end_of_the_only_service_is_its_status() {
    let never = r#"restart "never""#;
    ends_alone("sleep 0.8; exit 7", never, 7);
    ends_alone("sleep 0.8; kill -KILL $$", never, 137);
    ends_alone("sleep 0.8; exit 0", never, 0);
    ends_alone("sleep 0.8; exit 3", "succeeds-with 3", 0);
    ends_alone("sleep 0.6; exit 5", r#"restart tries=1 delay="10ms""#, 5);
}

#[test]
fn the_last_one_that_runs_counts_and_of_several_the_first() {
    let stack = Stack::new(
        r#"
        service "early" { shell "sleep 0.7; exit 0" }
        service "late" { shell "while ! test -e go.txt; do sleep 0.02; done; exit 6"; restart "never" }
        "#,
    );
    let up = stack.start("up --foreground");
    stack.reaches("early", "exited");
    stack.put("go.txt", "");
    up.ends().exits(6).says("late has failed");

    let stack = Stack::new(
        r#"
        service "a" { shell "while ! test -e go.txt; do sleep 0.02; done; exit 8"; restart "never" }
        service "b" { shell "trap 'exit 9' TERM; while :; do sleep 0.02; done"; restart "never" }
        "#,
    );
    let up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    stack.put("go.txt", "");
    up.ends().exits(8);
}

#[test]
fn a_start_that_fails_is_the_status_of_what_failed_first() {
    let stack = Stack::new(
        r#"
        service "slow" { shell "sleep 0.4; exit 4"; restart "never"; ready { delay "20s" } }
        service "quick" { shell "exit 5"; restart "never" }
        "#,
    );
    stack.run("up --foreground").exits(5);
    let stack = Stack::new(
        r#"
        task "m" { shell "exit 6" }
        service "a" { needs "m"; run "@testbed" }
        "#,
    );
    stack.run("up --foreground").exits(6);
    // It was stopped for it, which is no exit status of its own.
    let stack = Stack::new(
        r#"service "a" { run "@testbed"; ready within="300ms" { shell "false" }; restart "never" }"#,
    );
    stack.run("up --foreground").exits(1);
}

#[test]
fn a_failure_while_there_is_no_supervisor_is_found() {
    let stack = Stack::new(
        r#"
        service "a" { shell "while ! test -e go.txt; do sleep 0.02; done; exit 7"; restart "never" }
        "#,
    );
    let up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    for _ in 0..2 {
        let before = stack.supervisor();
        before.kill();
        eventually("another one", || stack.supervisor().pid != before.pid);
    }
    stack.supervisor().kill();
    stack.put("go.txt", "");
    up.ends().exits(7).says("a has failed");
}

#[test]
fn a_task_that_fails_meanwhile_ends_nothing_and_a_down_of_the_last_service_is_no_failure() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "t" { shell "exit 4" }
        "#,
    );
    let up = stack.start("up --foreground");
    eventually("the start", || up.err().contains("is up"));
    stack.run("run t").exits(4);
    eventually("its end", || up.out().contains("failed: exit 4"));
    assert_eq!(stack.state("a"), "ready");
    stack.run("down a").exits(0);
    up.ends().exits(0);
}
