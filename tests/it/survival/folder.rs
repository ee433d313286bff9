//! A stack is its folder: moved, removed, cleaned, mounted twice, whatever it is called.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::{
    mount::{UnmountFlags, mount_bind, unmount},
    process::Signal,
};
use serde_json::Value;
use stackrun::platform::StackPaths;

use crate::support::{Process, Ran, Running, Stack, alive, eventually, may_mount};

const TWO: &str = r#"
    stack "moving"
    service "db"  { run "@testbed lock db.lock listen {{port}}"; port @0 }
    service "api" {
        needs "db"
        shell "pwd -P >>{{dir}}/where; echo $DATA >>{{dir}}/where; exec @testbed lock api.lock tick 2"
        env { DATA "{{data}}" }
        restart delay="10ms"
    }
"#;

/// [`TWO`] by a name that no other stack has, and that name.
fn named(name: &str) -> (String, String) {
    let name = format!("{name}-{}", std::process::id());
    (TWO.replace("moving", &name), name)
}

/// A stack whose folder is one in that of a [`Stack`], and may go away.
struct Inner {
    stack: Stack,
    folder: PathBuf,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A scenario that failed halfway must not leave it running.
        let id = stackrun::platform::StackId::at(&self.folder).map(|id| id.to_string());
        if let (true, Ok(id)) = (std::thread::panicking(), id) {
            let _ran = self.stack.start(&format!("--stack {id} down")).ends();
        }
    }
}

impl Inner {
    fn new(text: &str, name: impl AsRef<OsStr>) -> Self {
        let stack = Stack::new(text);
        let folder = stack.folder().join(name.as_ref());
        fs::create_dir(&folder).expect("a folder");
        fs::rename(stack.path("stack.kdl"), folder.join("stack.kdl")).expect("its file");
        Self { stack, folder }
    }

    #[track_caller]
    fn run(&self, line: &str) -> Ran {
        self.stack.run_in(&self.folder, line)
    }

    fn move_to(&mut self, name: &str) -> PathBuf {
        let before = self.folder.clone();
        self.folder = self.stack.path(name);
        fs::create_dir_all(self.folder.parent().expect("a folder")).expect("a folder");
        fs::rename(&before, &self.folder).expect("it is moved");
        before
    }

