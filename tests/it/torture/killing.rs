//! Supervisor, keeper, both and commands are killed at random moments of whatever goes on.

use std::{thread, time::Duration};

use crate::support::{Process, Stack, alive, eventually};

use super::{Chance, nothing_was_forgotten, rounds};

/// Every instance holds a lock that a second one would break.
const STACK: &str = r#"
    service "db"  { run "@testbed lock db.lock slow-stop 5 listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed lock api.lock after 10 listen {{port}}"; port @1 }
    service "web" { needs "api"; run "@testbed lock web.lock tick 1" }
    service "job" { run "@testbed lock job.lock child tick\ 5 setsid tick 3" }
"#;

/// Those of a stack, as far as they live.
pub(super) fn supervisor_and_keeper(stack: &Stack) -> (Option<Process>, Option<Process>) {
    let keeper = stack.keeper_by_lock().and_then(Process::get);
    let of_keeper = |process: &Process| {
        process.command.contains(" supervisor ")
            && process.parent().map(|parent| parent.pid) == keeper.as_ref().map(|it| it.pid)
    };
    (stack.left().into_iter().find(of_keeper), keeper)
}

#[track_caller]
fn no_instance_was_doubled(stack: &Stack) {
    for name in ["db", "api", "web", "job"] {
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
}

#[test]
fn kills_at_random_moments_double_nothing_and_leave_nothing() {
    let stack = Stack::new(STACK);
    let mut chance = Chance::new();
    for round in 0..rounds(12) {
        let lines = ["up", "restart api", "restart", "down", "down web", "up db", "upgrade"];
        let line = chance.one_of(&lines);
        let mut command = stack.start(line);
        thread::sleep(Duration::from_micros(chance.below(120_000)));
        let (supervisor, keeper) = supervisor_and_keeper(&stack);
        let victims = match chance.below(4) {
            0 => [supervisor, None],
            1 => [keeper, None],
            2 => [keeper, supervisor],
            _ => {
                command.signal(rustix::process::Signal::KILL);
                [None, None]
            }
        };
        victims.iter().flatten().for_each(Process::kill);
        // It may have been killed, or have lost whom it asked: it must end, that is all.
        let ran = command.ends();
        println!("{round}: {line} → {}", ran.code);
        no_instance_was_doubled(&stack);
    }
    stack.up();
    for name in ["db", "api", "web", "job"] {
        assert!(alive(stack.pid(name)), "{name}");
    }
    no_instance_was_doubled(&stack);
    nothing_was_forgotten(&stack);
    stack.down();
}

#[test]
fn cycles_of_restarts_grow_nothing() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock" }"#);
    stack.up();
    let (supervisor, keeper) = supervisor_and_keeper(&stack);
    let both = [supervisor.expect("a supervisor"), keeper.expect("a keeper")];
    let descriptors = || {
        both.each_ref().map(|process| {
            std::fs::read_dir(format!("/proc/{}/fd", process.pid)).expect("descriptors").count()
        })
    };
    let memory = || both.each_ref().map(|process| crate::support::anonymous_kib(process.pid));
    for _ in 0..5 {
        stack.run("restart a").exits(0);
    }
    let before = (descriptors(), memory());
    for _ in 0..rounds(30) {
        stack.run("restart a").exits(0);
    }
    eventually("no more descriptors", || {
        descriptors().iter().zip(before.0).all(|(now, before)| *now <= before + 1)
    });
    let now = memory();
    println!(
        "descriptors {:?} → {:?}, memory {:?} → {now:?} KiB",
        before.0,
        descriptors(),
        before.1
    );
    // The ledger's latest records are kept, up to a bound.
    assert!(now.iter().zip(before.1).all(|(now, before)| *now < before + 8 * 1024), "{now:?}");
    assert_eq!(stack.read("a.lock.violations"), "");
}
