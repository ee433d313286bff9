//! Nobody but its user controls a stack.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixStream,
        process::CommandExt,
    },
    path::Path,
    thread,
    time::Duration,
};

use crate::support::{Running, Stack, root_for};

/// A user without any rights, on every Linux.
const NOBODY: u32 = 65534;

const ONE: &str = r#"service "a" { run "@testbed lock a.lock" }"#;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
}

/// `stackrun LINE` by another user.
#[track_caller]
fn refused(stack: &Stack, line: &str) {
    let mut command = stack.command(line);
    command.uid(NOBODY).gid(NOBODY);
    let ran = Running::start(format!("{line} by another user"), command).ends();
    ran.exits(1).says("held by user `root`");
}

#[test]
fn as_root_another_user_controls_nothing() {
    if !root_for("it is two users") {
        return;
    }
    let stack = Stack::new(ONE);
    set_mode(stack.folder(), 0o755);
    stack.up();
    let pid = stack.pid("a");
    for line in ["status", "down", "up", "restart a", "signal a KILL", "upgrade"] {
        refused(&stack, line);
    }
    assert_eq!(stack.pid("a"), pid);
    let state = fs::metadata(stack.path(".stackrun")).expect("the state folder");
    assert_eq!(state.uid(), 0);
}

#[test]
fn as_root_a_connection_of_another_user_is_dropped_unheard() {
    if !root_for("it is two users") {
        return;
    }
    let stack = Stack::new(ONE);
    stack.up();
    let pid = stack.pid("a");
    let places = stack.places();
    for folder in [&*places.runtime, places.runtime.parent().expect("a folder")] {
        let data = fs::symlink_metadata(folder).expect("a folder");
        assert_eq!((data.is_dir(), data.mode() & 0o777), (true, 0o700));
    }
    // The name is nobody's secret.
    let address = stack.connect().peer_addr().expect("its name");
    // The user of this thread alone changes: the C library would change that of all.
    let stranger = thread::spawn(move || {
        // SAFETY: a system call on numbers.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, -1, NOBODY, -1) };
        assert_eq!(changed, 0);
        let mut stream = UnixStream::connect_addr(&address).expect("the socket");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        let hello = r#"{"id":1,"request":{"hello":{"protocol":1,"version":"x","pid":1}}}"#;
        let _dropped = writeln!(stream, "{hello}");
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        answer
    });
    assert_eq!(stranger.join().expect("a stranger"), Vec::<u8>::new(), "it was answered");
    assert_eq!(stack.pid("a"), pid);
}

#[test]
fn a_runtime_folder_that_others_may_have_made_is_not_used() {
    // As long as this one is up, nobody removes the folder that all stacks have in common.
    let beside = Stack::new(ONE);
    beside.up();
    let stack = Stack::new(ONE);
    let usual = stack.places().runtime;
    fs::create_dir(&usual).expect("a folder");
    set_mode(&usual, 0o770);
    stack.up();
    assert_ne!(stack.places().runtime, usual);
    stack.down();
    assert_eq!(fs::read_dir(&usual).expect("a folder").count(), 0, "nothing was made in it");
    fs::remove_dir(&usual).expect("it is empty");
    let elsewhere = stack.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    symlink(&elsewhere, &usual).expect("a link");
    stack.up();
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 0);
    stack.down();
    fs::remove_file(&usual).expect("the link");
    // One that is ours is closed to others, and opened to us.
    for mode in [0o755, 0o000] {
        fs::create_dir(&usual).expect("a folder");
        set_mode(&usual, mode);
        stack.up();
        assert_eq!(stack.places().runtime, usual);
        assert_eq!(fs::metadata(&usual).expect("a folder").mode() & 0o777, 0o700);
        stack.down();
    }
}

#[test]
fn a_state_folder_that_others_may_change_is_refused() {
    let stack = Stack::new(ONE);
    // Where others may write to the stack's own folder, theirs may be the same in it.
    set_mode(stack.folder(), 0o755);
    let state = stack.path(".stackrun");
    fs::create_dir(&state).expect("a folder");
    set_mode(&state, 0o775);
    stack.run("up").exits(1).says(".stackrun can be written to by other users").says("chmod go-w");
    assert_eq!(fs::read_dir(&state).expect("a folder").count(), 0, "nothing was made in it");
    fs::remove_dir(&state).expect("it is empty");
    symlink("/tmp", &state).expect("a link");
    stack.run("up").exits(1).says("is a link").says("nothing was started");
    fs::remove_file(&state).expect("the link");
    // What it makes itself is right, whatever the umask is.
    let up = stack.command("up");
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "umask 000; exec \"$0\" up"]).arg(up.get_program());
    shell.current_dir(stack.folder());
    shell.env_clear().envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Running::start("up with an open umask".to_owned(), shell).ends().exits(0);
    for folder in [&state, &state.join("logs")] {
        assert_eq!(fs::metadata(folder).expect("a folder").mode() & 0o022, 0);
    }
    stack.run("restart").exits(0);
    stack.down();
    stack.up();
}

#[test]
fn as_root_a_state_folder_that_becomes_another_users_takes_no_output_away() {
    if !root_for("it is two users") {
        return;
    }
    let stack = Stack::of_user(
        NOBODY,
        r#"
        service "a" { run "@testbed" }
        task "u" { shell "echo said-by-u; echo warned-by-u >&2; exit 3" }
        "#,
    );
    stack.up();
    let (state, before) = (stack.path(".stackrun"), stack.path(".before"));
    fs::rename(&state, &before).expect("it is moved away");
    fs::create_dir(&state).expect("a folder");
    set_mode(&state, 0o755);
    let ran = stack.run("run u").exits(3);
    assert!(ran.out.contains("said-by-u\n") && ran.out.contains("warned-by-u\n"), "{ran:#?}");
    stack.run("why u").exits(0).says("warned-by-u");
    stack.run("logs u").exits(0).says("said-by-u");
    fs::remove_dir(&state).expect("it is empty");
    fs::rename(&before, &state).expect("it is moved back");
    stack.down();
}

#[test]
fn as_root_a_state_folder_of_another_user_is_refused() {
    if !root_for("it is two users") {
        return;
    }
    let stack = Stack::new(ONE);
    let state = stack.path(".stackrun");
    fs::create_dir(&state).expect("a folder");
    std::os::unix::fs::chown(&state, Some(NOBODY), None).expect("another owner");
    stack.run("up").exits(1).says("belongs to another user");
    fs::remove_dir(&state).expect("it is empty");
}
