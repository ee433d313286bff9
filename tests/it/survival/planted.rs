//! Whoever may write to the stack's folder puts other things in the place of stackrun's own: links,
//! named pipes, other folders, again and again. Nothing outside is written to or deleted, nobody
//! waits, and the services live on.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Ran, Running, Stack, eventually, root_for};

/// Two users without any rights.
const USER: u32 = 61_001;
const OTHER: u32 = 61_002;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
}

fn make_pipe(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

/// Gives a folder with all that is in it to a user.
fn give(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).expect("another owner");
    if path.symlink_metadata().expect("there").is_dir() {
        fs::read_dir(path).expect("a folder").flatten().for_each(|entry| give(&entry.path(), user));
    }
}

/// `stackrun LINE` under a umask, by a user if one is named.
fn under(stack: &Stack, umask: &str, user: Option<u32>, line: &str) -> Ran {
    let inner = stack.command(line);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("umask {umask}; exec \"$0\" {line}")]).arg(inner.get_program());
    shell.current_dir(stack.folder());
    shell.env_clear().envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if let Some(user) = user {
        shell.uid(user).gid(user);
    }
    Running::start(format!("{line} under {umask}"), shell).ends()
}

/// Every file and folder below one, and its mode.
fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let data = entry.metadata().expect("there");
        all.push((entry.path(), data.mode() & 0o777));
        if data.is_dir() {
            all.extend(modes(&entry.path()));
        }
    }
    all
}

/// All of stackrun's own is closed to others.
#[track_caller]
fn is_closed(state: &Path) {
    assert_eq!(fs::metadata(state).expect("the state folder").mode() & 0o777, 0o700);
    let made = ["ledger", "logs/a.log", "logs/a.log.idx", "runs/t", "inputs/t", ".gitignore"];
    let mut all = Vec::new();
    // A log that is being rotated is not there for a moment.
    eventually("all that is made", || {
        all = modes(state);
        made.iter().all(|name| all.iter().any(|(path, _)| *path == state.join(name)))
    });
    for (path, mode) in all {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

/// A place outside of the stack, with a file in it that must stay as it is.
struct Outside(tempfile::TempDir);

impl Outside {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        for name in ["precious", "x", "a.log", "ledger"] {
            fs::write(folder.path().join(name), "precious").expect("a file");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Links to what is in it, under the names of stackrun's own files.
    fn plant(&self, state: &Path) {
        for folder in ["logs", "runs", "inputs", "data"] {
            fs::create_dir_all(state.join(folder)).expect("a folder");
        }
        for name in [
            "logs/a.log",
            "logs/a.log.idx",
            "logs/a.log.1",
            "ledger",
            "ports",
            "runs/t",
            "inputs/t",
        ] {
            symlink(self.path("precious"), state.join(name)).expect("a link");
        }
        symlink(self.path("new"), state.join("supervisor.stderr")).expect("a link");
    }

    #[track_caller]
    fn is_untouched(&self) {
        let mut names: Vec<_> =
            self.0.path().read_dir().expect("there").flatten().map(|e| e.file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.log", "ledger", "precious", "x"]);
        for name in names {
            let text = fs::read_to_string(self.0.path().join(&name)).expect("a file");
            assert_eq!(text, "precious", "{name:?}");
        }
    }
}

/// Exchanges two names again and again while something is done.
fn while_exchanging(one: &Path, other: &Path, work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // One of them may be about to be made.
                let _ = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
            }
        });
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = worked {
            std::panic::resume_unwind(panic);
        }
    });
}

const TALKS: &str = r#"
    service "a" { run "@testbed tick 2"; log max-size="4KiB" keep=3 }
    task "t" { inputs "stack.kdl"; step "one" { run "echo" "one" }; step "two" { run "true" } }
"#;

