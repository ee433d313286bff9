//! Killed between any two system calls: what was known stays known, and nothing is half.

use std::{sync::mpsc::channel, thread};

use serde_json::Value;

use crate::support::{Process, Stack, Traced, eventually, may_trace};

use super::{Chance, nothing_was_forgotten, rounds};

/// The port has to be remembered, and every instance holds a lock that a second one would break.
const STACK: &str = r#"
    service "db"  { run "@testbed lock db.lock listen {{port}}"; port "auto" }
    service "api" { needs "db"; run "@testbed lock api.lock counted api.starts" }
    task "made"   { shell "echo x >> made.txt"; inputs "stack.kdl"; outputs "made.txt" }
"#;

const LINES: [&str; 7] =
    ["restart api", "restart", "down api", "up", "run made", "down db", "upgrade"];

/// Runs a command while the victim is led from system call to system call, and killed at one;
/// the other one right after it. Returns how many edges were seen.
fn killed_at(
    stack: &Stack,
    victim: &Process,
    edge: u64,
    other: Option<&Process>,
    line: &str,
) -> u64 {
    let (held, is_held) = channel();
    thread::scope(|threads| {
        let tracer = threads.spawn(move || {
            let traced = Traced::seize(victim).expect("it may be traced");
            held.send(()).expect("somebody waits");
            let seen = traced.kill_at(edge);
            other.inspect(|other| other.kill());
            seen
        });
        is_held.recv().expect("it is held");
        // It may have lost whom it asked: it must end, that is all.
        let ran = stack.start(line).ends();
        // That many edges there were not.
        victim.kill();
        other.inspect(|other| other.kill());
        let seen = tracer.join().expect("the tracer");
        let both = if other.is_some() { " both" } else { "" };
        println!("{line}, killed{both} at {edge}, {seen} seen → {}", ran.code);
        seen
    })
}

/// The records of the ledger, in order, none twice.
#[track_caller]
fn last_record(stack: &Stack) -> u64 {
    let out = stack.run("events --json").exits(0).out;
    let seq = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line}"));
        record["seq"].as_u64().expect("a number")
    };
    let numbers: Vec<u64> = out.lines().map(seq).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    *numbers.last().expect("a record")
}

#[test]
fn a_death_between_any_two_system_calls_spoils_no_state() {
    if !may_trace() {
        return;
    }
    let stack = Stack::new(STACK);
    stack.up();
    stack.run("run made").exits(0);
    let port = stack.node("db")["ports"].clone();
    let mut chance = Chance::new();
    let mut records = 0;
    // How many edges each of them has for each victim is learnt on the way.
    let mut edges = [[200_u64; LINES.len()]; 2];
    for _ in 0..rounds(14) {
        let supervisor = stack.supervisor();
        let keeper = supervisor.parent().expect("the keeper");
        let (victim, line) = (chance.below(2), chance.below(LINES.len() as u64));
        let index = |number: u64| usize::try_from(number).expect("small");
        let known = &mut edges[index(victim)][index(line)];
        let edge = chance.below(*known + 1);
        let both = [&keeper, &supervisor];
        let (victim, other) = (both[index(victim)], both[1 - index(victim)]);
        let other = (chance.below(2) == 0).then_some(other);
        let seen = killed_at(&stack, victim, edge, other, LINES[index(line)]);
        if seen < edge {
            *known = seen;
        } else {
            *known += *known / 4;
        }
        stack.up();
        assert_eq!(stack.node("db")["ports"], port, "the port was forgotten");
        let last = last_record(&stack);
        assert!(last > records, "{last} after {records}");
        records = last;
        for name in ["db", "api"] {
            assert_eq!(stack.state(name), "ready", "{name}");
            assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
        }
        stack.run("run made").exits(0);
        assert!(stack.read("made.txt").lines().all(|line| line == "x"));
    }
    nothing_was_forgotten(&stack);
    stack.down();
    eventually("the end of all", || stack.left().is_empty());
}
