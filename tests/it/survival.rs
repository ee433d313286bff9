//! The services live on: without the terminal, without the command, without the supervisor.

mod clock;
mod folder;
mod frozen;
mod left;
mod login;
mod lost;
mod monkey;
mod obstacles;
mod planted;
mod secrets;
mod strangers;
mod takeover;
mod terminal;
mod upgrade;
mod world;

use std::{fs, process::Command};

use crate::support::{Running, Stack, alive, eventually, wait_for};

const TWO: &str = r#"
    service "db"  { run "@testbed listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed tick 2" }
"#;

fn pids(stack: &Stack) -> [u32; 2] {
    ["db", "api"].map(|name| stack.pid(name))
}

#[test]
fn closing_the_terminal_stops_nothing() {
    let stack = Stack::new(TWO);
    let mut terminal = stack.on_terminal("up");
    assert_eq!(terminal.ends(), Some(0), "{}", terminal.shown());
    let before = pids(&stack);
    terminal.close();
    assert_eq!(pids(&stack), before);

    let attached = stack.on_terminal("logs -f");
    attached.has_shown("line 0");
    attached.close();
    assert_eq!(pids(&stack), before);
    assert_eq!(stack.state("api"), "ready");
}

#[test]
fn ctrl_c_on_the_terminal_reaches_no_service() {
    let stack = Stack::new(TWO);
    let mut attached = stack.on_terminal("up --attach");
    attached.has_shown("line 0");
    let before = pids(&stack);
    attached.press(b"\x03");
    attached.ends();
    assert_eq!(pids(&stack), before);
}

#[test]
fn killing_the_supervisor_stops_nothing_and_it_is_back() {
    let stack = Stack::new(TWO);
    stack.up();
    let before = pids(&stack);
    for _ in 0..3 {
        let supervisor = stack.supervisor();
        supervisor.kill();
        eventually("its end", || !supervisor.lives());
        assert!(before.iter().all(|pid| alive(*pid)));
        assert_eq!(pids(&stack), before);
        assert_ne!(stack.supervisor().pid, supervisor.pid);
        stack.run("status").exits(0);
    }
    stack.run("restart api").exits(0);
    stack.down();
}

#[test]
fn killing_the_supervisor_loses_no_line() {
    let stack = Stack::new(TWO);
    stack.up();
    for _ in 0..5 {
        let supervisor = stack.supervisor();
        supervisor.kill();
        eventually("another one", || stack.supervisor().pid != supervisor.pid);
    }
    let lines = wait_for("many lines", || {
        let lines = stack.run("logs api --raw").exits(0).out;
        (lines.lines().count() > 50).then_some(lines)
    });
    let numbers = lines.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<u64>().ok());
    let numbers: Vec<u64> = numbers.collect();
    assert!(numbers.len() > 50, "{} lines", numbers.len());
    assert!(numbers.iter().zip(1..).all(|(number, expected)| *number == expected), "{lines}");
}

#[test]
fn killing_the_keeper_too_stops_nothing_and_the_next_command_takes_over() {
    let stack = Stack::new(TWO);
    stack.up();
    let before = pids(&stack);
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    keeper.kill();
    supervisor.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    assert!(before.iter().all(|pid| alive(*pid)));
    stack.up();
    assert_eq!(pids(&stack), before);
    stack.down();
}

#[test]
fn an_exit_while_nobody_decided_is_still_known() {
    let stack = Stack::new(
        r#"service "a" { shell "while ! test -e go; do sleep 0.01; done; exit 9"; restart "never" }"#,
    );
    stack.up();
    let pid = stack.pid("a");
    let supervisor = stack.supervisor();
    supervisor.signal(rustix::process::Signal::STOP);
    stack.put("go", "");
    eventually("its end", || !alive(pid));
    supervisor.kill();
    stack.reaches("a", "failed");
    assert_eq!(stack.node("a")["exit"]["code"], 9);
}

#[test]
fn killing_a_command_stops_nothing() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed"; ready { shell "test -e go" } }
        service "b" { needs "a"; run "@testbed" }
        "#,
    );
    let mut up = stack.start("up");
    stack.reaches("a", "starting");
    up.signal(rustix::process::Signal::KILL);
    up.ends().exits(137);
    stack.put("go", "");
    stack.reaches("b", "ready");
}

#[test]
fn in_the_foreground_ctrl_c_stops_the_stack() {
    let stack = Stack::new(TWO);
    let mut up = stack.start("up --foreground");
    stack.reaches("api", "ready");
    up.signal(rustix::process::Signal::INT);
    up.ends().exits(0);
    stack.run("status").exits(3);
}

#[test]
fn a_service_inherits_nothing_from_whoever_typed_up() {
    let stack = Stack::new(r#"service "a" { run "sleep 600" }"#);
    // A background job of a script ignores SIGINT, and descriptors leak from anywhere.
    let up = stack.command("up");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "trap '' INT HUP TERM; exec \"$0\" up 7</dev/null 8>leak.txt"]);
    shell.arg(up.get_program()).current_dir(stack.folder());
    shell.envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Running::start("up".to_owned(), shell).ends().exits(0);

    let proc = format!("/proc/{}", stack.pid("a"));
    let descriptors = fs::read_dir(format!("{proc}/fd")).expect("its descriptors").flatten();
    let mut descriptors: Vec<_> = descriptors.map(|entry| entry.file_name()).collect();
    descriptors.sort();
    assert_eq!(descriptors, ["0", "1", "2"]);
    let status = fs::read_to_string(format!("{proc}/status")).expect("its status");
    for mask in ["SigIgn:", "SigBlk:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(mask)).expect("a mask");
        let signals = u64::from_str_radix(line.trim(), 16).expect("a number");
        // Those from 32 on belong to the C library, which lets nobody set them.
        assert_eq!(signals & 0x7fff_ffff, 0, "{mask} {line}");
    }
}

#[test]
fn many_restarts_leave_no_descriptor_and_no_zombie_behind() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let open = || {
        [supervisor.pid, keeper.pid]
            .map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").count())
    };
    let restart = || stack.run("restart a").exits(0);
    restart();
    let before = open();
    for _ in 0..20 {
        restart();
    }
    eventually("no more descriptors than before", || {
        open().iter().zip(before).all(|(now, before)| *now <= before + 1)
    });
    // Each thread has children of its own.
    let threads = fs::read_dir(format!("/proc/{}/task", keeper.pid)).expect("its threads");
    let children =
        threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")));
    let children: String = children.map(|list| list.expect("its children")).collect();
    assert_eq!(children.split_whitespace().count(), 2, "supervisor and service: {children}");
}

#[test]
fn every_shell_finds_the_same_stack() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock" }"#);
    stack.up();
    for variable in ["TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"] {
        let mut up = stack.command("up");
        up.env(variable, stack.folder());
        Running::start(format!("up with another {variable}"), up).ends().exits(0);
    }
    assert_eq!(stack.read("a.lock.violations"), "");
}
