//! What cannot be ended stays known until it has ended.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
};

use rustix::process::Signal;

use crate::support::{Process, Ran, Running, Stack, eventually, root_for, testbed};

/// Two users without a name and without any rights.
const USER: u32 = 61_001;
const OTHER: u32 = 61_002;

/// A stack of an ordinary user, in whose folder `./suid` is the helper as another one.
struct OfUser(Stack);

impl OfUser {
    fn new(text: &str) -> Self {
        let stack = Stack::new(text);
        let suid = stack.path("suid");
        fs::copy(testbed(), &suid).expect("the helper");
        chown(&suid, Some(OTHER), Some(OTHER)).expect("another owner");
        set_mode(&suid, 0o4755);
        for path in [stack.folder().to_owned(), stack.path("stack.kdl")] {
            chown(&path, Some(USER), Some(USER)).expect("another owner");
        }
        set_mode(&stack.folder().to_owned(), 0o755);
        Self(stack)
    }

    #[track_caller]
    fn run(&self, line: &str) -> Ran {
        let mut command = self.0.command(line);
        command.uid(USER).gid(USER).env("HOME", "/");
        Running::start(format!("{line} by an ordinary user"), command).ends()
    }

    /// The process that cannot be ended.
    fn stubborn(&self) -> Process {
        let pid = || self.0.read("pid").trim().parse().ok();
        let is_it = |process: &Process| {
            let status = fs::read_to_string(format!("/proc/{}/status", process.pid));
            status.is_ok_and(|status| status.contains(&format!("Uid:\t{OTHER}\t")))
        };
        let found = || pid().and_then(Process::get).filter(is_it);
        eventually("the process", || found().is_some());
        found().expect("the process")
    }

    fn keeper(&self) -> Process {
        let keeper = self.0.keeper_by_lock().and_then(Process::get);
        keeper.expect("a keeper")
    }

    fn kill_both(&self) {
        let keeper = self.keeper();
        let supervisor = self.supervisor(&keeper);
        supervisor.signal(Signal::STOP);
        keeper.kill();
        supervisor.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    }

