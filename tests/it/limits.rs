//! What a service may use: processors and processes by a cgroup, memory by looking.

use std::{fs, path::PathBuf};

use crate::support::{Stack, eventually, have, may_read_the_kernel_log};

/// The cgroup of version 2 that a process is in, below the one of its stack.
fn cgroup(pid: u32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its groups");
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
    let folder = PathBuf::from(mount.split(' ').nth(1)?).join(path.trim_start_matches('/'));
    path.contains("/stackrun-").then_some(folder)
}

#[test]
fn processors_and_processes_are_limited_or_it_is_said_once_that_they_are_not() {
    let stack = Stack::new(
        r#"
        defaults { stop grace="1s" }
        service "a" { run "@testbed child stubborn"; limit cpu=1.5 processes=40 }
        service "b" { run "@testbed"; limit cpu=0.5 processes=20 }
        "#,
    );
    stack.up();
    stack.run("restart a").exits(0);
    let folder = cgroup(stack.pid("a"));
    let events = stack.run("events").exits(0).out;
    let limits =
        [("limit cpu=…", "cpu.max", "150000 100000"), ("limit processes=…", "pids.max", "40")];
    for (limit, file, value) in limits {
        let set = folder.as_ref().and_then(|folder| fs::read_to_string(folder.join(file)).ok());
        let said = events.matches(&format!("`{limit}` has no effect: ")).count();
        match set {
            Some(set) => assert_eq!((set.trim(), said), (value, 0), "{events}"),
            None => assert_eq!(said, 1, "{events}"),
        }
    }
    if let Some(folder) = &folder {
        let inside = fs::read_to_string(folder.join("cgroup.procs")).expect("its processes");
        assert_eq!(inside.lines().count(), 2, "its child is in it, too");
    }
    let supervisor = stack.supervisor();
    supervisor.kill();
    stack.down();
    assert!(folder.is_none_or(|folder| !folder.parent().expect("the stack's").exists()));
}

#[test]
fn more_processes_than_allowed_cannot_be_made() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "for i in 1 2 3 4 5 6 7 8 9; do sleep 600 & done; wait"
            limit processes=5
            restart "never"
        }
        "#,
    );
    let _ = stack.run("up");
    if stack.run("events").exits(0).out.contains("`limit processes=…` has no effect") {
        return;
    }
    eventually("a fork that fails", || {
        let log = stack.run("logs a --raw").out.to_lowercase();
        log.contains("fork") || log.contains("resource")
    });
}

/// A cgroup with a limit of memory, of whichever version the machine has it in.
struct Cage(PathBuf);

impl Cage {
    fn make(of: &str, bytes: u64) -> Option<Self> {
        let name = format!("stackrun-test-{of}-{}", std::process::id());
        let one = PathBuf::from("/sys/fs/cgroup/memory");
        let two = PathBuf::from("/sys/fs/cgroup");
        let (folder, file) = match one.join("memory.limit_in_bytes").exists() {
            true => (one.join(name), "memory.limit_in_bytes"),
            false => {
                let _ = fs::write(two.join("cgroup.subtree_control"), "+memory");
                (two.join(name), "memory.max")
            }
        };
        fs::create_dir(&folder).ok()?;
        let cage = Self(folder);
        fs::write(cage.0.join(file), bytes.to_string()).ok()?;
        let _ = fs::write(cage.0.join("memory.swap.max"), "0");
        Some(cage)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn as_root_an_end_for_want_of_memory_is_named_as_one() {
    if !may_read_the_kernel_log() || !have(&["python3"]) {
        return;
    }
    let Some(cage) = Cage::make("hog", 64 << 20) else { return };
    let stack = Stack::new(&format!(
        r#"
        service "hog" {{
            shell "echo $$ > {}/cgroup.procs; exec python3 hog.py"
            restart tries=1 delay="10ms"
        }}
        service "late" {{
            shell "while ! test -e go; do sleep 0.02; done; echo $$ > {}/cgroup.procs; exec python3 hog.py"
            restart "never"
        }}
        "#,
        cage.0.display(),
        cage.0.display()
    ));
    stack.put("hog.py", "food = []\nwhile True:\n    food.append(bytearray(b'x' * (1 << 20)))\n");
    let _ = stack.run("up");
    stack.reaches("hog", "failed");
    stack.run("status").exits(3).says("killed by the kernel: out of memory");
    stack.run("why hog").exits(0).says("killed by the kernel: out of memory");
    stack.run("events").exits(0).says("because memory ran out");
    // The same where nobody was there to be told.
    let (supervisor, late) = (stack.supervisor(), stack.process("late"));
    supervisor.signal(rustix::process::Signal::STOP);
    stack.put("go", "");
    eventually("its end", || !late.lives());
    supervisor.kill();
    stack.reaches("late", "failed");
    stack.run("why late").exits(0).says("killed by the kernel: out of memory");
    stack.down();
}

#[test]
fn as_root_a_wrapper_whose_program_was_killed_for_want_of_memory_is_told_of() {
    if !root_for("it makes a cgroup") || !have(&["python3"]) {
        return;
    }
    let Some(cage) = Cage::make("wrapper", 64 << 20) else { return };
    let stack = Stack::new(&format!(
        r#"
        service "wrapper" {{
            shell "echo $$ > {}/cgroup.procs; python3 hog.py || exit 1"
            restart "never"
        }}
        "#,
        cage.0.display()
    ));
    stack.put("hog.py", "food = []\nwhile True:\n    food.append(bytearray(b'x' * (1 << 20)))\n");
    let _ = stack.run("up");
    eventually("its end", || stack.node("wrapper")["exit"]["code"] == 1);
    let events = stack.run("events").exits(0);
    events.says("while it ran the kernel killed process").says("(python3");
    stack.down();
}
