//! Logins and logouts, sweeps and full disks: the places for what lives as long as a keeper come
//! and go, and the stack stays the same.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{Process, Ran, Running, Stack, alive, eventually, may_mount, root_for};

const ONE: &str = r#"service "a" { run "@testbed lock a.lock tick 2" }"#;

/// A namespace of mounts of its own, as long as it lives.
struct Machine<'a> {
    stack: &'a Stack,
    /// Who keeps it.
    holder: Child,
}

impl<'a> Machine<'a> {
    fn new(stack: &'a Stack) -> Self {
        let mut holder = Command::new("unshare");
        holder.args(["--mount", "sh", "-c", "echo made; exec sleep 3600"]);
        let mut holder = holder.stdout(Stdio::piped()).spawn().expect("unshare starts");
        // It has its namespace once it says a word.
        let mut word = [0; 5];
        let mut stdout = holder.stdout.take().expect("a pipe");
        std::io::Read::read_exact(&mut stdout, &mut word).expect("a namespace");
        Self { stack, holder }
    }

    /// A program there, in the stack's folder.
    fn program(&self, program: &str) -> Command {
        let mut command = self.stack.program("nsenter");
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        let folder = format!("--wd={}", self.stack.folder().display());
        command.args([&namespace, &folder, program]);
        command
    }

    /// Runs `stackrun LINE` there.
    #[track_caller]
    fn run(&self, line: &str) -> Ran {
        let mut command = self.program(env!("CARGO_BIN_EXE_stackrun"));
        command.args(line.split_whitespace());
        Running::start(format!("stackrun {line} there"), command).ends()
    }

    #[track_caller]
    fn shell(&self, script: &str) {
        let mut command = self.program("sh");
        command.args(["-ec", script]);
        Running::start(script.to_owned(), command).ends().exits(0);
    }

    /// As pam_systemd(8) does it.
    fn log_in(&self) {
        self.shell("mkdir -p /run/user/0; mount -t tmpfs -o mode=700 t /run/user/0");
    }

    fn log_out(&self) {
        self.shell("umount -l /run/user/0; rmdir /run/user/0");
    }

    #[track_caller]
    fn pid(&self) -> u32 {
        let status = self.run("status --json").exits(0).out;
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        let pid = status["services"][0]["pid"].as_u64().expect("a process");
        u32::try_from(pid).expect("a pid")
    }

    /// Every command means the stack that runs, and none takes longer than it has to.
    #[track_caller]
    fn is_as_it_was(&self, pid: u32) {
        assert_eq!(self.pid(), pid);
        self.run("up").exits(0);
        assert_eq!(self.pid(), pid);
        let folder = self.stack.folder().display().to_string();
        self.run("ls").exits(0).says(&folder).says("ready");
        let doctor = self.run("doctor");
        assert!(!doctor.out.contains(&pid.to_string()), "{doctor:#?}");
    }

    /// Kills keeper and supervisor.
    #[track_caller]
    fn kill_both(&self) {
        let keeper = self.stack.keeper_by_lock().and_then(Process::get).expect("a keeper");
        let status: serde_json::Value =
            serde_json::from_str(&self.run("status --json").out).expect("JSON");
        let pid = status["supervisor"]["pid"].as_u64().expect("a supervisor");
        let supervisor = Process::get(u32::try_from(pid).expect("a pid")).expect("it runs");
        keeper.signal(Signal::STOP);
        supervisor.kill();
        keeper.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    }

    #[track_caller]
    fn ends_well(&self) {
        self.run("down").exits(0);
        assert!(self.stack.left_soon().is_empty());
        assert_eq!(self.stack.read("a.lock.violations"), "");
        let left = ["/run/user/0/stackrun", "/dev/shm/stackrun-0", "/tmp/stackrun-0"];
        let id = self.stack.places().id;
        for folder in left {
            self.shell(&format!("test ! -e {folder}/{id}"));
        }
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn as_root_a_stack_outlives_the_login_that_it_was_started_in() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(ONE);
    let machine = Machine::new(&stack);
    machine.shell("mount -t tmpfs t /run");
    machine.log_in();
    machine.run("up").exits(0);
    machine.shell("ls /run/user/0/stackrun/*/units");
    let pid = machine.pid();
    machine.log_out();
    machine.is_as_it_was(pid);
    machine.log_in();
    machine.is_as_it_was(pid);
    machine.kill_both();
    machine.is_as_it_was(pid);
    machine.log_out();
    machine.kill_both();
    machine.is_as_it_was(pid);
    machine.run("restart").exits(0);
    assert!(!alive(pid));
    machine.ends_well();
}

#[test]
fn as_root_a_login_after_the_start_changes_nothing() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(ONE);
    let machine = Machine::new(&stack);
    machine.shell("mount -t tmpfs t /run");
    machine.run("up").exits(0);
    let pid = machine.pid();
    machine.log_in();
    machine.is_as_it_was(pid);
    machine.kill_both();
    machine.is_as_it_was(pid);
    machine.log_out();
    machine.is_as_it_was(pid);
    machine.ends_well();
}

