//! A keeper that was stopped: nothing can be done, and whoever asks is told so.

use std::fs;

use rustix::process::Signal;

use crate::support::{Process, Stack, eventually};

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

#[test]
fn a_supervisor_that_was_stopped_while_another_one_took_over_brings_nothing_back() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock"; restart "always" }"#);
    stack.up();
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    supervisor.signal(Signal::STOP);
    keeper.kill();
    stack.start("down").patience(60).ends().exits(0).says("0 processes");
    eventually("its end", || !supervisor.lives());
    stack.run("status").exits(3);
    // Also where nothing else of the stack lives any more.
    stack.up();
    let [keeper, supervisor] = stack.both();
    let service = stack.process("a");
    supervisor.signal(Signal::STOP);
    keeper.kill();
    service.kill();
    eventually("their end", || !keeper.lives() && !service.lives());
    stack.start("down").patience(60).ends().exits(0);
    eventually("its end", || !supervisor.lives());
    assert!(stack.left_soon().is_empty());
    stack.run("status").exits(3);
    assert_eq!(stack.read("a.lock.violations"), "");
}

#[test]
fn what_has_ended_unseen_and_is_in_no_record_is_not_said_to_run() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock" }
        service "b" { run "@testbed lock b.lock"; restart "never" }
        "#,
    );
    stack.up();
    let [keeper, supervisor] = stack.both();
    let services = [stack.process("a"), stack.process("b")];
    supervisor.signal(Signal::STOP);
    keeper.kill();
    services.iter().for_each(Process::kill);
    eventually("their end", || !keeper.lives() && !services.iter().any(Process::lives));
    fs::remove_dir_all(stack.places().runtime).expect("the record is removed");
    // It hands over what it knows, which is not so any more.
    supervisor.signal(Signal::CONT);
    eventually("another start", || stack.node("a")["generation"] == 2);
    stack.reaches("a", "ready");
    assert!(stack.process("a").lives());
    stack.reaches("b", "failed");
    stack.run("why b").says("unknown");
    stack.down();
}