    /// Removes the folder, into which the services write meanwhile.
    fn remove(&self, name: &str) {
        let path = self.folder.join(name);
        eventually("its removal", || {
            let _written_to = fs::remove_dir_all(&path);
            !path.exists()
        });
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    #[track_caller]
    fn pid(&self, name: &str) -> u32 {
        pid_in(&self.run("status --json").out, name)
    }

    #[track_caller]
    fn pids(&self) -> [u32; 2] {
        ["db", "api"].map(|name| self.pid(name))
    }

    /// `down` leaves nothing, and nothing was started twice.
    #[track_caller]
    fn ends_well(&self) {
        self.run("down").exits(0);
        assert!(self.stack.left_soon().is_empty());
        for lock in ["db.lock.violations", "api.lock.violations"] {
            assert_eq!(self.read(lock), "");
        }
    }
}

#[track_caller]
fn pid_in(status: &str, name: &str) -> u32 {
    let status: Value = serde_json::from_str(status).expect("JSON");
    let services = status["services"].as_array().expect("services");
    let service = services.iter().find(|service| service["name"] == name).expect("the service");
    let pid = service["pid"].as_u64().unwrap_or_else(|| panic!("no process: {service:#}"));
    u32::try_from(pid).expect("a pid")
}

#[test]
fn a_stack_that_was_moved_is_found_in_its_new_place() {
    let (text, name) = named("moved");
    let mut inner = Inner::new(&text, "before");
    inner.run("up").exits(0);
    let pids = inner.pids();
    let old = inner.move_to("deep/after");
    let new = inner.folder.display().to_string();
    assert_eq!(inner.pids(), pids);
    inner.run("status").exits(0);
    inner.run("why api").exits(0);
    inner.run("events").exits(0).says("ready");
    inner.run("logs").exits(0).says("line 0");
    inner.run("ls").exits(0).says(&new);
    inner.run(&format!("--stack {name} status")).exits(0);
    // The same file means the same, though every path in it has changed.
    inner.run("up").exits(0);
    inner.run("up --dry-run").exits(0);
    assert_eq!(inner.pids(), pids);
    inner.run("restart api").exits(0);
    assert_ne!(inner.pid("api"), pids[1]);
    let data = inner.folder.join(".stackrun/data/api");
    let expected = format!("{new}\n{}\n", data.display());
    eventually("a start in the new place", || inner.read("where").ends_with(&expected));
    assert!(!old.exists(), "something was made in the old place");
    inner.ends_well();
    assert!(!old.exists());
}

#[test]
fn a_crash_after_a_move_is_answered_in_the_new_place() {
    let mut inner = Inner::new(TWO, "before");
    inner.run("up").exits(0);
    let pids = inner.pids();
    let api = Process::get(pids[1]).expect("it runs");
    let old = inner.move_to("after");
    // No command comes before the end of it.
    api.kill();
    let new = format!("{}\n", inner.folder.display());
    eventually("a start in the new place", || inner.read("where").contains(&new));
    assert_eq!(inner.pid("db"), pids[0]);
    // Both are killed, and it is moved once more.
    let [keeper, supervisor] = both(&inner);
    keeper.signal(Signal::STOP);
    supervisor.kill();
    keeper.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    inner.move_to("later");
    assert_eq!(inner.pid("db"), pids[0]);
    inner.run("up").exits(0);
    assert!(!old.exists());
    inner.ends_well();
}

/// The keeper and the supervisor.
fn both(inner: &Inner) -> [Process; 2] {
    let status: Value = serde_json::from_str(&inner.run("status --json").out).expect("JSON");
    let pid = status["supervisor"]["pid"].as_u64().expect("a supervisor");
    let supervisor = Process::get(u32::try_from(pid).expect("a pid"));
    let supervisor = supervisor.expect("it runs");
    let keeper = supervisor.parent().expect("the keeper");
    [keeper, supervisor]
}

#[test]
fn a_stack_whose_folder_was_removed_is_listed_and_can_be_stopped() {
    let (text, name) = named("removed");
    let inner = Inner::new(&text, "gone");
    inner.run("up").exits(0);
    let pids = inner.pids();
    let [_, supervisor] = both(&inner);
    inner.remove("");
    let run = |line: &str| inner.stack.run(line);
    let named = |line: &str| run(&format!("--stack {name} {line}"));
    run("ls").exits(0).says(&inner.folder.display().to_string()).says("its folder is gone");
    let status = named("status --json").exits(0);
    assert_eq!(["db", "api"].map(|name| pid_in(&status.out, name)), pids);
    named("why api").exits(0);
    named("logs").exits(0);
    // Whoever decides may change meanwhile.
    supervisor.kill();
    eventually("another supervisor", || named("status").code == 0);
    assert!(pids.iter().all(|pid| alive(*pid)));
    assert!(!inner.folder.exists(), "the folder was made anew");
    named("down").exits(0);
    assert!(inner.stack.left_soon().is_empty());
    assert!(!inner.folder.exists());
    named("down").exits(2);
}

#[test]
fn a_removed_folder_does_not_stand_for_the_one_that_has_its_name_now() {
    let (text, name) = named("twice");
    let inner = Inner::new(&text, "same");
    let file = inner.read("stack.kdl");
    inner.run("up").exits(0);
    let pids = inner.pids();
    inner.remove("");
    fs::create_dir(&inner.folder).expect("another one");
    fs::write(inner.folder.join("stack.kdl"), file).expect("its file");
    inner.run("status").exits(3).says("nothing is running");
    inner.run("down").exits(0);
    assert!(pids.iter().all(|pid| alive(*pid)), "it was another stack's");
    let listed = inner.run("ls --json").exits(0).out;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let stacks = listed["stacks"].as_array().expect("stacks");
    let old = stacks.iter().find(|stack| stack["name"] == name).expect("the old one");
    let id = old["id"].as_str().expect("its identity");
    inner.run(&format!("--stack {id} down")).exits(0);
    assert!(inner.stack.left_soon().is_empty());
}

#[test]
fn a_folder_that_was_cleaned_still_is_the_stack() {
    let inner = Inner::new(TWO, "cleaned");
    inner.run("up").exits(0);
    let pids = inner.pids();
    let below = inner.folder.join("src/deep");
    fs::create_dir_all(&below).expect("a folder");
    let text = inner.read("stack.kdl");
    fs::remove_file(inner.folder.join("stack.kdl")).expect("it is removed");
    inner.remove(".stackrun");
    // Of a stack above it nothing is meant.
    inner.stack.put("stack.kdl", "service \"above\" { run \"sleep 600\" }");
    for folder in [&inner.folder, &below] {
        let status = inner.stack.run_in(folder, "status --json").exits(0);
        assert_eq!(["db", "api"].map(|name| pid_in(&status.out, name)), pids);
        inner.stack.run_in(folder, "up").exits(2).says("there is no file");
    }
    inner.stack.run_in(&below, "down").exits(0);
    assert!(inner.stack.left_soon().is_empty());
    inner.stack.run_in(&below, "status").exits(3).says("nothing is running");
    fs::write(inner.folder.join("stack.kdl"), text).expect("it is back");
    inner.run("up").exits(0);
    inner.ends_well();
}

#[test]
fn what_was_killed_in_a_cleaned_or_removed_folder_is_found_and_stopped() {
    for removed in [false, true] {
        let inner = Inner::new(TWO, "cleaned");
        inner.run("up").exits(0);
        let pids = inner.pids();
        let id = stackrun::platform::StackId::at(&inner.folder).expect("its identity");
        let [keeper, supervisor] = both(&inner);
        supervisor.signal(Signal::STOP);
        keeper.kill();
        supervisor.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
        let runtime = StackPaths::of(&inner.folder).expect("its places").runtime;
        match removed {
            false => {
                fs::remove_file(inner.folder.join("stack.kdl")).expect("it is removed");
                inner.remove(".stackrun");
                inner.run("status").exits(0).says("db");
                assert!(pids.iter().all(|pid| alive(*pid)));
                inner.run("down").exits(0).says("0 processes");
            }
            true => {
                let _gone_already = fs::remove_dir_all(runtime);
                fs::remove_dir_all(&inner.folder).expect("it is removed");
                let listed = inner.stack.run("ls").exits(0);
                assert!(listed.out.contains(&id.to_string()), "{listed:#?}");
                inner.stack.run(&format!("--stack {id} down")).exits(0).says("0 processes");
            }
        }
        assert!(!pids.iter().any(|pid| alive(*pid)));
        assert!(inner.stack.left_soon().is_empty());
    }
}

/// A second name for a folder, as long as it lives.
struct Bound(PathBuf);

impl Bound {
    fn to(folder: &Path, name: PathBuf) -> Self {
        fs::create_dir(&name).expect("a folder");
        mount_bind(folder, &name).expect("a mount");
        Self(name)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn as_root_a_second_name_is_the_same_stack() {
    if !may_mount() {
        return;
    }
    let inner = Inner::new(TWO, "first");
    inner.run("up").exits(0);
    let pids = inner.pids();
    let second = Bound::to(&inner.folder, inner.stack.path("second"));
    let there = |line: &str| inner.stack.run_in(&second.0, line);
    let status = there("status --json").exits(0);
    assert_eq!(["db", "api"].map(|name| pid_in(&status.out, name)), pids);
    there("up").exits(0);
    assert_eq!(inner.pids(), pids, "the same file by another name is the same");
    there("restart api").exits(0);
    inner.run("up").exits(0);
    assert_eq!(inner.pid("db"), pids[0]);
    let api = inner.pid("api");
    there("up").exits(0);
    assert_eq!(inner.pid("api"), api);
    there("down").exits(0);
    // The name that it was started by goes away.
    there("up").exits(0);
    let pids = inner.pids();
    let Bound(name) = &second;
    unmount(name, UnmountFlags::DETACH).expect("it is unmounted");
    assert_eq!(inner.pids(), pids);
    inner.run("restart api").exits(0);
    let data = inner.folder.join(".stackrun/data/api");
    let expected = format!("{}\n{}\n", inner.folder.display(), data.display());
    eventually("a start where the folder is", || inner.read("where").ends_with(&expected));
    inner.ends_well();
}

#[test]
fn as_root_a_folder_under_another_mount_is_listed_and_can_be_stopped() {
    if !may_mount() {
        return;
    }
    let (text, name) = named("hidden");
    let inner = Inner::new(&text, "below");
    inner.run("up").exits(0);
    let other = inner.stack.path("other");
    fs::create_dir(&other).expect("a folder");
    mount_bind(&other, &inner.folder).expect("a mount");
    let mounted = Bound(inner.folder.clone());
    inner.stack.run("ls").exits(0).says("something is mounted over it");
    inner.stack.run(&format!("--stack {name} status")).exits(0);
    inner.stack.run(&format!("--stack {name} down")).exits(0);
    assert!(inner.stack.left_soon().is_empty());
    drop(mounted);
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_one_like_any_other() {
    let name = OsStr::from_bytes(b"caf\xe9 100%");
    let text = format!("{TWO} task \"t\" {{ run \"pwd -P\" }}");
    let mut inner = Inner::new(&text.replace("{{dir}}/", "").replace("moving", "latin"), name);
    inner.run("up").exits(0);
    inner.run("status").exits(0);
    let status = inner.run("status --json").exits(0);
    assert!(status.out.contains("latin"));
    inner.run("ls").exits(0).says("latin");
    inner.run("run t").exits(0).says("caf");
    inner.run("events").exits(0);
    let [keeper, supervisor] = both(&inner);
    let pids = inner.pids();
    keeper.signal(Signal::STOP);
    supervisor.kill();
    keeper.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    inner.run("up").exits(0);
    assert_eq!(inner.pids(), pids);
    // Another version goes on.
    inner.run("upgrade").exits(0);
    assert_eq!(inner.pids(), pids);
    inner.move_to("plain");
    inner.run("up").exits(0);
    assert_eq!(inner.pid("db"), pids[0]);
    inner.ends_well();
}

#[test]
fn a_shell_in_a_removed_folder_can_stop_its_stack() {
    let inner = Inner::new(TWO, "gone");
    inner.run("up").exits(0);
    let mut shell = inner.stack.program("/bin/sh");
    shell.current_dir(&inner.folder);
    shell.args(["-c", "until rm -rf \"$PWD\"; do :; done; stackrun status && stackrun down"]);
    Running::start("a shell".to_owned(), shell).ends().exits(0);
    assert!(inner.stack.left_soon().is_empty());
    assert!(!inner.folder.exists());
}
