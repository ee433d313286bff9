//! Services on a terminal.

use crate::support::{Process, Stack, alive, eventually, wait_for};

const SHELL: &str = r##"service "sh" { shell #"echo pid $$; tty; while read -r line; do echo "got $line"; stty size; done"#; tty #true }"##;

#[test]
fn a_service_s_terminal_is_attached_to_and_left() {
    let stack = Stack::new(SHELL);
    stack.up();
    let log = || stack.run("logs sh --raw").exits(0).out;
    eventually("a terminal", || log().contains("/dev/pts/"));
    let pid = stack.pid("sh");
    let mut terminal = stack.on_terminal("attach sh");
    terminal.has_shown("/dev/pts/");
    terminal.press(b"one\r");
    terminal.has_shown("got one");
    terminal.has_shown("24 80");
    terminal.press(b"\x1d");
    assert_eq!(terminal.ends(), Some(0));
    assert!(alive(pid) && log().contains("got one"), "it goes on, and its log has all");
    // Again, after the supervisor's death.
    stack.supervisor().kill();
    eventually("another supervisor", || stack.run("status").code == 0);
    let mut terminal = stack.on_terminal("attach sh");
    terminal.has_shown("got one");
    terminal.press(b"two\r");
    terminal.has_shown("got two");
    // Its own Ctrl-C ends the service, not the command.
    terminal.press(b"\x03");
    terminal.has_shown("sh has ended");
    assert_eq!(terminal.ends(), Some(0));
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.run("attach a").exits(3);
    stack.up();
    stack.run("attach a").exits(2).says("tty #true");
    stack.run("attach b").exits(2);
}

#[test]
fn our_own_terminal_is_given_back_whatever_happens() {
    let stack = Stack::new(
        r##"service "full" { shell #"printf '\033[?1049h\033[?25lscreen'; sleep 600"#; tty #true }"##,
    );
    stack.up();
    let pid = stack.pid("full");
    let mut terminal = stack.on_terminal("attach full");
    terminal.has_shown("screen");
    terminal.signal(rustix::process::Signal::TERM);
    assert_eq!(terminal.ends(), Some(130));
    terminal.has_shown("\u{1b}[?25h\u{1b}[?1049l");
    assert!(alive(pid), "the service goes on");
    // The end of the service is the end of it too.
    let mut terminal = stack.on_terminal("attach full");
    terminal.has_shown("screen");
    stack.run("restart full").exits(0);
    terminal.has_shown("full has ended");
    assert_eq!(terminal.ends(), Some(0));
}

const COUNTING: &str = r##"
    service "sh" { shell #"(n=0; while sleep 0.02; do n=$((n+1)); echo "line $n"; done) & while read -r line; do echo "got $line"; done"#; tty #true }
"##;

#[test]
fn a_terminal_outlives_the_keeper_and_the_supervisor() {
    let stack = Stack::new(COUNTING);
    stack.up();
    let pid = stack.pid("sh");
    let lines = || stack.run("logs sh --raw").exits(0).out.matches("line").count();
    for _ in 0..2 {
        // A terminal that the supervisor has not been given yet goes with the keeper.
        let supervisor = stack.supervisor();
        eventually("the second holder", || holds_terminal(&supervisor));
        let keeper = supervisor.parent().expect("a keeper");
        keeper.kill();
        wait_for("another keeper", || stack.keeper_by_lock().filter(|it| *it != keeper.pid));
        stack.supervisor().kill();
        assert_eq!((stack.state("sh"), stack.pid("sh")), ("ready".to_owned(), pid));
        let before = lines();
        eventually("more lines", || lines() > before);
    }
    // Another program goes on with it, too.
    stack.run("upgrade").exits(0);
    let before = lines();
    eventually("more lines", || lines() > before);
    let mut terminal = stack.on_terminal("attach sh");
    terminal.has_shown("line");
    terminal.press(b"hello\r");
    terminal.has_shown("got hello");
    terminal.press(b"\x1d");
    assert_eq!((terminal.ends(), stack.pid("sh")), (Some(0), pid));
    stack.run("restart sh").exits(0);
    assert!(!alive(pid));
    stack.has_logged("sh", "line 1");
}

/// Whether a process has the master of a terminal open.
fn holds_terminal(process: &Process) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.pid));
    let paths = descriptors.into_iter().flatten().flatten();
    let mut targets = paths.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.any(|target| target.ends_with("ptmx"))
}