#[test]
fn as_root_the_folders_owner_has_nothing_written_elsewhere() {
    if !root_for("it is two users") {
        return;
    }
    let outside = Outside::new();
    let stack = Stack::new(TALKS);
    chown(stack.folder(), Some(USER), None).expect("another owner");
    stack.up();
    let pid = stack.pid("a");
    let (state, moved) = (stack.path(".stackrun"), stack.path("moved"));
    let planted = stack.path("planted");
    outside.plant(&planted);
    give(&planted, USER);
    fs::rename(&state, &moved).expect("it is moved");
    fs::rename(&planted, &state).expect("another one is there");
    // The logs go on where they were, under other names soon.
    let logs = || fs::metadata(moved.join("logs")).and_then(|logs| logs.modified()).expect("there");
    let before = logs();
    eventually("another log", || logs() > before);
    let told = "belongs to another user: logs continue in the folder that was there before";
    eventually("a word about it", || stack.run("events").out.contains(told));
    assert_eq!(stack.pid("a"), pid);
    stack.run("run t").exits(0);
    stack.run("restart a").exits(0);
    let log = || fs::read_to_string(moved.join("logs/a.log")).unwrap_or_default();
    eventually("its lines", || log().contains("line "));
    assert_eq!(stack.run("events").out.matches(told).count(), 1);
    // They are read where they are written, and not through the link in the other folder.
    stack.run("logs a").exits(0).says("line 000000001");
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    stack.run("status").says("the ledger cannot be written").says("belongs to another user");
    stack.down();
    outside.is_untouched();
    stack.run("up").exits(1).says("belongs to another user").says("nothing was started");
    outside.is_untouched();
}

#[test]
fn as_root_folders_that_are_exchanged_all_the_time_lead_nobody_astray() {
    if !root_for("it is two users") {
        return;
    }
    let outside = Outside::new();
    let stack = Stack::new(TALKS);
    chown(stack.folder(), Some(USER), None).expect("another owner");
    stack.up();
    let (state, planted) = (stack.path(".stackrun"), stack.path("planted"));
    outside.plant(&planted);
    give(&planted, USER);
    while_exchanging(&state, &planted, || {
        for _ in 0..3 {
            stack.run("restart a").exits(0);
            stack.run("run t").exits(0);
            let supervisor = stack.supervisor();
            supervisor.kill();
            eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
        }
    });
    outside.is_untouched();
    stack.down();
    outside.is_untouched();
}

#[test]
fn as_root_in_a_team_folder_nobody_else_can_plant_anything() {
    if !root_for("it is two users") {
        return;
    }
    let outside = Outside::new();
    let stack = Stack::new(TALKS);
    give(stack.folder(), USER);
    set_mode(stack.folder(), 0o2775);
    give(outside.0.path(), USER);
    // As an older version has left it, and what another one of the team has put there.
    let state = stack.path(".stackrun");
    fs::create_dir(&state).expect("a folder");
    outside.plant(&state);
    give(&state, USER);
    set_mode(&state, 0o775);
    for folder in ["runs", "inputs", "logs"] {
        set_mode(&state.join(folder), 0o2775);
    }
    for name in ["runs/t", "inputs/t", "logs/a.log", "ledger"] {
        lchown(state.join(name), Some(OTHER), None).expect("another owner");
    }
    under(&stack, "002", Some(USER), "up").exits(0);
    under(&stack, "002", Some(USER), "run t").exits(0);
    outside.is_untouched();
    let events = under(&stack, "002", Some(USER), "events").exits(0);
    assert_eq!(events.out.matches("other users could write to").count(), 1, "{events:#?}");
    for folder in ["", "logs", "runs", "inputs"] {
        let data = fs::metadata(state.join(folder)).expect("a folder");
        assert_eq!(data.mode() & 0o777, 0o700, "{folder}");
    }
    let mut other = Command::new("touch");
    other.arg(state.join("runs/u")).uid(OTHER).gid(USER).stderr(std::process::Stdio::null());
    assert!(!other.status().expect("touch").success());
    under(&stack, "002", Some(USER), "down").exits(0);
}

#[test]
fn what_is_made_is_closed_whatever_the_umask_says() {
    for umask in ["000", "002", "777"] {
        let stack = Stack::new(TALKS);
        under(&stack, umask, None, "up").exits(0);
        under(&stack, umask, None, "run t").exits(0);
        eventually("a rotated log", || {
            modes(&stack.path(".stackrun")).iter().any(|(path, _)| path.ends_with("a.log.2"))
        });
        is_closed(&stack.path(".stackrun"));
        stack.down();
        // What it has left does not stand in the way of the next one.
        stack.up();
        is_closed(&stack.path(".stackrun"));
    }
}

#[test]
fn as_root_a_user_whose_umask_takes_everything_away_has_a_stack_too() {
    if !root_for("it is another user") {
        return;
    }
    let stack = Stack::new(TALKS);
    give(stack.folder(), USER);
    under(&stack, "777", Some(USER), "up").exits(0);
    under(&stack, "022", Some(USER), "run t").exits(0);
    is_closed(&stack.path(".stackrun"));
    under(&stack, "777", Some(USER), "down").exits(0);
    under(&stack, "022", Some(USER), "up").exits(0);
    under(&stack, "022", Some(USER), "down").exits(0);
}

