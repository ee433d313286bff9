//! Flask under waitress, with everything checked first.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{Process, Stack, Terminal, eventually, get, have, listening, post};

#[test]
fn flask_waitress() {
    if !have(&["python3", "curl"]) {
        return;
    }
    let stack = Stack::example("flask-waitress");
    let port = stack.port(0);
    let mut other = Command::new("python3");
    let other = stack.foreign(other.args(["-c", "import time; time.sleep(3600)"]));
    what_is_missing_is_said_first(&stack);
    stack.follow_readme();
    assert!(!listening(port));

    the_browser_opens_once(&stack);
    the_last_fifty_lines_and_what_follows(&stack);
    an_import_that_fails_ends_the_start(&stack);

    stack.run("up --profile test").exits(0);
    assert_eq!(stack.state("venv"), "skipped");
    stack.run("down").exits(0).says("0 processes, 0 ports");
    assert!(!listening(port));
    assert!(Process::get(other.pid()).is_some(), "another Python was ended");
}

fn what_is_missing_is_said_first(stack: &Stack) {
    let mut command = stack.command("up");
    command.env("PATH", "/nowhere");
    let ran = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && said.contains("apt install python3 python3-venv"), "{said}");
    assert!(!stack.path(".venv").exists());
}

/// A desktop whose browser writes down what it is asked to open.
fn on_a_desktop(stack: &Stack, line: &str) -> Terminal {
    let program = stack.path("desktop/xdg-open");
    let opened = stack.path("opened");
    let text = format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display());
    stack.put_program("desktop/xdg-open", &text);
    let mut command = stack.command(line);
    let path = std::env::var("PATH").expect("a search path");
    let desktop = program.parent().expect("a folder").display();
    command.env("PATH", format!("{desktop}:{path}")).env("DISPLAY", ":0");
    Terminal::start(command)
}

fn the_browser_opens_once(stack: &Stack) {
    let address = format!("http://127.0.0.1:{}\n", stack.port(0));
    let mut terminal = on_a_desktop(stack, "up --profile test");
    assert_eq!(terminal.ends(), Some(0), "{}", terminal.shown());
    eventually("the browser", || stack.read("opened") == address);

    // Up already: no second tab. A crash and what follows it: neither.
    let before = stack.process("web");
    before.kill();
    eventually("another one", || {
        let node = stack.node("web");
        node["state"] == "ready" && node["pid"] != before.pid
    });
    let mut again = on_a_desktop(stack, "up --profile test");
    assert_eq!(again.ends(), Some(0), "{}", again.shown());
    assert_eq!(stack.read("opened"), address);
}

fn the_last_fifty_lines_and_what_follows(stack: &Stack) {
    for number in 1..=60 {
        assert!(post(stack.port(0), &format!("/?name=guest{number}")).is_some());
    }
    eventually("the last guest", || stack.run("logs web").out.contains("guest60 was here"));
    let mut follow = stack.start("logs -f -n 50 -t web");
    eventually("the last ones", || follow.out().contains("guest60 was here"));
    assert!(
        follow.out().contains("guest11 was here") && !follow.out().contains("guest10 was here")
    );
    stack.run("restart web").exits(0);
    assert!(post(stack.port(0), "/?name=late").is_some());
    eventually("what comes after the restart", || follow.out().contains("late was here"));
    let stamped = regex::Regex::new(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}.*late was here$");
    assert!(stamped.expect("a pattern").is_match(&follow.out()), "{}", follow.out());
    follow.signal(Signal::INT);
    let _ = follow.ends();
}

fn an_import_that_fails_ends_the_start(stack: &Stack) {
    let app = stack.read("app.py");
    stack.put("app.py", &format!("import nowhere\n{app}"));
    stack.run("restart web").exits(1).says("No module named 'nowhere'");
    assert_eq!(get(stack.port(0), "/"), None);
    stack.run("why web").says("No module named 'nowhere'");
    stack.put("app.py", &app);
}
