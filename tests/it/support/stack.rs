//! A stack in a folder of its own, driven through the real binary.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ignore::WalkBuilder;
use regex::{Captures, Regex};
use rustix::process::Signal;
use serde_json::Value;
use stackrun::platform::{Reached, StackPaths};
use tempfile::TempDir;

use super::{
    Terminal,
    ports::Lease,
    process::Process,
    program::{Ran, Running},
    repository,
    stranger::Stranger,
    testbed,
    wait::{PATIENCE, eventually, wait_for},
};

const BINARY: &str = env!("CARGO_BIN_EXE_stackrun");

/// A stack, its folder, and everything that was started for it.
///
/// Dropping it brings the stack down and demands that no process of it is left.
#[derive(Debug)]
pub(crate) struct Stack {
    temporary: TempDir,
    folder: PathBuf,
    ports: [OnceLock<Lease>; 32],
    /// The fixed ports in the file that this is a copy of: the first is replaced by `@0`, and so on.
    declared: Vec<u16>,
    /// In the environment of every command, and so of everything that is started by one.
    cookie: String,
    /// Whose it is, where not our own: root tests as an ordinary user, too.
    user: Option<u32>,
}

impl Stack {
    /// A stack of this text, in which `@testbed` is the helper and `@0` … `@31` are free ports.
    pub(crate) fn new(text: &str) -> Self {
        let stack = Self::empty();
        stack.write(text);
        stack
    }

    /// The same in a folder of this name, which is the only one in another.
    pub(crate) fn called(name: &str, text: &str) -> Self {
        let mut stack = Self::empty();
        stack.folder = stack.temporary.path().join(name);
        fs::create_dir(&stack.folder).expect("a folder");
        stack.write(text);
        stack
    }

    /// The same of another user, who types all its commands.
    pub(crate) fn of_user(user: u32, text: &str) -> Self {
        let mut stack = Self::empty();
        stack.user = Some(user);
        stack.write(text);
        for path in [stack.folder(), &stack.path("stack.kdl")] {
            std::os::unix::fs::chown(path, Some(user), Some(user)).expect("another owner");
        }
        stack
    }

    /// A copy of some files of the repository, with every fixed port of its `stack.kdl` replaced by
    /// a free one.
    pub(crate) fn copy_of(files: &[&str]) -> Self {
        let mut stack = Self::empty();
        for file in files {
            stack.copy(&repository().join(file), file);
        }
        stack.free_ports();
        stack
    }

    /// The same of a folder of `examples`: all that git would keep.
    pub(crate) fn example(name: &str) -> Self {
        let mut stack = Self::empty();
        let from = repository().join("examples").join(name);
        let files = WalkBuilder::new(&from).hidden(false).require_git(false).build();
        for file in files.map(|file| file.expect("a readable example").into_path()) {
            if file.is_file() {
                let name = file.strip_prefix(&from).expect("a file in it");
                stack.copy(&file, name.to_str().expect("a name in UTF-8"));
            }
        }
        stack.free_ports();
        stack
    }

    fn copy(&self, from: &Path, name: &str) {
        let to = self.path(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    fn free_ports(&mut self) {
        let text = self.read("stack.kdl");
        let fixed = Regex::new(r"(?m)^(\s*port )(\d+)").expect("a pattern");
        self.declared =
            fixed.captures_iter(&text).map(|found| found[2].parse().expect("a port")).collect();
        let mut index = 0;
        let replaced = fixed.replace_all(&text, |found: &Captures<'_>| {
            index += 1;
            format!("{}@{}", &found[1], index - 1)
        });
        self.write(&replaced);
    }

    /// A text about the stack that this is a copy of, with the ports of the copy.
    pub(super) fn with_ports(&self, text: &str) -> String {
        let number = Regex::new(r"\b\d{4,5}\b").expect("a pattern");
        let replaced = number.replace_all(text, |found: &Captures<'_>| {
            let index = self.declared.iter().position(|port| found[0] == port.to_string());
            index.map_or_else(|| found[0].to_owned(), |index| self.port(index).to_string())
        });
        replaced.into_owned()
    }

