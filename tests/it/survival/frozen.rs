//! A keeper that was stopped: nothing can be done, and whoever asks is told so.

use rustix::process::Signal;

use crate::support::{Stack, eventually};

#[test]
fn a_stopped_keeper_is_told_of_and_does_what_was_asked_for_afterwards() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock" }
        service "b" { run "@testbed lock b.lock"; autostart #false }
        "#,
    );
    stack.up();
    let a = stack.process("a");
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let stopped = format!("the stack's keeper is stopped: process {} (", keeper.pid);
    keeper.signal(Signal::STOP);
    stack.run("status").exits(0).says(&stopped);
    // Nothing is to be done for that.
    stack.up().says("nothing to do");
    for line in ["up b", "restart a", "down a", "down", "up"] {
        let ran = stack.start(line).patience(60).ends().exits(1).says(&stopped);
        assert!(ran.err.contains(&format!("kill -CONT {}", keeper.pid)), "{ran:#?}");
        assert!(a.lives(), "`{line}`");
    }
    keeper.signal(Signal::CONT);
    eventually("the last wish", || !a.lives() && stack.state("a") == "ready");
    assert_eq!(stack.supervisor().parent().expect("the keeper").pid, keeper.pid);
    assert_eq!(stack.read("a.lock.violations") + &stack.read("b.lock.violations"), "");
    stack.down();
}

#[test]
fn a_down_that_a_stopped_keeper_has_held_up_is_done_once_it_goes_on() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock" }"#);
    stack.up();
    let keeper = stack.supervisor().parent().expect("the keeper");
    keeper.signal(Signal::STOP);
    stack.start("down").patience(60).ends().exits(1).says("keeper is stopped");
    keeper.signal(Signal::CONT);
    eventually("the keeper's end", || !keeper.lives());
    assert!(stack.left_soon().is_empty());
    stack.run("status").exits(3);
}