#[test]
fn named_pipes_in_the_place_of_files_hold_up_nobody() {
    let stack = Stack::new(TALKS);
    for name in [
        "ledger",
        "ports",
        "supervisor.stderr",
        "logs/a.log",
        "logs/a.log.idx",
        "runs/t",
        "inputs/t",
    ] {
        make_pipe(&stack.path(".stackrun").join(name));
    }
    make_pipe(&stack.path(".gitignore"));
    stack.up();
    stack.run("status").says("the ledger cannot be written").says("is a named pipe, not a file");
    eventually("a word about the log", || stack.run("events").out.contains("dropping output"));
    stack.run("logs a").exits(0).says("is a named pipe, not a file: it is not read");
    stack.run("run t").exits(0);
    fs::remove_file(stack.path(".stackrun/logs/a.log")).expect("the pipe");
    eventually("its log", || stack.run("logs a --raw").out.contains("line "));
    // The file itself, while the stack runs.
    let text = stack.read("stack.kdl");
    fs::remove_file(stack.path("stack.kdl")).expect("the file");
    make_pipe(&stack.path("stack.kdl"));
    stack.run("status").says("stack.kdl has changed");
    for line in ["check", "up", "fmt"] {
        stack.run(line).says("is a named pipe, not a file");
    }
    stack.run("check").exits(2);
    fs::remove_file(stack.path("stack.kdl")).expect("the pipe");
    stack.put("stack.kdl", &text);
}