    fn empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary =
            tempfile::Builder::new().prefix("sr-").tempdir_in("/tmp").expect("a folder");
        let cookie = format!("STACKRUN_TEST={}-{number}", std::process::id());
        let (folder, ports) = (temporary.path().to_owned(), Default::default());
        Self { temporary, folder, ports, declared: Vec::new(), cookie, user: None }
    }

    /// The stack's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in the stack's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// What a file in the stack's folder holds; nothing if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes a file into the stack's folder.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Replaces the stack file; see [`Stack::new`] for what may stand in it.
    pub(crate) fn write(&self, text: &str) {
        let mut text = text.to_owned();
        if text.contains("@testbed") {
            text = text.replace("@testbed", &testbed().display().to_string());
        }
        // From the last one on, because `@1` also begins `@10`.
        for index in (0..self.ports.len()).rev() {
            let name = format!("@{index}");
            if text.contains(&name) {
                text = text.replace(&name, &self.port(index).to_string());
            }
        }
        self.put("stack.kdl", &text);
    }

    /// Changes the stack file.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.read("stack.kdl");
        assert!(text.contains(from), "`{from}` does not stand in the stack file");
        self.write(&text.replace(from, to));
    }

    /// The port that is `@index` in the stack file.
    pub(crate) fn port(&self, index: usize) -> u16 {
        self.ports[index].get_or_init(Lease::new).port()
    }

    /// The binary with these arguments, in the stack's folder and a clean environment.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = self.program(BINARY);
        command.args(line.split_whitespace());
        command
    }

    /// A program in the stack's folder and the same environment, in which `stackrun` is known.
    pub(crate) fn program(&self, name: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.folder()).env_clear();
        // What compilers and npm need to find themselves and their caches.
        for key in ["HOME", "USER", "LOGNAME", "CARGO_HOME", "RUSTUP_HOME"] {
            command.envs(env::var_os(key).map(|value| (key, value)));
        }
        let own = Path::new(BINARY).parent().expect("its folder").to_owned();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(env::split_paths(&path).chain([own])).expect("a search path");
        command.env("PATH", path);
        command.env("LANG", "C.UTF-8").env("TERM", "xterm-256color");
        command.envs(self.cookie.split_once('='));
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        // Whoever runs the suite in the background ignores Ctrl-C, and what is ignored is inherited.
        // SAFETY: it neither allocates nor locks.
        unsafe {
            command.pre_exec(|| {
                stackrun::platform::reset_signals();
                Ok(())
            });
        }
        command
    }

    /// The helper as a program that has nothing to do with the stack, in the stack's folder.
    pub(crate) fn stranger(&self, words: &[&str], env: &[(&str, &str)]) -> Stranger {
        let mut command = Command::new(testbed());
        command.args(words).envs(self.cookie.split_once('=')).envs(env.iter().copied());
        Stranger::start(command.current_dir(self.folder()))
    }

    /// Any program as one that has nothing to do with the stack, in the stack's folder.
    pub(crate) fn foreign(&self, command: &mut Command) -> Stranger {
        Stranger::start(command.envs(self.cookie.split_once('=')).current_dir(self.folder()))
    }

    /// Starts `stackrun LINE`.
    pub(crate) fn start(&self, line: &str) -> Running {
        Running::start(format!("stackrun {line}"), self.command(line))
    }

    /// Runs `stackrun LINE` to its end.
    #[must_use = "its exit status says whether it went well"]
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.start(line).ends()
    }

    /// Runs `stackrun LINE` in another folder.
    #[must_use = "its exit status says whether it went well"]
    #[track_caller]
    pub(crate) fn run_in(&self, folder: &Path, line: &str) -> Ran {
        let mut command = self.command(line);
        command.current_dir(folder);
        Running::start(format!("stackrun {line} in {}", folder.display()), command).ends()
    }

    /// Runs `stackrun up`, which must go well.
    #[track_caller]
    pub(crate) fn up(&self) -> Ran {
        self.run("up").exits(0)
    }

    /// Runs `stackrun down`, which must go well and leave no process.
    #[track_caller]
    pub(crate) fn down(&self) -> Ran {
        let ran = self.run("down").exits(0);
        let left = self.left_soon();
        assert!(left.is_empty(), "`down` said that all is gone, but: {left:#?}");
        ran
    }

    /// Runs `stackrun LINE` on a terminal.
    pub(crate) fn on_terminal(&self, line: &str) -> Terminal {
        Terminal::start(self.command(line))
    }

    /// `status --json`, whatever the exit status.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let ran = self.run("status --json");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
    }

    /// A service or a task in `status --json`.
    #[track_caller]
    pub(crate) fn node(&self, name: &str) -> Value {
        let status = self.status();
        let nodes = ["services", "tasks"].map(|kind| status[kind].as_array().cloned());
        let found = nodes.into_iter().flatten().flatten().find(|node| node["name"] == name);
        found.unwrap_or_else(|| panic!("no `{name}` in {status:#}"))
    }

    /// The state of a service or a task.
    #[track_caller]
    pub(crate) fn state(&self, name: &str) -> String {
        self.node(name)["state"].as_str().expect("a state").to_owned()
    }

    /// Waits until a service or a task is in this state.
    #[track_caller]
    pub(crate) fn reaches(&self, name: &str, state: &str) {
        eventually(&format!("{name} being {state}"), || self.state(name) == state);
    }

    /// The main process of a service.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let node = self.node(name);
        let pid = node["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.unwrap_or_else(|| panic!("no process: {node:#}"))
    }

    /// The main process of a service, to be signalled.
    #[track_caller]
    pub(crate) fn process(&self, name: &str) -> Process {
        Process::get(self.pid(name)).unwrap_or_else(|| panic!("{name} has ended"))
    }

    /// The supervisor's process; one that lives: the one that answered may have been killed.
    #[track_caller]
    pub(crate) fn supervisor(&self) -> Process {
        wait_for("a supervisor that lives", || {
            let pid = self.status()["supervisor"]["pid"].as_u64()?;
            Process::get(u32::try_from(pid).ok()?)
        })
    }

    /// The keeper's process and the supervisor's.
    #[track_caller]
    pub(crate) fn both(&self) -> [Process; 2] {
        let supervisor = self.supervisor();
        [supervisor.parent().expect("the keeper"), supervisor]
    }

    /// Kills keeper and supervisor. One that loses its keeper would start another one.
    #[track_caller]
    pub(crate) fn kill_both(&self) {
        let [keeper, supervisor] = self.both();
        supervisor.signal(Signal::STOP);
        keeper.kill();
        supervisor.kill();
        eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    }

    /// Waits until a service or a task has written this to its log: it starts before it writes.
    #[track_caller]
    pub(crate) fn has_logged(&self, name: &str, text: &str) {
        eventually(&format!("`{text}` in the log of {name}"), || {
            self.run(&format!("logs {name} --raw")).out.contains(text)
        });
    }

    /// Where everything of this stack is.
    pub(crate) fn places(&self) -> StackPaths {
        StackPaths::of(self.folder()).expect("its places")
    }

    /// A connection to the supervisor.
    #[track_caller]
    pub(crate) fn connect(&self) -> UnixStream {
        match stackrun::platform::reach(&self.places().control()) {
            Reached::Keeper(stream, _) => stream,
            other => panic!("nobody listens: {other:?}"),
        }
    }

    /// The keeper, as the lock on the stack's folder tells: without asking anybody, which would
    /// start one.
    pub(crate) fn keeper_by_lock(&self) -> Option<u32> {
        stackrun::platform::lock_holder(self.places())
    }

    /// Every process that was started for this stack and still lives.
    pub(crate) fn left(&self) -> Vec<Process> {
        let own = rustix::process::geteuid().as_raw();
        Process::of(&self.cookie, self.folder(), self.user.unwrap_or(own))
    }

    /// The same, once what is about to end has ended.
    pub(crate) fn left_soon(&self) -> Vec<Process> {
        let began = Instant::now();
        let mut left = self.left();
        while !left.is_empty() && began.elapsed() < PATIENCE / 4 {
            thread::sleep(Duration::from_millis(20));
            left = self.left();
        }
        left
    }

    /// What helps to understand a failure.
    fn dump(&self) {
        let mut text = String::new();
        for line in ["status", "events", "logs -n 300"] {
            let ran = self.start(line).ends();
            text += &format!("--- stackrun {line} → {}\n{}{}", ran.code, ran.out, ran.err);
        }
        let trouble = self.read(".stackrun/supervisor.stderr");
        text += &format!("--- supervisor's stderr\n{trouble}");
        let _ = writeln!(io::stderr(), "{text}--- stack.kdl\n{}---", self.read("stack.kdl"));
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let failing = thread::panicking();
        if failing {
            // A second panic would end the whole test program.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.dump()));
        }
        let down = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.start("down").patience(PATIENCE.as_secs()).ends()
        }));
        let left = self.left_soon();
        for process in &left {
            process.kill();
        }
        if !failing {
            let down = down.expect("`down` ends");
            assert!(down.code == 0, "the last `down` failed: {down:#?}");
            assert!(left.is_empty(), "left after the last `down`: {left:#?}");
        }
    }
}
