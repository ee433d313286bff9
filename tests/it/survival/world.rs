//! The world around the stack breaks: folders vanish, disks fill, machines freeze. The services
//! live on, and `status` and `down` work.

use std::{fs, path::Path};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount},
    process::{Pid, Resource, Rlimit, Signal, prlimit},
};

use crate::support::{Process, Stack, eventually, may_mount};

const TWO: &str = r#"
    service "db"  { run "@testbed listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed lock api.lock tick 2" }
"#;

fn pids(stack: &Stack) -> [u32; 2] {
    ["db", "api"].map(|name| stack.pid(name))
}

/// `status` and `down` work, and what ran runs.
#[track_caller]
fn lives_on(stack: &Stack, before: [u32; 2]) {
    assert_eq!(pids(stack), before);
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    assert_eq!(pids(stack), before);
    stack.run("restart api").exits(0);
    assert_eq!(stack.read("api.lock.violations"), "");
}

/// How often a notice was given.
fn notices(stack: &Stack, text: &str) -> usize {
    let events = stack.run("events").exits(0).out;
    events.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_state_folder_that_vanishes_costs_the_old_logs_and_nothing_else() {
    let stack = Stack::new(TWO);
    stack.up();
    let before = pids(&stack);
    fs::remove_dir_all(stack.path(".stackrun")).expect("it is removed");
    lives_on(&stack, before);
    eventually("new lines", || stack.run("logs api --raw").out.contains("line "));
    stack.down();
}

#[test]
fn a_runtime_folder_that_vanishes_is_made_anew() {
    let stack = Stack::new(TWO);
    stack.up();
    let before = pids(&stack);
    for _ in 0..2 {
        // In one step: file by file it would be made anew meanwhile. So it stays on its file
        // system, which may be another one than that of the stack.
        let runtime = stack.places().runtime;
        let beside = runtime.ancestors().nth(2).expect("where the folder of all stacks is");
        let away = tempfile::tempdir_in(beside).expect("a folder");
        fs::rename(&runtime, away.path().join("away")).expect("it is moved away");
        lives_on_after_both_are_killed(&stack, before);
    }
    assert_eq!(stack.read("api.lock.violations"), "");
    stack.run("restart api").exits(0);
    stack.down();
}

#[track_caller]
fn lives_on_after_both_are_killed(stack: &Stack, before: [u32; 2]) {
    assert_eq!(pids(stack), before);
    eventually("a word about it", || notices(stack, "was removed and has been recreated") > 0);
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    keeper.kill();
    supervisor.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    assert_eq!(pids(stack), before);
    // Its pipe has no name any more, and is read nevertheless.
    let lines = || stack.run("logs api --raw").exits(0).out.lines().count();
    let had = lines();
    eventually("more lines", || lines() > had);
}

/// A file system of its own at a folder, as long as it lives.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn tmpfs(at: &'a Path, options: &std::ffi::CStr) -> Self {
        mount("stackrun-test", at, "tmpfs", MountFlags::empty(), options).expect("a mount");
        Self(at)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = unmount(self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn as_root_a_full_disk_stops_no_service() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(TWO);
    let state = stack.path(".stackrun");
    fs::create_dir(&state).expect("a folder");
    let mounted = Mounted::tmpfs(&state, c"size=1M,mode=755");
    stack.up();
    let before = pids(&stack);
    // The rest of the disk is somebody else's.
    let filled = fs::write(state.join("other"), vec![1; 1 << 20]);
    assert!(filled.is_err(), "the disk is full");
    eventually("a word about it", || notices(&stack, "dropping output") > 0);
    lives_on(&stack, before);
    let said = notices(&stack, "api.log: No space left");
    assert!((1..=2).contains(&said), "once for each of its two starts: {said}");
    fs::remove_file(state.join("other")).expect("there is room again");
    let log = || stack.read(".stackrun/logs/api.log").len();
    let had = log();
    eventually("the log to go on", || log() > had);
    eventually("a word about that", || notices(&stack, "bytes of output were dropped") > 0);
    stack.down();
    drop(mounted);
}

#[test]
fn as_root_a_full_inode_table_stops_no_service() {
    if !may_mount() {
        return;
    }
    let mut text = TWO.to_owned();
    text += r#"service "late" { autostart #false; run "@testbed tick 2" }"#;
    let stack = Stack::new(&text);
    let state = stack.path(".stackrun");
    fs::create_dir(&state).expect("a folder");
    let mounted = Mounted::tmpfs(&state, c"nr_inodes=40,mode=755");
    stack.up();
    let before = pids(&stack);
    let mut others = (0..).map(|number| state.join(format!("other-{number}")));
    let taken = others.find(|path| fs::write(path, "").is_err()).expect("no room for more");
    assert!(!taken.exists());
    lives_on(&stack, before);
    // It has no log yet, and there is no room for one.
    stack.run("up late").exits(0);
    eventually("a word about it", || notices(&stack, "late.log: No space left") > 0);
    assert_eq!(stack.state("late"), "ready");
    for number in 0..3 {
        fs::remove_file(state.join(format!("other-{number}"))).expect("there is room again");
    }
    eventually("its log", || stack.run("logs late --raw").out.contains("line "));
    assert_eq!(notices(&stack, "late.log: No space left"), 1);
    stack.down();
    drop(mounted);
}

#[test]
fn as_root_a_read_only_folder_stops_no_service() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(r#"service "db" { run "@testbed listen {{port}}"; port @0 }"#);
    let text = stack.read("stack.kdl");
    let mounted = Mounted::tmpfs(stack.folder(), c"size=1M,mode=755");
    stack.put("stack.kdl", &text);
    mount_remount(stack.folder(), MountFlags::RDONLY, c"").expect("it is read-only");
    stack.up();
    let before = stack.pid("db");
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    assert_eq!(stack.pid("db"), before);
    stack.run("restart db").exits(0);
    stack.down();
    drop(mounted);
    stack.put("stack.kdl", &text);
}

/// Soft and hard limit of open files of a process.
fn limits(process: &Process) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{}/limits", process.pid)).expect("its limits");
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut numbers = line.expect("the limit").split_whitespace().map(|word| word.parse().ok());
    let mut next = || numbers.next().flatten().expect("a number");
    (next(), next())
}

