//! The terminal: stopped, continued, hung up, and grabbed.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Stack, Terminal, alive, eventually};

/// A shell of a person, with job control, in the stack's folder.
fn shell(stack: &Stack) -> Terminal {
    let up = stack.command("up");
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "--noediting", "-i"]).current_dir(stack.folder());
    shell.env_clear().envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
    shell.env("PS1", "$ ").env("STACKRUN", up.get_program());
    let shell = Terminal::start(shell);
    shell.has_shown("$ ");
    shell
}

#[test]
fn stopped_by_ctrl_z_and_continued_it_makes_no_false_time_out() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed"; ready { shell "test -e go" } }
        service "b" { needs "a"; run "@testbed" }
        "#,
    );
    let shell = shell(&stack);
    let began = Instant::now();
    shell.press(b"$STACKRUN up --timeout 3s; echo \"status=$?\"\r");
    stack.reaches("a", "starting");
    shell.has_shown("starting");
    shell.press(b"\x1a");
    shell.has_shown("Stopped");
    // It is ready in time, and nobody is there to hear it.
    stack.put("go", "");
    stack.reaches("b", "ready");
    // The time itself is what is waited for: that of the command is over then.
    std::thread::sleep(Duration::from_secs(4).saturating_sub(began.elapsed()));
    shell.press(b"fg; echo \"then=$?\"\r");
    shell.has_shown("then=0");
    assert_eq!(stack.state("b"), "ready");
}

#[test]
fn stopped_by_ctrl_z_it_holds_up_nobody_else() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed tick 1"; ready { shell "test -e go" } }
        service "b" { needs "a"; run "@testbed" }
        "#,
    );
    let shell = shell(&stack);
    shell.press(b"$STACKRUN up --attach\r");
    stack.reaches("a", "starting");
    shell.press(b"\x1a");
    shell.has_shown("Stopped");
    stack.put("go", "");
    stack.reaches("b", "ready");
    for _ in 0..3 {
        stack.run("restart b").exits(0);
    }
    shell.press(b"fg\r");
    // It goes on from where it was.
    shell.has_shown("line 0");
    shell.press(b"\x03");
    shell.press(b"echo sta''tus=$?\r");
    shell.has_shown("status=");
    assert_eq!(stack.state("b"), "ready");
}

#[test]
fn a_terminal_that_hangs_up_during_a_start_stops_nothing() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock"; ready { shell "test -e go" } }
        service "b" { needs "a"; run "@testbed lock b.lock" }
        "#,
    );
    let shell = shell(&stack);
    shell.press(b"$STACKRUN up\r");
    stack.reaches("a", "starting");
    let pid = stack.pid("a");
    shell.close();
    stack.put("go", "");
    stack.reaches("b", "ready");
    assert_eq!(stack.pid("a"), pid);
    // What a foreground stack does then is what it does when its command ends.
    stack.down();
    let foreground = stack.on_terminal("up --foreground");
    stack.reaches("b", "ready");
    foreground.close();
    eventually("the end of everything", || stack.left().is_empty());
}

#[test]
fn a_service_that_grabs_the_terminal_stops_nobody() {
    let stack = Stack::new(
        r#"
        service "a" { shell "while ! test -e terminal.txt; do sleep 0.02; done; exec @testbed grab $(cat terminal.txt) tick 5" }
        service "b" { needs "a"; run "@testbed"; ready { shell "test -e go" } }
        "#,
    );
    let mut up = stack.on_terminal("up");
    stack.reaches("b", "starting");
    let terminal = std::fs::read_link(format!("/proc/{}/fd/0", up.pid())).expect("its terminal");
    stack.put("terminal.txt", &terminal.display().to_string());
    eventually("the attempt", || stack.run("logs a --raw").out.contains("line 0"));
    let a = stack.pid("a");
    stack.put("go", "");
    assert_eq!(up.ends(), Some(0), "{}", up.shown());
    assert!(alive(a));
    up.close();
    assert!(alive(a));
    // One that reads from a terminal it has not is not stopped either.
    let state = std::fs::read_to_string(format!("/proc/{a}/stat")).expect("it lives");
    assert!(!state.contains(") T "), "{state}");
    stack.process("a").signal(Signal::CONT);
}
