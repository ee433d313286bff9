//! Keeper and supervisor are killed; what they held goes on and is held again.

use std::{fs, os::unix::fs::MetadataExt};

use rustix::process::Signal;
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
    eventually("many lines", || no_line_is_lost(&stack, "api") > 20);
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
        r#"
        service "a" { shell "while ! test -e go; do sleep 0.01; done; exit 9"; restart "never" }
        service "b" { run "@testbed" }
        "#,
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
    assert!(exit["code"] == 9 || exit["unknown"] == true, "{exit}");
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

#[test]
fn what_a_keeper_had_not_read_when_it_was_killed_is_done_all_the_same() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock" }
        service "b" { run "@testbed lock b.lock"; autostart #false }
        service "c" { run "@testbed lock c.lock mark marks.txt c"; stop grace="60s" }
        service "d" { run "@testbed counted d.starts"; autostart #false }
        "#,
    );
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start c"));
    let (a, c) = (stack.pid("a"), stack.process("c"));
    let keeper = keeper(&stack);
    keeper.signal(Signal::STOP);
    let mut commands = vec![stack.start("down c"), stack.start("up b d")];
    stack.reaches("c", "stopping");
    stack.reaches("b", "starting");
    stack.reaches("d", "starting");
    commands.push(stack.start("down d"));
    stack.reaches("d", "stopping");
    // They cannot ask again.
    for command in &mut commands {
        command.signal(Signal::KILL);
    }
    for command in commands {
        let _killed = command.ends();
    }
    assert!(c.lives(), "the keeper had read nothing");
    keeper.kill();
    stack.reaches("b", "ready");
    stack.reaches("c", "idle");
    // It was asked, not killed at the end of its grace.
    assert!(stack.read("marks.txt").contains("stop c"));
    // It was never started, and is not started to be stopped.
    stack.reaches("d", "idle");
    assert_eq!(stack.read("d.starts"), "");
    assert_eq!(stack.pid("a"), a);
    for name in ["a", "b", "c"] {
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    stack.down();
}

/// Kills both, and has the journal say something else before anybody comes: a command that waits
/// for an answer comes as soon as the keeper's lock is free.
fn forge_the_journal(stack: &Stack, from: &str, to: &str) {
    let both = [stack.supervisor(), keeper(stack)];
    both.iter().for_each(|process| process.signal(Signal::STOP));
    eventually("both standing still", || both.iter().all(stands_still));
    let path = stack.places().units();
    let journal = fs::read_to_string(&path).expect("a journal");
    assert!(journal.contains(from), "no {from} in it");
    fs::write(&path, journal.replace(from, to)).expect("a journal");
    both.iter().for_each(Process::kill);
    eventually("the end of both", || !both.iter().any(Process::lives));
}

/// Whether every thread of a process is stopped.
fn stands_still(process: &Process) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid)).expect("its threads");
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    })
}

const LONELY: &str = r#"
    service "db"    { run "@testbed lock db.lock listen {{port}}"; port @0 }
    service "api"   { needs "db"; run "@testbed lock api.lock counted api.starts" }
    service "other" { run "@testbed lock other.lock counted other.starts" }
    task "slow" {
        without "other"
        shell "touch slow.began; while ! test -e go; do sleep 0.02; done; echo x >> slow.ran"
    }
"#;