#[test]
fn as_root_the_folder_is_found_in_any_place_when_both_were_killed() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(ONE);
    let machine = Machine::new(&stack);
    machine.shell("mount -t tmpfs t /run");
    machine.log_in();
    machine.run("up").exits(0);
    let pid = machine.pid();
    // It is made anew in another place, and both are killed; the first place is there again.
    machine.log_out();
    eventually("another place", || {
        let other = Path::new("/dev/shm/stackrun-0").join(stack.places().id.to_string());
        other.join("units").exists()
    });
    machine.kill_both();
    machine.log_in();
    machine.is_as_it_was(pid);
    machine.ends_well();
}

#[test]
fn as_root_where_no_inode_is_free_another_place_is_taken() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock tick 2" }
        service "b" { autostart #false; run "@testbed tick 2" }
        "#,
    );
    let machine = Machine::new(&stack);
    machine.shell("mount -t tmpfs t /run; mount -t tmpfs -o nr_inodes=2,mode=1777 t /dev/shm");
    machine.shell("touch /dev/shm/full; ! touch /dev/shm/more 2>/dev/null");
    machine.run("up").exits(0);
    let pid = machine.pid();
    machine.is_as_it_was(pid);
    machine.kill_both();
    machine.is_as_it_was(pid);
    machine.run("down").exits(0);
    // It fills up while the stack runs.
    machine.shell("umount /dev/shm; mount -t tmpfs -o nr_inodes=20,mode=1777 t /dev/shm");
    machine.run("up").exits(0);
    let pid = machine.pid();
    machine.shell("i=0; while touch /dev/shm/$i 2>/dev/null; do i=$((i+1)); done");
    machine.run("restart a").exits(0);
    assert!(!alive(pid));
    machine.run("up b").exits(0);
    eventually("its log", || machine.run("logs b --raw").out.contains("line 0"));
    machine.kill_both();
    machine.run("status").exits(0);
    let lines = || machine.run("logs b --raw").out.lines().count();
    let had = lines();
    eventually("its log to go on", || lines() > had);
    machine.ends_well();
}

#[test]
fn as_root_another_users_folder_in_our_name_is_in_nobodys_way() {
    if !may_mount() {
        return;
    }
    let stack = Stack::new(ONE);
    let machine = Machine::new(&stack);
    machine.shell("mount -t tmpfs t /run; mount -t tmpfs -o mode=1777 t /dev/shm");
    machine.shell("mkdir -m 777 /dev/shm/stackrun-0; chown 65534 /dev/shm/stackrun-0");
    machine.run("up").exits(0);
    let pid = machine.pid();
    machine.is_as_it_was(pid);
    machine.kill_both();
    machine.is_as_it_was(pid);
    machine.shell("test -z \"$(ls -A /dev/shm/stackrun-0)\"");
    machine.ends_well();
}

/// A user who is nobody else here.
const USER: u32 = 63_217;

#[test]
fn as_root_a_umask_that_forbids_everything_spoils_nothing() {
    if !root_for("it is another user") {
        return;
    }
    // Its own files would be closed to itself.
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    fs::set_permissions(stack.folder(), fs::Permissions::from_mode(0o755)).expect("its mode");
    let own = stack.path("own");
    fs::create_dir(&own).expect("a folder");
    fs::rename(stack.path("stack.kdl"), own.join("stack.kdl")).expect("its file");
    std::os::unix::fs::chown(&own, Some(USER), Some(USER)).expect("its owner");
    let run = |script: &str| {
        let mut shell = stack.program("sh");
        shell.args(["-c", script]).current_dir(&own).uid(USER).gid(USER).env("HOME", &own);
        Running::start(script.to_owned(), shell).ends()
    };
    // The folder for what lasts is not what this is about.
    run("mkdir -p .stackrun/logs").exits(0);
    run("umask 777; stackrun up").exits(0);
    run("stackrun status").exits(0);
    run("umask 777; stackrun restart").exits(0);
    let keeper = Process::of(&format!("HOME={}", own.display()), &own, USER);
    let keepers = keeper.iter().filter(|process| process.command.starts_with("stackrun"));
    keepers.for_each(Process::kill);
    run("stackrun up").exits(0);
    run("stackrun down").exits(0);
    run("stackrun up").exits(0);
    run("stackrun down").exits(0).says("0 processes");
    assert!(stack.left_soon().is_empty());
}

#[test]
fn a_swept_runtime_folder_costs_nothing_though_both_are_killed_later() {
    let stack = Stack::new(ONE);
    stack.up();
    let pid = stack.pid("a");
    for _ in 0..2 {
        let runtime = stack.places().runtime;
        let before = stack.places().runtime.join("units");
        let which = |path: &Path| fs::metadata(path).map(|data| data.ino()).ok();
        let known = which(&before);
        // It may be made anew while it is being removed.
        let _made = fs::remove_dir_all(&runtime);
        eventually("a new one", || {
            let now = which(&stack.places().units());
            now.is_some() && now != known
        });
        // The record alone.
        fs::remove_file(stack.places().units()).expect("it is removed");
        eventually("a new one", || stack.places().units().exists());
        let supervisor = stack.supervisor();
        let keeper = supervisor.parent().expect("the keeper");
        keeper.signal(Signal::STOP);
        supervisor.kill();
        keeper.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
        assert_eq!(stack.pid("a"), pid);
    }
    stack.down();
}
