//! Who does not answer is told of as what it is, soon, with advice that helps.

use std::{
    fs,
    os::unix::{net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    Process, Ran, Running, Stack, eventually, may_make_networks, may_trace, root_for,
};

const ONE: &str = r#"stack "obstacle"; service "a" { run "@testbed lock a.lock" }"#;

/// No sentence takes longer to be said, on a machine that is busy.
const SOON: Duration = Duration::from_secs(6);
/// A user without any rights, on every Linux.
const NOBODY: u32 = 65534;

/// What `stackrun LINE` says soon.
#[track_caller]
fn soon(stack: &Stack, line: &str) -> Ran {
    let began = Instant::now();
    let ran = stack.run(line);
    assert!(began.elapsed() < SOON, "`{line}` took {:?}: {ran:#?}", began.elapsed());
    ran
}

/// The command in what was said that begins so, as a person would copy it.
#[track_caller]
fn advice(ran: &Ran, begin: &str) -> String {
    let text = format!("{}{}", ran.out, ran.err);
    let at = text.find(&format!("`{begin}")).unwrap_or_else(|| panic!("no `{begin}: {ran:#?}"));
    let command = &text[at + 1..];
    command[..command.find('`').expect("its end")].replace('\n', " ")
}

#[track_caller]
fn follow(stack: &Stack, command: &str) {
    let mut shell = stack.program("/bin/sh");
    shell.args(["-c", command]);
    Running::start(command.to_owned(), shell).ends().exits(0);
}

fn keeper(stack: &Stack) -> Process {
    stack.keeper_by_lock().and_then(Process::get).expect("a keeper")
}

#[test]
fn a_stopped_supervisor_is_named_and_the_advice_helps() {
    let stack = Stack::new(ONE);
    stack.up();
    let (pid, supervisor) = (stack.pid("a"), stack.supervisor());
    supervisor.signal(Signal::STOP);
    let said = format!("the stack's supervisor is stopped: process {} (", supervisor.pid);
    let by_name = format!("--stack {} down", stack.places().id);
    for line in ["status", "up", "down", "restart", "why a", &by_name] {
        let ran = soon(&stack, line).exits(1).says(&said).says(&supervisor.command);
        assert_eq!(advice(&ran, "kill"), format!("kill -CONT {}", supervisor.pid));
        assert!(!ran.err.contains("kill -9"), "{ran:#?}");
    }
    let ls = soon(&stack, "ls").exits(0).says("not answering").says(&said);
    let doctor = soon(&stack, "doctor").exits(1).says(&said);
    assert!(!doctor.out.contains(&format!("(pid {pid}")), "it is no leftover: {doctor:#?}");
    follow(&stack, &advice(&ls, "kill"));
    assert_eq!(stack.pid("a"), pid);
    stack.down();
}

#[test]
fn a_stopped_keeper_is_named_and_the_advice_helps() {
    let stack = Stack::new(ONE);
    stack.up();
    let (pid, keeper) = (stack.pid("a"), keeper(&stack));
    keeper.signal(Signal::STOP);
    let said = format!("the stack's keeper is stopped: process {} (", keeper.pid);
    soon(&stack, "status").exits(0).says(&said);
    soon(&stack, "ls").exits(0).says(&said);
    soon(&stack, "doctor").exits(1).says(&said);
    let began = Instant::now();
    let down = stack.run("down").exits(1).says(&said);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    follow(&stack, &advice(&down, "kill"));
    assert!(!down.err.contains("kill -9"), "{down:#?}");
    stack.down();
    assert!(!crate::support::alive(pid));
}

#[test]
fn a_keeper_in_a_debugger_is_told_from_a_stopped_one() {
    if !may_trace() {
        return;
    }
    let stack = Stack::new(ONE);
    stack.up();
    let keeper = keeper(&stack);
    let traced = crate::support::Traced::seize(&keeper).expect("it is there");
    soon(&stack, "status").exits(0).says("is stopped by a debugger").says("held by process");
    traced.release();
    stack.down();
}

/// A cgroup of its own, as long as it lives, in which what it holds stands still.
struct Freezer {
    folder: PathBuf,
    /// The file that freezes and thaws it, and what is written there for that.
    file: &'static str,
    words: [&'static str; 2],
}

/// A kind of mount, the file that freezes one of its groups, and how that is frozen and thawed.
const FREEZERS: [(&str, &str, [&str; 2]); 2] = [
    (" - cgroup2 ", "cgroup.freeze", ["1", "0"]),
    ("freezer", "freezer.state", ["FROZEN", "THAWED"]),
];

impl Freezer {
    /// `None` where this kind cannot be had.
    fn around(
        processes: &[&Process],
        (mount, file, words): (&str, &'static str, [&'static str; 2]),
    ) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let line = mounts.lines().find(|line| line.contains(mount))?;
        let folder = Path::new(line.split(' ').nth(4)?);
        let folder = folder.join(format!("stackrun-test-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let freezer = Self { folder, file, words };
        for process in processes {
            fs::write(freezer.folder.join("cgroup.procs"), process.pid.to_string()).ok()?;
        }
        fs::write(freezer.folder.join(file), words[0]).ok()?;
        Some(freezer)
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = fs::write(self.folder.join(self.file), self.words[1]);
        eventually("an empty cgroup", || fs::remove_dir(&self.folder).is_ok());
    }
}

#[test]
fn as_root_a_frozen_cgroup_is_named_and_the_advice_helps() {
    if !root_for("it makes a cgroup") {
        return;
    }
    let mut tried = 0;
    for kind in FREEZERS {
        let stack = Stack::new(ONE);
        stack.up();
        let pid = stack.pid("a");
        let both = [&keeper(&stack), &stack.supervisor()];
        let Some(freezer) = Freezer::around(&both, kind) else { continue };
        let ran = soon(&stack, "status").exits(1).says("is frozen with its cgroup");
        soon(&stack, "ls").exits(0).says("is frozen with its cgroup");
        follow(&stack, &advice(&ran, &format!("echo {}", kind.2[1])));
        assert_eq!(stack.pid("a"), pid);
        stack.down();
        drop(freezer);
        tried += 1;
    }
    assert!(tried > 0, "no cgroup can be frozen here");
}

#[test]
fn a_keeper_that_died_beside_a_stopped_supervisor_is_succeeded() {
    let stack = Stack::new(ONE);
    stack.up();
    let (pid, supervisor, keeper) = (stack.pid("a"), stack.supervisor(), keeper(&stack));
    supervisor.signal(Signal::STOP);
    keeper.kill();
    eventually("its end", || !keeper.lives());
    soon(&stack, "status").exits(0);
    assert_eq!(stack.pid("a"), pid);
    // It finds that it is too late, and goes.
    supervisor.signal(Signal::CONT);
    eventually("its end", || !supervisor.lives());
    assert_eq!(stack.pid("a"), pid);
    stack.down();
    assert_eq!(stack.read("a.lock.violations"), "");
}

/// Holds the lock of the stack's folder, in a shell's own way.
fn lock(stack: &Stack, script: &str) -> Running {
    let mut shell = stack.program("sh");
    shell.args(["-c", script]);
    let running = Running::start(script.to_owned(), shell);
    eventually("the lock", || stack.keeper_by_lock().is_some());
    running
}

#[test]
fn who_has_locked_the_folder_is_named_and_the_advice_helps() {
    let stack = Stack::new(ONE);
    // Whoever has taken the lock has a child that inherits it; or has ended, and another program
    // holds its descriptor.
    for script in ["exec flock . sleep 99", "exec 9<.; flock 9; exec sleep 99"] {
        let running = lock(&stack, script);
        let holder = stack.keeper_by_lock().expect("a holder");
        let said = format!("another program has locked the stack's folder: process {holder} (");
        for line in ["status", "up", "down"] {
            let ran = soon(&stack, line).exits(1).says(&said).says("sleep 99");
            assert!(!ran.err.contains("-9"), "{ran:#?}");
        }
        let ran = soon(&stack, "up").exits(1);
        follow(&stack, &advice(&ran, "kill"));
        let _ended = running.ends();
        eventually("the lock to be free", || stack.keeper_by_lock().is_none());
        stack.up();
        stack.down();
    }
}

#[test]
fn as_root_a_stranger_who_has_locked_the_folder_is_named() {
    if !root_for("it is two users") {
        return;
    }
    let stack = Stack::new(ONE);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(stack.folder(), mode).expect("its mode");
    let mut shell = stack.program("sh");
    shell.args(["-c", "exec 9<.; flock 9; exec sleep 99"]).uid(NOBODY).gid(NOBODY);
    let mut running = Running::start("a stranger".to_owned(), shell);
    eventually("the lock", || stack.keeper_by_lock() == Some(running.pid()));
    soon(&stack, "up").exits(1).says("(sleep 99), user nobody").says("have user nobody end it");
    running.signal(Signal::KILL);
    let _ended = running.ends();
    eventually("the lock to be free", || stack.keeper_by_lock().is_none());
}

#[test]
fn as_root_a_keeper_in_another_network_is_told_of() {
    if !may_make_networks() {
        return;
    }
    let stack = Stack::new(ONE);
    stack.up();
    let keeper = keeper(&stack);
    let there = |line: &str| {
        let mut command = stack.program("unshare");
        command.args(["--net", "stackrun"]).args(line.split_whitespace());
        Running::start(format!("{line} in another network"), command).ends()
    };
    for line in ["status", "up", "down"] {
        let began = Instant::now();
        let ran = there(line).exits(1).says("in another network namespace");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        let advised = advice(&ran, "nsenter").replace('…', "status");
        assert!(advised.contains(&keeper.pid.to_string()), "{advised}");
        let mut shell = stack.program("unshare");
        shell.args(["--net", "sh", "-c", &advised]);
        Running::start(advised, shell).ends().exits(0);
    }
    let (doctor, pid) = (there("doctor"), stack.pid("a"));
    assert!(!doctor.out.contains(&pid.to_string()), "it is no leftover: {doctor:#?}");
    stack.down();
}

/// Listens under the names that are tried first, as another user.
fn squat(stack: &Stack, names: usize) -> Vec<UnixListener> {
    let control = stack.places().control();
    // The user of this thread alone changes: the C library would change that of all.
    let squatter = thread::spawn(move || {
        // SAFETY: a system call on numbers.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, -1, NOBODY, -1) };
        assert_eq!(changed, 0);
        (0..names).map(|_| control.listen().expect("a name")).collect()
    });
    squatter.join().expect("a squatter")
}

#[test]
fn as_root_names_that_another_user_has_taken_are_passed_over() {
    if !root_for("it is two users") {
        return;
    }
    for names in [1, 4, 9] {
        let stack = Stack::new(ONE);
        let squatted = squat(&stack, names);
        stack.run("status").exits(3).says("nothing is running");
        stack.up();
        let pid = stack.pid("a");
        stack.run("ls").exits(0).says("obstacle");
        stack.supervisor().kill();
        assert_eq!(stack.pid("a"), pid);
        stack.run("upgrade").exits(0);
        drop(squatted);
        assert_eq!(stack.pid("a"), pid);
        stack.down();
    }
}

#[test]
fn what_cannot_be_listed_in_time_is_listed_as_such() {
    let frozen = Stack::new(ONE);
    let beside = Stack::new(ONE);
    frozen.up();
    beside.up();
    let supervisor = frozen.supervisor();
    supervisor.signal(Signal::STOP);
    let ran = soon(&beside, "ls --json").exits(0);
    let stacks: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let stacks = stacks["stacks"].as_array().expect("stacks").clone();
    let listed = |stack: &Stack| {
        let id = stack.places().id.to_string();
        let found = stacks.iter().find(|stack| stack["id"] == id);
        let found = found.unwrap_or_else(|| panic!("no {id} in {stacks:#?}"));
        (found["name"].clone(), found["state"].clone())
    };
    assert_eq!(listed(&frozen), ("obstacle".into(), "not answering".into()));
    assert_eq!(listed(&beside), ("obstacle".into(), "ready".into()));
    supervisor.signal(Signal::CONT);
}