#[test]
fn what_runs_is_found_again_where_the_note_cannot_be_read() {
    let stack = Stack::new(LONELY);
    stack.up();
    stack.run("restart api").exits(0);
    stack.run("down other").exits(0);
    let before = ["db", "api"].map(|name| stack.pid(name));
    let run = stack.start("run slow");
    eventually("the run", || stack.path("slow.began").exists());
    forge_the_journal(&stack, r#"{\"format\":"#, r#"{\"format\":9"#);
    for name in ["db", "api"] {
        stack.reaches(name, "ready");
    }
    // The next one knows all of it.
    stack.supervisor().kill();
    assert_eq!(["db", "api"].map(|name| stack.pid(name)), before);
    assert_eq!(stack.node("api")["generation"], 2);
    assert_eq!((&*stack.state("slow"), &*stack.state("other")), ("running", "idle"));
    let events = stack.run("events").exits(0).out;
    assert!(events.contains("what runs goes on"), "{events}");
    stack.put("go", "");
    // How it ended may be unknown; that it ran once is not.
    let _ = run.ends();
    eventually("its end", || matches!(&*stack.state("slow"), "done" | "failed"));
    assert_eq!(stack.read("slow.ran"), "x\n");
    stack.up();
    stack.run("restart api").exits(0);
    for name in ["db", "api", "other"] {
        assert_eq!(stack.state(name), "ready");
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    stack.down();
}

#[test]
fn what_runs_is_nobody_elses_where_not_even_the_stack_is_known() {
    let stack = Stack::new(LONELY);
    stack.up();
    let before = ["db", "api", "other"].map(|name| stack.pid(name));
    forge_the_journal(&stack, r#"{"checkpoint-part":["stack""#, r#"{"checkpoint-part":["lost""#);
    // Whoever comes, and comes again, ends nothing.
    for _ in 0..2 {
        stack.supervisor().kill();
        assert!(before.iter().all(|pid| alive(*pid)), "somebody was stopped");
    }
    assert_eq!(["db", "api", "other"].map(|name| stack.pid(name)), before);
    let events = stack.run("events").exits(0).out;
    assert!(events.contains("how it was started and what was wanted is not known"), "{events}");
    // Whether it runs as the file has it nobody can say.
    stack.run("up --dry-run").exits(0).says("what it was started by is not known any more");
    stack.up();
    let after = ["db", "api", "other"].map(|name| stack.pid(name));
    assert!(!before.iter().any(|pid| alive(*pid)), "{before:?}, {after:?}");
    for name in ["db", "api", "other"] {
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    stack.supervisor().kill();
    assert_eq!(["db", "api", "other"].map(|name| stack.pid(name)), after);
    stack.down();
}

#[test]
fn nothing_is_said_to_live_where_nothing_does() {
    let stack =
        Stack::new(r#"service "a" { run "@testbed exit 3"; restart "always" delay="20s" }"#);
    let mut up = stack.start("up");
    stack.reaches("a", "backoff");
    up.signal(Signal::KILL);
    forge_the_journal(&stack, r#"{\"format\":"#, r#"{\"format\":9"#);
    stack.down();
    let events = stack.run("events").exits(0).out;
    assert!(events.contains("nothing runs"), "{events}");
    assert!(!events.contains("live on"), "{events}");
}

/// Questions, and what they exit with where nothing runs.
const QUESTIONS: [(&str, i32); 10] = [
    ("status", 3),
    ("status --json", 3),
    ("why a", 3),
    ("events", 0),
    ("logs", 0),
    ("ls", 0),
    ("ports", 0),
    ("wait --for down", 0),
    ("up --dry-run", 0),
    ("logs -f", 3),
];

#[test]
fn a_question_starts_nobody_where_nothing_runs() {
    let stack = Stack::new(r#"service "a" { run "@testbed mark marks.txt a" }"#);
    let runtime = stack.places().runtime;
    for (line, code) in QUESTIONS {
        stack.run(line).exits(code);
        assert!(!runtime.exists(), "{line}: somebody was started");
    }
    stack.up();
    // Everything is killed, as by a system that runs out of memory.
    let (supervisor, keeper, a) = (stack.supervisor(), keeper(&stack), stack.process("a"));
    supervisor.signal(Signal::STOP);
    for process in [&a, &keeper, &supervisor] {
        process.kill();
    }
    eventually("their end", || ![&a, &keeper, &supervisor].iter().any(|it| it.lives()));
    // Whoever takes over writes this anew, and in the place of the old one.
    let journal = || fs::metadata(stack.places().units()).expect("a journal");
    let of = |data: fs::Metadata| (data.ino(), data.modified().expect("a time"));
    let before = of(journal());
    for (line, code) in QUESTIONS {
        stack.run(line).exits(code);
        assert_eq!(of(journal()), before, "{line}: somebody was started");
    }
    stack.run("status").exits(3).says("was killed");
    stack.run("why a").exits(3).says("was killed");
    // It was wanted, and is again.
    stack.up();
    eventually("its second start", || stack.read("marks.txt").matches("start a").count() == 2);
    stack.down();
    assert!(!runtime.exists());
}
