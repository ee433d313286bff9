//! Processes that cannot be killed, that are somebody else's by now, or that are too quick.

use std::{ffi::CString, os::unix::ffi::OsStrExt};

use crate::support::{Stack, Stranger, alive, eventually, may_choose_numbers, may_trace, testbed};

/// A debugger that lets a process not end.
fn debugger(stack: &Stack, pid: u32) -> Stranger {
    let debugger = stack.stranger(&["trace", &pid.to_string(), "traced.txt"], &[]);
    eventually("the debugger", || stack.read("traced.txt") == "traced\n");
    debugger
}

#[test]
fn who_is_traced_is_named_and_the_rest_stops() {
    if !may_trace() {
        return;
    }
    let stack = Stack::new(
        r#"
        defaults { stop grace="200ms" }
        service "db"    { run "@testbed" }
        service "held"  { needs "db"; run "@testbed stubborn" }
        service "other" { run "@testbed" }
        "#,
    );
    stack.up();
    let held = stack.pid("held");
    let debugger = debugger(&stack, held);
    let down = stack.run("down").exits(1).says(&format!("{held} ")).says("traced by");
    assert!(down.err.contains(&debugger.pid().to_string()), "{down:#?}");
    let left: Vec<u32> = stack.left().iter().map(|process| process.pid).collect();
    assert!(left.contains(&held), "it was killed after all: {left:?}");
    assert!(!stack.left().iter().any(|process| process.command.ends_with("testbed")), "{left:?}");
    drop(debugger);
    eventually("its end, now that nobody holds it", || !alive(held));
    stack.down();
}

#[test]
fn a_service_that_is_traced_fails_its_stop_and_no_other() {
    if !may_trace() {
        return;
    }
    let stack = Stack::new(
        r#"
        defaults { stop grace="200ms" }
        service "held"  { run "@testbed stubborn" }
        service "other" { run "@testbed lock other.lock" }
        "#,
    );
    stack.up();
    let (held, other) = (stack.pid("held"), stack.pid("other"));
    let debugger = debugger(&stack, held);
    stack.run("down held").exits(1).says("traced by");
    stack.run("why held").says("traced by");
    assert_eq!(stack.pid("other"), other);
    stack.run("restart other").exits(0);
    drop(debugger);
    stack.reaches("held", "idle");
    stack.run("up held").exits(0);
    assert_eq!(stack.read("other.lock.violations"), "");
}

/// A stranger with a number of our choice (clone3(2) with `set_tid`).
fn recycled(pid: u32) -> Recycled {
    let program = CString::new(testbed().as_os_str().as_bytes()).expect("no zero");
    let argv = [program.as_ptr(), std::ptr::null()];
    let wanted = [i32::try_from(pid).expect("a pid")];
    // SAFETY: all zeroes is a valid value; see clone3(2) for each that is set. The child, a copy
    // of this process, does nothing but execute a program, with memory that was made before.
    let child = unsafe {
        let mut arguments: libc::clone_args = std::mem::zeroed();
        arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
        arguments.set_tid = wanted.as_ptr() as u64;
        arguments.set_tid_size = 1;
        let size = size_of::<libc::clone_args>();
        let child = libc::syscall(libc::SYS_clone3, &raw const arguments, size);
        if child == 0 {
            let environment = [std::ptr::null()];
            libc::execve(program.as_ptr(), argv.as_ptr(), environment.as_ptr());
            libc::_exit(127);
        }
        child
    };
    assert_eq!(child, i64::from(pid), "{}", std::io::Error::last_os_error());
    Recycled(wanted[0])
}

/// A child of this program, until it is dropped.
struct Recycled(libc::pid_t);

impl Drop for Recycled {
    fn drop(&mut self) {
        // SAFETY: an unreaped child of ours.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

#[test]
fn as_root_a_number_that_is_a_strangers_by_now_is_left_alone() {
    if !may_choose_numbers() {
        return;
    }
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed lock a.lock"; restart "never" }
        service "b" { run "@testbed lock b.lock" }
        "#,
    );
    for line in ["down", "restart", "up", "down a", "signal a TERM"] {
        stack.up();
        let number = stack.pid("a");
        let supervisor = stack.supervisor();
        let keeper = supervisor.parent().expect("the keeper");
        let service = stack.process("a");
        for process in [&keeper, &supervisor, &service] {
            process.kill();
        }
        eventually("the end of all three", || {
            let gone = |pid: u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
            gone(number) && !keeper.lives() && !supervisor.lives()
        });
        let stranger = recycled(number);
        let _whatever_it_says = stack.run(line);
        assert!(alive(number), "`{line}` has killed a stranger");
        stack.down();
        assert!(alive(number), "`down` has killed a stranger");
        drop(stranger);
    }
    assert_eq!(stack.read("a.lock.violations") + &stack.read("b.lock.violations"), "");
}

#[test]
fn storms_of_forks_are_over_with_their_service_however_busy_the_machine_is() {
    let stack = Stack::new(
        r#"
        service "calm"  { run "@testbed lock calm.lock" }
        service "storm" {
            shell "storm() { while :; do setsid /bin/sh -c 'sleep 0.01; setsid sleep 0.02 & sleep 0.01' & sleep 0.01; done; }; for i in 1 2 3 4 5 6 7 8 9 10; do storm & done; wait"
            stop grace="50ms"
        }
        "#,
    );
    stack.up();
    let calm = stack.pid("calm");
    eventually("many of them", || stack.left().len() > 20);
    stack.run("down storm").exits(0);
    let storm = |process: &crate::support::Process| process.command.contains("sleep");
    assert_eq!(stack.left().iter().filter(|process| storm(process)).count(), 0);
    assert_eq!(stack.pid("calm"), calm);
    stack.run("restart storm").exits(0);
    stack.down();
}