    fn supervisor(&self, keeper: &Process) -> Process {
        let mut found = None;
        eventually("a supervisor", || {
            let ran = self.run("status --json");
            let status = serde_json::from_str::<serde_json::Value>(&ran.out).unwrap_or_default();
            let pid = status["supervisor"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            found = pid.and_then(Process::get);
            found.as_ref().and_then(Process::parent).is_some_and(|parent| parent.pid == keeper.pid)
        });
        found.expect("a supervisor")
    }

    /// `down` fails, and says who is left and why.
    #[track_caller]
    fn is_not_down(&self, left: &Process) {
        let reason = format!("user {OTHER}: user {USER} may not end it");
        self.run("down").exits(1).says(&format!("{} ./suid", left.pid)).says(&reason);
        assert!(left.lives());
    }

    /// Ends what could not be ended, as only its own user or root can.
    fn end(&self, left: &Process) {
        left.kill();
        eventually("the keeper's end", || self.0.keeper_by_lock().is_none());
        self.run("down").exits(0).says("0 processes, 0 ports");
        self.run("status").exits(3);
    }
}

impl Drop for OfUser {
    /// The next `down` is to find nothing that cannot be ended. What is setuid belongs to root in
    /// `/proc`.
    fn drop(&mut self) {
        for uid in [0, OTHER] {
            Process::of_user(uid, self.0.folder()).iter().for_each(Process::kill);
        }
    }
}

fn set_mode(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
}

const CHILD: &str = r#"
    defaults { stop grace="200ms" }
    service "x" { shell "./suid become stubborn & echo $! > pid; exec @testbed lock x.lock" }
    service "y" { run "@testbed lock y.lock" }
"#;

#[test]
fn as_root_a_setuid_child_that_cannot_be_ended_stays_known() {
    if !root_for("it makes a setuid program") {
        return;
    }
    let stack = OfUser::new(CHILD);
    stack.run("up").exits(0);
    let left = stack.stubborn();
    stack.is_not_down(&left);
    let pid = left.pid.to_string();
    // Whoever asks is told, and nothing is doubled.
    stack.run("status").exits(3).says(&pid);
    stack.run("why x").exits(0).says(&pid);
    stack.run("events").exits(0).says(&format!("cannot be ended: {pid}"));
    let ls = stack.run("ls").exits(0).says(&stack.0.folder().display().to_string());
    ls.says("stopping").says("1 process left");
    stack.run("up x").exits(1).says("x could not be stopped").says(&pid);
    stack.run("up y").exits(0);
    stack.is_not_down(&left);
    stack.kill_both();
    stack.is_not_down(&left);
    stack.run("up x").exits(1).says(&pid);
    stack.run("down x").exits(1).says(&pid);
    assert_eq!(stack.0.read("x.lock.violations") + &stack.0.read("y.lock.violations"), "");
    stack.end(&left);
}

#[test]
fn as_root_a_setuid_daemon_with_an_environment_that_may_not_be_seen_stays_known() {
    if !root_for("it makes a setuid program") {
        return;
    }
    // No parent, no session, no pipe, and an environment that may not be seen.
    let stack = OfUser::new(
        r#"
        defaults { stop grace="200ms" }
        service "x" {
            shell "(setsid sh -c 'echo $$ > pid; exec ./suid become stubborn' </dev/null >/dev/null 2>&1 &); exec @testbed"
        }
        "#,
    );
    stack.run("up").exits(0);
    let left = stack.stubborn();
    let keeper = stack.keeper();
    stack.is_not_down(&left);
    assert!(keeper.lives(), "who knew of it is gone");
    stack.run("status").says(&left.pid.to_string());
    for _ in 0..2 {
        // Its tag tells whose it is: it is not doubled.
        stack.run("up").exits(1).says("x could not be stopped").says(&left.pid.to_string());
        stack.is_not_down(&left);
        stack.kill_both();
    }
    stack.is_not_down(&left);
    stack.end(&left);
}

#[test]
fn as_root_what_cannot_be_looked_at_is_no_proof() {
    if !root_for("it makes a setuid program") {
        return;
    }
    let stack = OfUser::new(CHILD);
    stack.run("up").exits(0);
    let left = stack.stubborn();
    stack.kill_both();
    for process in Process::of_user(USER, stack.0.folder()) {
        process.kill();
        eventually("its end", || !process.lives());
    }
    // Its own alone: other tests have this user, too.
    let own = format!("stackrun-{USER}/{}", stack.0.places().id);
    let places = ["/dev/shm", "/tmp"].map(|base| PathBuf::from(base).join(&own));
    places.iter().filter(|place| place.exists()).for_each(|place| {
        fs::remove_dir_all(place).expect("the stack's runtime folder");
    });
    // Nothing that can be seen is left, and what is left has nothing that tells whose it is.
    stack.run("down").exits(0).says("not ruled out").says(&left.pid.to_string());
    stack.run("down").exits(0).says("not ruled out").says(&left.pid.to_string());
    left.kill();
    eventually("its end", || !left.lives());
    let ran = stack.run("down").exits(0);
    assert!(!ran.err.contains(&left.pid.to_string()), "{ran:#?}");
}

#[test]
fn as_root_services_of_another_users_stack_are_not_in_doubt() {
    if !root_for("it is two users") {
        return;
    }
    let text = r#"service "a" { run "@testbed lock a.lock" }"#;
    let (own, other) = (Stack::of_user(USER, text), Stack::of_user(OTHER, text));
    for stack in [&own, &other] {
        stack.start("up").ends().exits(0);
    }
    let theirs = other.process("a");
    own.kill_both();
    // It was started by another keeper, so that all processes are looked at.
    for _ in 0..2 {
        let ran = own.start("down").ends().exits(0);
        let names_it = |text: &str| text.contains(&format!(" {} ", theirs.pid));
        assert!(!names_it(&ran.out) && !names_it(&ran.err), "{ran:#?}");
    }
    assert!(theirs.lives());
}
