//! Stops that hang, fail or come twice; checks that hang; ends that are exact.

use std::{
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use serde_json::json;
use stackrun::platform::RuntimeFolder;

use crate::support::{Process, Stack, eventually};

/// The processes of a stack that wait in `sleep`.
fn sleepers(stack: &Stack) -> Vec<Process> {
    stack.left().into_iter().filter(|process| process.command.starts_with("sleep 77")).collect()
}

#[test]
fn a_stop_command_that_hangs_is_killed_with_its_tree_and_the_stop_goes_on() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed mark marks.txt a"
            stop grace="3s" { shell "setsid sleep 7701 & sleep 7702 & sleep 7703" }
        }
        "#,
    );
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    stack.run("down a").exits(0);
    assert!(stack.read("marks.txt").contains("stop a"), "it was asked all the same");
    eventually("the end of the command's tree", || sleepers(&stack).is_empty());
    stack.down();
}

#[test]
fn a_stop_command_that_fails_or_is_not_there_stops_no_stop() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed mark marks.txt a"; stop { shell "echo no; exit 7" } }
        service "b" { run "@testbed mark marks.txt b"; stop { run "./no-such-program" } }
        "#,
    );
    stack.put("no-such-program", "");
    let _ = stack.run("up");
    eventually("both", || stack.read("marks.txt").matches("start").count() == 2);
    stack.down();
    let marks = stack.read("marks.txt");
    assert!(marks.contains("stop a") && marks.contains("stop b"), "{marks}");
}

#[test]
fn two_stops_at_once_are_one() {
    let stack =
        Stack::new(r#"service "a" { run "@testbed mark marks.txt a slow-stop 300 lock a.lock" }"#);
    for (round, line) in ["down a", "down"].into_iter().enumerate() {
        stack.up();
        eventually("its start", || stack.read("marks.txt").matches("start a").count() > round);
        let stops: Vec<_> = (0..4).map(|_| stack.start(line)).collect();
        for stop in stops {
            stop.ends().exits(0);
        }
    }
    let marks = stack.read("marks.txt");
    assert_eq!(marks.matches("term a").count(), marks.matches("start a").count(), "{marks}");
}

#[test]
fn a_check_that_hangs_is_killed_with_its_tree() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            ready every="50ms" timeout="300ms" {
                shell "test -e go && exit; setsid sleep 7701 & sleep 7702 & sleep 7703"
            }
            alive every="100ms" timeout="300ms" failures=1000 {
                shell "test ! -e hang && exit; setsid sleep 7704 & sleep 7705 & sleep 7706"
            }
        }
        "#,
    );
    let up = stack.start("up");
    eventually("a check that hangs", || sleepers(&stack).len() >= 3);
    stack.put("go", "");
    up.ends().exits(0);
    eventually("the end of the checks' trees", || sleepers(&stack).is_empty());
    stack.put("hang", "");
    eventually("a check that hangs", || sleepers(&stack).len() >= 3);
    std::fs::remove_file(stack.path("hang")).expect("the file");
    eventually("the end of the checks' trees", || sleepers(&stack).is_empty());
    stack.down();
}

#[test]
fn a_check_whose_supervisor_is_killed_is_ended_with_its_tree() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            ready timeout="60s" {
                shell "test -e go && exit; setsid sleep 7711 & sleep 7712 & env -i sleep 7713"
            }
        }
        "#,
    );
    let up = stack.start("up");
    for also_the_keeper in [false, true, false] {
        eventually("a check that hangs", || sleepers(&stack).len() >= 3);
        let asked = sleepers(&stack);
        let supervisor = stack.supervisor();
        let keeper = supervisor.parent().expect("the keeper");
        if also_the_keeper {
            keeper.kill();
        }
        supervisor.kill();
        eventually("the end of both", || {
            !(supervisor.lives() || also_the_keeper && keeper.lives())
        });
        // Whoever comes next ends it, before or while it asks anew.
        assert_eq!(stack.state("a"), "starting");
        eventually("the end of the check's tree", || !asked.iter().any(Process::lives));
    }
    stack.put("go", "");
    // What was asked last hangs, and is not asked again before its time is over.
    stack.supervisor().kill();
    up.ends().exits(0);
    eventually("the end of the check's tree", || sleepers(&stack).is_empty());
    stack.down();
}

#[test]
fn restarts_that_somebody_asks_for_are_no_crash_loop() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed lock a.lock"; restart tries=2 within="60s" delay="10ms" }"#,
    );
    stack.up();
    for _ in 0..5 {
        stack.run("restart a").exits(0);
    }
    // And they use up nothing of what crashes may.
    stack.process("a").kill();
    eventually("it being back", || {
        stack.node("a")["generation"] == 7 && stack.state("a") == "ready"
    });
    stack.run("events").exits(0).says("1 of 2");
    assert_eq!(stack.read("a.lock.violations"), "");
}

#[test]
fn exit_statuses_and_signals_are_exact() {
    let mut text = String::from("defaults { restart \"never\" }\n");
    let codes = [1, 2, 77, 126, 127, 128, 130, 137, 143, 254, 255];
    let signals = [
        "HUP", "INT", "QUIT", "ILL", "ABRT", "FPE", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "USR1",
    ];
    for code in codes {
        text += &format!(
            "service \"c{code}\" {{ ready {{ delay \"30s\" }}; shell \"exit {code}\" }}\n"
        );
    }
    for signal in signals {
        let name = signal.to_lowercase();
        text += &format!(
            "service \"s{name}\" {{ ready {{ delay \"30s\" }}; shell \"ulimit -c 0; kill -{signal} $$\" }}\n"
        );
    }
    let stack = Stack::new(&text);
    stack.run("up").exits(1);
    for code in codes {
        let exit = &stack.node(&format!("c{code}"))["exit"];
        assert_eq!((&exit["code"], &exit["signal"]), (&json!(code), &json!(null)), "{exit}");
    }
    for signal in signals {
        let exit = &stack.node(&format!("s{}", signal.to_lowercase()))["exit"];
        assert_eq!(exit["signal"], format!("SIG{signal}"), "{exit}");
    }
}

#[test]
fn a_runtime_folder_that_nobody_uses_holds_up_nobody() {
    for line in ["status", "down", "up"] {
        // Who waits for an answer does so every time; a machine is not busy every time.
        let mut took = (0..3).map(|_| at_an_old_folder(line));
        assert!(took.any(|took| took.as_secs() < 10), "{line} is held up");
    }
}

/// How long it takes where a keeper has left its folder, and a name that nobody listens at.
fn at_an_old_folder(line: &str) -> Duration {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    let places = stack.places();
    RuntimeFolder::make(places.id, &places.folder, None).expect("the runtime folder");
    let listener = places.control().listen().expect("a socket");
    // SAFETY: a system call on a number.
    assert_eq!(unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) }, 0);
    let began = Instant::now();
    let ran = stack.run(line);
    let took = began.elapsed();
    assert_eq!(ran.code, if line == "status" { 3 } else { 0 }, "{ran:#?}");
    assert_eq!(stack.keeper_by_lock().is_some(), line == "up", "{line}");
    assert_eq!(places.runtime.exists(), line != "down", "{line}");
    took
}