fn set_limits(process: &Process, (soft, hard): (u64, u64)) {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let limits = Rlimit { current: Some(soft), maximum: Some(hard) };
    prlimit(pid, Resource::Nofile, limits).expect("its limits are set");
}

#[test]
fn without_descriptors_the_services_live_on() {
    let stack = Stack::new(TWO);
    stack.up();
    let before = pids(&stack);
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let before_limits = limits(&keeper);
    set_limits(&keeper, (4, before_limits.1));
    supervisor.kill();
    eventually("its end", || !supervisor.lives());
    assert!(before.iter().all(|pid| crate::support::alive(*pid)));
    set_limits(&keeper, before_limits);
    assert_eq!(pids(&stack), before);
    stack.run("restart api").exits(0);
    stack.down();
}

#[test]
fn a_supervisor_that_was_frozen_fails_nobody_for_what_it_missed() {
    let stack = Stack::new(
        r#"
        service "slow" {
            run "@testbed"
            ready within="2s" { shell "test -e go" }
            alive every="100ms" failures=2 { shell "test -e go || test ! -e ready" }
            restart "never"
        }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("slow", "starting");
    let supervisor = stack.supervisor();
    supervisor.signal(Signal::STOP);
    // It becomes ready in time, and nobody looks.
    stack.put("go", "");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    supervisor.signal(Signal::CONT);
    up.ends().exits(0);
    assert_eq!(stack.state("slow"), "ready");
    supervisor.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(1));
    supervisor.signal(Signal::CONT);
    assert_eq!(stack.state("slow"), "ready");
    assert_eq!(stack.supervisor().pid, supervisor.pid);
}