#[test]
fn a_named_pipe_among_the_files_that_are_read_is_named() {
    let stack = Stack::new("");
    make_pipe(&stack.path("pipe"));
    for (text, code) in [
        (r#"service "a" { run "true"; env-file "pipe" }"#, 2),
        (r#"service "a" { run "true"; env-file "pipe" optional=#true }"#, 2),
        (r#"include "pipe""#, 2),
    ] {
        stack.write(text);
        for line in ["check", "up"] {
            let ran = stack.run(line).exits(code).says("pipe`: it is a named pipe, not a file");
            ran.says("stack.kdl:1:");
        }
    }
    stack.write("");
    for name in ["package.json", "compose.yaml"] {
        make_pipe(&stack.path(name));
    }
    stack.run("import compose.yaml --stdout").exits(2).says("it is a named pipe, not a file");
    stack.run("init --stdout").exits(0);
    stack.write(r#"task "t" { step "one" { run "cat"; stdin "pipe" } }"#);
    stack.run("run t").exits(1).says("pipe is a named pipe, not a file");
    stack.write(r#"task "t" { step "one" { run "true"; stdout "pipe" } }"#);
    stack.run("run t").exits(1).says("pipe is a named pipe, not a file");
}

#[test]
fn devices_and_pipes_that_somebody_reads_are_written_to() {
    let stack = Stack::new(
        r#"
        task "t" {
            step "null" { run "echo" "null"; stdin "/dev/null"; stdout "/dev/null" }
            step "own" { run "echo" "to the log"; stdout "/dev/stderr" }
            step "pipe" { run "echo" "to the pipe"; stdout "pipe" }
        }
        "#,
    );
    make_pipe(&stack.path("pipe"));
    // Open for both, so that it neither waits nor ends.
    let reader = fs::File::options().read(true).write(true).open(stack.path("pipe")).expect("open");
    stack.run("run t").exits(0);
    stack.has_logged("t", "to the log");
    let mut text = [0; 12];
    std::io::Read::read_exact(&mut &reader, &mut text).expect("its line");
    assert_eq!(&text, b"to the pipe\n");
}

#[test]
fn what_has_another_name_elsewhere_does_not_grow_there() {
    let outside = Outside::new();
    let stack = Stack::new(TALKS);
    for (name, file) in [("ledger", "ledger"), ("logs/a.log", "a.log"), ("runs/t", "precious")] {
        let own = stack.path(".stackrun").join(name);
        fs::create_dir_all(own.parent().expect("a folder")).expect("a folder");
        set_mode(&stack.path(".stackrun"), 0o700);
        fs::hard_link(outside.path(file), own).expect("another name");
    }
    stack.up();
    stack.run("run t").exits(0);
    eventually("its log", || stack.run("logs a --raw").out.contains("line "));
    let record = || stack.read(".stackrun/ledger").contains("\"a\"");
    eventually("its records", record);
    stack.down();
    outside.is_untouched();
}

/// Many files of the same names in a folder of the stack and outside of it, and a link from the one
/// to the other.
fn many_files(stack: &Stack) -> (tempfile::TempDir, Vec<String>) {
    let outside = tempfile::tempdir_in("/tmp").expect("a folder");
    let names: Vec<String> = (0..100).map(|number| format!("x{number}")).collect();
    for name in &names {
        stack.put(&format!("w/d/{name}"), "");
        fs::write(outside.path().join(name), "").expect("a file");
    }
    symlink(outside.path(), stack.path("w/link")).expect("a link");
    (outside, names)
}

#[track_caller]
fn are_there(outside: &tempfile::TempDir, names: &[String]) {
    let left = fs::read_dir(outside.path()).expect("a folder").count();
    assert_eq!(left, names.len(), "some are deleted");
}

#[test]
fn a_cleanup_that_somebody_exchanges_deletes_nothing_outside() {
    let stack = Stack::new("");
    let (outside, names) = many_files(&stack);
    let each: Vec<String> = names.iter().map(|name| format!("\"w/d/{name}\"")).collect();
    let each = each.join(" ");
    stack.write(&format!(r#"service "a" {{ run "@testbed"; cleanup {each} "w/*/y" "w/d/" }}"#));
    stack.put("w/d/in/deep", "");
    stack.up();
    assert!(!stack.path("w/d").exists());
    for _ in 0..10 {
        for name in &names {
            stack.put(&format!("w/d/{name}"), "");
        }
        while_exchanging(&stack.path("w/d"), &stack.path("w/link"), || {
            for _ in 0..3 {
                stack.run("restart a").exits(0);
            }
        });
        are_there(&outside, &names);
        // Whichever of the two is the link now, or is gone.
        for name in ["w/d", "w/link"] {
            let _is_no_link = fs::remove_file(stack.path(name));
        }
        symlink(outside.path(), stack.path("w/link"))
            .or_else(|_| {
                fs::rename(stack.path("w/link"), stack.path("w/d"))?;
                symlink(outside.path(), stack.path("w/link"))
            })
            .expect("a link");
    }
}

#[test]
fn what_keep_deletes_is_in_the_folder_whoever_exchanges_it() {
    let stack = Stack::new(
        r#"task "t" { step "one" { run "true" }; keep "w/d/*" newest=1; keep "w/link/*" newest=1 }"#,
    );
    let (outside, names) = many_files(&stack);
    stack.up();
    for _ in 0..10 {
        while_exchanging(&stack.path("w/d"), &stack.path("w/link"), || {
            stack.run("run t").exits(0);
        });
        are_there(&outside, &names);
    }
}

#[test]
fn as_root_a_link_that_another_user_has_made_is_no_way_out_for_a_step() {
    if !root_for("it is two users") {
        return;
    }
    let outside = Outside::new();
    let stack = Stack::new(
        r#"
        task "folder" { step "one" { run "echo" "new"; stdout "theirs/new" } }
        task "file" { step "one" { run "echo" "new"; stdout "file" } }
        task "input" { step "one" { run "cat"; stdin "theirs/precious" } }
        task "own" { step "one" { run "cat"; stdin "ours/x"; stdout "mine/copy" } }
        "#,
    );
    symlink(outside.0.path(), stack.path("theirs")).expect("a link");
    symlink(outside.path("precious"), stack.path("file")).expect("a link");
    give(stack.folder(), USER);
    symlink(outside.0.path(), stack.path("ours")).expect("a link");
    let mine = tempfile::tempdir_in("/tmp").expect("a folder");
    symlink(mine.path(), stack.path("mine")).expect("a link");
    for task in ["folder", "file", "input"] {
        stack.run(&format!("run {task}")).exits(1).says("is a link that another user has made");
    }
    outside.is_untouched();
    stack.run("run own").exits(0);
    assert_eq!(fs::read_to_string(mine.path().join("copy")).expect("made"), "precious");
}

#[test]
fn a_folder_that_is_moved_takes_its_logs_and_its_ledger_with_it() {
    let stack = Stack::new(TALKS);
    stack.up();
    let service = stack.process("a");
    let (here, there) = (stack.folder().to_owned(), stack.folder().with_extension("moved"));
    fs::rename(&here, &there).expect("it is moved");
    let length =
        |name: &str| fs::metadata(there.join(".stackrun").join(name)).map_or(0, |f| f.len());
    let logs = || fs::metadata(there.join(".stackrun/logs")).and_then(|logs| logs.modified()).ok();
    let (before, records) = (logs(), length("ledger"));
    eventually("another log", || logs() > before);
    service.kill();
    eventually("a record of its end", || length("ledger") > records);
    assert!(!here.exists(), "nothing was made where it was");
    fs::rename(&there, &here).expect("it is moved back");
    stack.reaches("a", "ready");
    stack.down();
}
