//! What was written down of what runs is gone. It is found all the same: shown, stopped, and never
//! started a second time.

use std::fs;

use rustix::process::Signal;

use crate::support::{Process, Stack, alive, eventually, have, listening};

const COUNTING: &str = r#"
    service "db"   { run "@testbed lock db.lock listen {{port}}"; port @0 }
    service "api"  { needs "db"; run "@testbed lock api.lock tick 2" }
    service "late" { autostart #false; run "@testbed lock late.lock" }
"#;

#[track_caller]
fn nothing_was_doubled(stack: &Stack) {
    for name in ["db", "api", "late"] {
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
}

#[test]
fn what_no_record_names_is_shown_and_started_once() {
    for command in ["up", "restart", "restart api"] {
        let stack = Stack::new(COUNTING);
        stack.up();
        stack.run("restart api").exits(0);
        let before = ["db", "api"].map(|name| stack.process(name));
        stack.kill_both();
        fs::remove_file(stack.places().units()).expect("a record");
        for process in &before {
            let status = stack.run("status").says(&process.pid.to_string());
            assert!(status.out.contains("is not known any more"), "{status:#?}");
        }
        assert_eq!(stack.node("api")["generation"], 2);
        stack.run("why api").exits(0).says("is not known any more");
        stack.run("events").exits(0).says("the keeper's record is gone");
        stack.run("up --dry-run").exits(0).says("what it was started by is not known any more");
        // What it has written meanwhile has waited for a reader.
        let lines = || stack.run("logs api --raw").exits(0).out.lines().count();
        let had = lines();
        eventually("more lines", || lines() > had);
        assert!(before.iter().all(Process::lives), "to look has stopped something");
        stack.run(command).exits(0);
        assert!(!before[1].lives(), "`{command}` has left it");
        assert_eq!(stack.state("api"), "ready");
        nothing_was_doubled(&stack);
        // It is as if nothing had been lost.
        let api = stack.pid("api");
        stack.run("up api").exits(0);
        assert_eq!(stack.pid("api"), api);
        stack.down();
    }
}

#[test]
fn what_no_file_names_is_stopped() {
    for line in ["down", "status", "up", "ls"] {
        let stack = Stack::new(COUNTING);
        stack.up();
        let db = stack.process("db");
        stack.kill_both();
        fs::remove_dir_all(stack.places().runtime).expect("the runtime folder");
        fs::remove_dir_all(stack.path(".stackrun")).expect("the state folder");
        // It may take a moment until what was found is believed to be ready.
        let ran = stack.run(line);
        assert!(matches!((line, ran.code), (_, 0) | ("status", 3)), "{ran:#?}");
        assert!(line != "down" || !db.lives(), "it said that nothing was left");
        nothing_was_doubled(&stack);
        stack.down();
    }
}

#[test]
fn a_server_that_has_overwritten_its_environment_is_found() {
    if !have(&["redis-server"]) {
        return;
    }
    for line in ["up", "down"] {
        let stack =
            Stack::new(r#"service "redis" { run "redis-server --port @0 --save ''"; port @0 }"#);
        stack.up();
        let redis = stack.process("redis");
        let environment = fs::read(format!("/proc/{}/environ", redis.pid)).expect("its own");
        assert!(!String::from_utf8_lossy(&environment).contains("STACKRUN_ID"), "it is intact");
        stack.kill_both();
        fs::remove_dir_all(stack.places().runtime).expect("the runtime folder");
        fs::remove_dir_all(stack.path(".stackrun")).expect("the state folder");
        assert_eq!(stack.pid("redis"), redis.pid);
        stack.run(line).exits(0);
        assert!(!redis.lives(), "`{line}` has left it");
        assert_eq!(listening(stack.port(0)), line == "up");
        stack.down();
    }
}

#[test]
fn a_down_after_a_loss_is_orderly() {
    let stack = Stack::new(r#"service "a" { run "@testbed mark marks.txt a" }"#);
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    stack.kill_both();
    fs::remove_dir_all(stack.places().runtime).expect("the runtime folder");
    stack.down().says("0 processes, 0 ports").says("verified by scan");
    assert!(stack.read("marks.txt").contains("stop a "), "it was killed, not asked");
    stack.run("status").exits(3);
}

#[test]
fn what_a_record_that_was_cut_short_lacks_is_found() {
    let stack = Stack::new(COUNTING);
    stack.up();
    let before = ["db", "api"].map(|name| stack.pid(name));
    let path = stack.places().units();
    let read = || fs::read_to_string(&path).expect("a record");
    let length = read().len();
    stack.run("up late").exits(0);
    let late = stack.pid("late");
    stack.kill_both();
    // As on a disk that was full from then on.
    fs::write(&path, &read()[..length]).expect("a record");
    assert_eq!(["db", "api"].map(|name| stack.pid(name)), before);
    assert_eq!(stack.pid("late"), late);
    stack.run("events").exits(0).says("knows nothing of the start of late");
    stack.run("status").says("is not known any more");
    // Only what is not known is restarted.
    stack.run("up db api late").exits(0);
    assert_eq!(["db", "api"].map(|name| stack.pid(name)), before);
    assert!(!alive(late));
    assert_eq!(stack.state("late"), "ready");
    nothing_was_doubled(&stack);
    stack.down();
}

#[test]
fn a_task_that_no_record_names_goes_on_to_its_end() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock" }
        task "slow" {
            step "one" { shell "echo x >> ran; while ! test -e go; do sleep 0.02; done" }
            step "two" { shell "echo y >> ran" }
        }
        "#,
    );
    stack.up();
    let mut run = stack.start("run slow");
    eventually("its run", || !stack.read("ran").is_empty());
    run.signal(Signal::KILL);
    let _killed = run.ends();
    stack.kill_both();
    fs::remove_file(stack.places().units()).expect("a record");
    assert_eq!(stack.state("slow"), "running");
    stack.up();
    assert_eq!(stack.state("slow"), "running");
    stack.put("go", "");
    eventually("its end", || stack.state("slow") != "running");
    assert_eq!(stack.read("ran"), "x\ny\n");
    stack.down();
}

#[test]
fn a_second_keeper_after_a_loss_is_told_that_it_was_one() {
    let stack = Stack::new(COUNTING);
    stack.up();
    stack.kill_both();
    fs::remove_file(stack.places().units()).expect("a record");
    let before = ["db", "api"].map(|name| stack.pid(name));
    // Those who come after the one that found them know it from that one.
    stack.kill_both();
    assert_eq!(["db", "api"].map(|name| stack.pid(name)), before);
    stack.run("up --dry-run").exits(0).says("what it was started by is not known any more");
    stack.up();
    nothing_was_doubled(&stack);
    stack.down();
}

#[test]
fn a_stack_of_which_only_its_processes_tell_is_listed() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    supervisor.signal(Signal::STOP);
    keeper.kill();
    eventually("its end", || !keeper.lives());
    fs::remove_dir_all(stack.places().runtime).expect("the record is removed");
    stack.start("ls").patience(60).ends().exits(0).says(&stack.folder().to_string_lossy());
    stack.start("down").patience(60).ends().exits(0).says("0 processes");
}
