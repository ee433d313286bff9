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

/// Brings up those of [`restless`] that stay.
const STAYING: &str = "up s0 s1 s2 s3 s4 s5";

/// Six that end all the time, each in its own way, and six that stay.
fn restless() -> String {
    let ends = |n: u64| {
        format!(
            "service \"e{n}\" {{ shell \"echo . >> e{n}.starts; sleep 0.0{n}; exit {n}\"; \
             restart \"always\" tries=100000 delay=\"{n}ms\" max-delay=\"{n}ms\" }}\n"
        )
    };
    let stays = |n: u64| format!("service \"s{n}\" {{ run \"@testbed lock s{n}.lock\" }}\n");
    (3..9).map(ends).chain((0..6).map(stays)).collect()
}

#[test]
fn a_keeper_killed_among_starts_and_stops_loses_nobody_and_invents_nothing() {
    let stack = Stack::new(&restless());
    let mut chance = Chance::new();
    // Those that end all the time may never be ready for good.
    let _some_end = stack.run("up --timeout 2s");
    for _ in 0..rounds(6) {
        let names = [chance.below(6), chance.below(6)].map(|n| format!("s{n}"));
        let lines = [format!("restart {}", names[0]), format!("down {}", names[1]), STAYING.into()];
        let commands = lines.map(|line| stack.start(&line));
        thread::sleep(Duration::from_micros(chance.below(80_000)));
        let keeper = supervisor_and_keeper(&stack).1;
        keeper.iter().for_each(Process::kill);
        for command in commands {
            let _beaten_or_not = command.ends();
        }
    }
    stack.run(STAYING).exits(0);
    for n in 0..6 {
        let name = format!("s{n}");
        stack.reaches(&name, "ready");
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    // How each ended is exact or unknown: none is a success, and none has another's number.
    let events = stack.run("events --json").exits(0).out;
    let mut known = 0;
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event");
        let name = event["name"].as_str().unwrap_or_default();
        let Some(own) = name.strip_prefix('e').filter(|_| event["event"] == "exited") else {
            continue;
        };
        match event["exit"]["code"].as_u64() {
            Some(code) => assert_eq!(code.to_string(), own, "{line}"),
            None => assert_ne!(event["exit"]["unknown"], serde_json::Value::Null, "{line}"),
        }
        known += usize::from(event["exit"]["code"].is_u64());
    }
    assert!(known > 0, "{events}");
    // Every process of the stack is one that the stack knows.
    let (supervisor, keeper) = supervisor_and_keeper(&stack);
    let status = stack.status();
    let services = status["services"].as_array().expect("services").iter();
    let mut known: Vec<u64> = services.filter_map(|service| service["pid"].as_u64()).collect();
    known.extend([supervisor, keeper].iter().flatten().map(|process| u64::from(process.pid)));
    let stays = |process: &Process| process.command.contains("lock");
    let stranger = stack.left().into_iter().filter(stays);
    let stranger = stranger.filter(|process| !known.contains(&u64::from(process.pid)));
    assert_eq!(stranger.map(|process| process.to_string()).collect::<Vec<_>>(), [""; 0]);
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
