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
