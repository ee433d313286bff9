//! As the first process of a namespace, as in a container: every orphan in there is its to reap.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{Process, Running, Stack, eventually, root_for, wait_for};

/// A stack that is brought up by the first process of a namespace of its own.
struct Container {
    stack: Stack,
    /// unshare(1), which waits for it.
    outside: Running,
    /// The first process, as seen from here.
    first: Process,
}

impl Container {
    fn start(text: &str, services: usize) -> Self {
        let stack = Stack::new(text);
        let up = stack.command("up --foreground");
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        unshare.arg(up.get_program()).args(up.get_args()).current_dir(stack.folder());
        unshare.envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let outside = Running::start("unshare".to_owned(), unshare);
        let first = wait_for("the first process", || {
            let children = format!("/proc/{0}/task/{0}/children", outside.pid());
            let pid = std::fs::read_to_string(children).ok()?;
            Process::get(pid.trim().parse().ok()?).filter(|it| it.command.contains("foreground"))
        });
        let ready = format!("{services} service");
        eventually("the start", || outside.err().contains(&ready));
        Self { stack, outside, first }
    }

    /// What a shell says in there.
    fn shell(&self, script: &str) -> String {
        let mut enter = Command::new("nsenter");
        // It enters the file system at its root.
        let script = format!("cd {}; {script}", self.stack.folder().display());
        enter.args(["-p", "-m", "-t", &self.first.pid.to_string(), "sh", "-c", &script]);
        let up = self.stack.command("");
        enter.envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let said = enter.output().expect("nsenter");
        assert!(said.stderr.is_empty(), "{script}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text")
    }

    /// The zombies in there, by name.
    fn zombies(&self) -> String {
        self.shell("grep -sl '^State:.Z' /proc/[0-9]*/status | xargs -r grep -sh ^Name:")
    }

    /// Orphans of somebody else end, some at once.
    fn orphans_end(&self) {
        self.shell("(sleep 0.1) & (exit 3) & (sleep 0.05; exec true) & exit");
        // As long as one lives it is no zombie.
        eventually("the end of all", || self.shell("pgrep -x sleep; true").is_empty());
        eventually("nothing to reap", || self.zombies().is_empty());
    }

    /// Stops it by this signal to the first process.
    fn stop(self, signal: Signal) {
        self.first.signal(signal);
        self.outside.ends().exits(0).says("0 processes, 0 ports");
        assert!(self.stack.left_soon().is_empty());
    }
}

const TWO: &str = r#"
    service "a" { shell "while sleep 0.05; do :; done" }
    service "b" { run "@testbed" }
"#;

#[test]
fn as_root_whatever_ends_in_its_namespace_is_reaped() {
    if !root_for("it makes a namespace of processes") {
        return;
    }
    let container = Container::start(TWO, 2);
    container.orphans_end();
    container.stop(Signal::TERM);
}

#[test]
fn as_root_whatever_ends_is_reaped_after_the_keeper_was_killed_too() {
    if !root_for("it makes a namespace of processes") {
        return;
    }
    let container = Container::start(TWO, 2);
    let keeper = container.stack.keeper_by_lock().and_then(Process::get).expect("a keeper");
    keeper.kill();
    wait_for("another keeper", || container.stack.keeper_by_lock().filter(|it| *it != keeper.pid));
    container.orphans_end();
    // Its services are children of the first process by now.
    let restarted = container.shell("stackrun restart -q b && stackrun status --json");
    assert!(restarted.contains(r#""state": "ready""#), "{restarted}");
    eventually("nothing to reap", || container.zombies().is_empty());
    container.stop(Signal::INT);
}

#[test]
fn as_root_a_command_that_fails_is_told_by_its_status() {
    if !root_for("it makes a namespace of processes") {
        return;
    }
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    let down = stack.command("why nobody");
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc"]).arg(down.get_program());
    unshare.args(down.get_args()).current_dir(stack.folder());
    Running::start("unshare".to_owned(), unshare).ends().exits(2).says("nobody");
}
