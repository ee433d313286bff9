//! What the caller's shell has set, limits and signals, is for the programs that it starts. Keeper
//! and supervisor are daemons and live on; services get all of it as the caller has it.

use std::{fs, io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::support::{Process, Ran, Running, Stack, eventually};

/// Runs `stackrun LINE` after this was done to the process that becomes it.
#[track_caller]
fn run_after(
    stack: &Stack,
    line: &str,
    prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) -> Ran {
    let mut command: Command = stack.command(line);
    // SAFETY: every caller makes system calls alone.
    unsafe { command.pre_exec(prepare) };
    Running::start(line.to_owned(), command).ends()
}

/// Sets both limits, the hard one only where it is lower than what there is.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum.map_or(hard, |now| now.min(hard));
    Ok(setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(maximum) })?)
}

/// What the kernel shows of a limit: soft and hard.
fn shown(process: &Process, limit: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid)).expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(limit)).expect("that limit");
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().expect("soft"), words.next().expect("hard"))
}

/// How often a notice was given.
fn notices(stack: &Stack, text: &str) -> usize {
    let events = stack.run("events").exits(0).out;
    events.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk_and_ends_nobody() {
    const LIMIT: u64 = 64 << 10;
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed flood 40000 mark marks a tick 2" }
        task "t" { step "one" { run "true" }; step "two" { run "true" } }
        "#,
    );
    run_after(&stack, "up", || limit(Resource::Fsize, LIMIT, LIMIT)).exits(0);
    let (both, service) = (stack.both(), stack.process("a"));
    // 40,000 lines are more than the log takes and the pipe holds.
    eventually("the service to have written all of it", || stack.read("marks").contains("start a"));
    eventually("a word about it", || notices(&stack, "dropping output") > 0);
    stack.run("run t").exits(0);
    let log = stack.path(".stackrun/logs/a.log");
    assert!(fs::metadata(&log).expect("its log").len() <= LIMIT);
    fs::remove_file(&log).expect("there is room again");
    eventually("the log to go on", || fs::metadata(&log).is_ok_and(|log| log.len() > 0));
    eventually("a word about that", || notices(&stack, "bytes of output were dropped") > 0);
    assert_eq!(notices(&stack, "dropping output"), 1, "it is said once");
    assert!(service.lives() && both.iter().all(Process::lives));
    assert_eq!(shown(&service, "Max file size"), (LIMIT.to_string(), LIMIT.to_string()));
    stack.down();
}

#[test]
fn the_ledger_may_reach_that_limit_too() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    // The file of the runtime folder fits, hardly anything else does.
    run_after(&stack, "up", || limit(Resource::Fsize, 512, 512)).exits(0);
    let (both, service) = (stack.both(), stack.process("a"));
    eventually("a word about it", || stack.run("events").out.contains("File too large"));
    stack.run("restart a").exits(0);
    assert!(!service.lives() && both.iter().all(Process::lives));
    both[1].kill();
    eventually("another supervisor", || stack.supervisor().pid != both[1].pid);
    assert_eq!(stack.state("a"), "ready");
    stack.down();
}

#[test]
fn limits_are_the_services_and_not_the_daemons() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            ready { shell "ulimit -Sn >check; ulimit -St >>check" }
        }
        task "t" { step "one" { shell "ulimit -Sn; ulimit -St"; stdout "step" } }
        "#,
    );
    run_after(&stack, "up", || {
        limit(Resource::Nofile, 200, 4096)?;
        limit(Resource::Cpu, 5000, 6000)
    })
    .exits(0);
    stack.run("run t").exits(0);
    assert_eq!(
        (stack.read("check"), stack.read("step")),
        ("200\n5000\n".into(), "200\n5000\n".into())
    );
    for process in stack.both() {
        assert_eq!(shown(&process, "Max open files"), ("4096".into(), "4096".into()));
        let (soft, hard) = shown(&process, "Max cpu time");
        assert!(soft == hard && soft != "5000", "{soft} {hard}");
    }
    let is_as_before = |of: &str| {
        let service = stack.process("a");
        assert_eq!(shown(&service, "Max open files"), ("200".into(), "4096".into()), "{of}");
        assert_eq!(shown(&service, "Max cpu time"), ("5000".into(), "6000".into()), "{of}");
    };
    is_as_before("at first");
    // A keeper that is started by the supervisor, and one that goes on as another program.
    let [keeper, supervisor] = stack.both();
    keeper.kill();
    eventually("another keeper", || stack.keeper_by_lock().is_some_and(|pid| pid != keeper.pid));
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    stack.run("restart a").exits(0);
    is_as_before("after a take-over");
    stack.run("upgrade").exits(0);
    stack.run("restart a").exits(0);
    is_as_before("after an upgrade");
    stack.down();
}

#[test]
fn a_limit_that_leaves_no_room_is_told_before_anything_starts() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    run_after(&stack, "up", || limit(Resource::Nofile, 20, 20))
        .exits(1)
        .says("only 20 files may be open")
        .says("ulimit -n");
    assert!(stack.left_soon().is_empty());
    // The least that is enough.
    run_after(&stack, "up", || limit(Resource::Nofile, 64, 64)).exits(0);
    stack.run("restart a").exits(0);
    stack.down();
}

#[test]
fn signals_that_mean_nothing_to_a_daemon_end_and_stop_nobody() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    let (both, service) = (stack.both(), stack.process("a"));
    let signals = [
        Signal::XFSZ,
        Signal::XCPU,
        Signal::HUP,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::POWER,
        Signal::STKFLT,
        Signal::TTIN,
        Signal::TTOU,
        Signal::TSTP,
        Signal::PIPE,
    ];
    for signal in signals {
        for process in &both {
            process.signal(signal);
            let status = stack.status();
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("it lives");
            assert!(process.lives() && !stat.contains(") T "), "{signal:?}: {stat}");
            assert_eq!(status["supervisor"]["pid"], both[1].pid, "{signal:?}");
        }
    }
    both[1].signal(Signal::INT);
    assert_eq!(stack.status()["supervisor"]["pid"], both[1].pid);
    assert!(service.lives());
    stack.down();
}

/// Signals 32 and 33 belong to the C library, which may do with them what it likes.
fn without_those_of_the_library(mask: &str) -> u64 {
    u64::from_str_radix(mask, 16).expect("a mask") & !(0b11 << 31)
}

#[test]
fn whatever_is_executed_has_default_signals_whatever_the_caller_ignores_or_blocks() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "cat /proc/self/status >service; exec @testbed"
            ready { run "sh -c 'cat /proc/self/status >check'" }
            before-start { run "sh -c 'cat /proc/self/status >hook'" }
        }
        task "t" {
            step "one" { pipe { run "cat /proc/self/status"; run "cat" }; stdout "step" }
        }
        task "whole" { shell "cat /proc/self/status >task" }
        "#,
    );
    run_after(&stack, "up", || {
        // SAFETY: system calls on memory of this stack frame.
        unsafe {
            for signal in 1..=libc::SIGRTMAX() {
                libc::signal(signal, libc::SIG_IGN);
            }
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        }
        Ok(())
    })
    .exits(0);
    stack.run("run t").exits(0);
    stack.run("run whole").exits(0);
    for name in ["service", "check", "hook", "step", "task"] {
        let text = stack.read(name);
        let masks: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.split_once(":\t")).collect();
        for kind in ["SigBlk", "SigIgn", "SigCgt"] {
            let mask = masks.iter().find(|(name, _)| *name == kind).expect("a mask").1;
            assert_eq!(without_those_of_the_library(mask), 0, "{name}: {text}");
        }
    }
    stack.down();
}

#[test]
fn what_is_not_utf8_in_the_callers_environment_comes_to_services_as_it_is() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let stack = Stack::new(
        r#"
        service "a" {
            shell "cat /proc/self/environ >service; exec @testbed"
            ready { run "sh -c 'cat /proc/self/environ >check'" }
        }
        task "t" { step "one" { run "cat /proc/self/environ"; stdout "step" } }
        task "args" { run "sh -c 'printf %s \"$1\" >args' sh" }
        "#,
    );
    let latin = OsStr::from_bytes(b"caf\xe9 \xff%");
    let started = |line: &str, arguments: &[&OsStr]| {
        let mut command = stack.command(line);
        let path = command.get_envs().find(|(key, _)| *key == "PATH").and_then(|(_, path)| path);
        let mut path = path.expect("a search path").to_owned();
        path.push(OsStr::from_bytes(b":/no/caf\xe9"));
        command.args(arguments).env("LATIN", latin).env("PATH", &path);
        command.env(OsStr::from_bytes(b"N\xe9"), "name");
        let ran = Running::start(line.to_owned(), command).ends();
        (ran, path)
    };
    let (ran, path) = started("up", &[]);
    ran.exits(0);
    started("run t", &[]).0.exits(0);
    started("run args --", &[latin]).0.exits(0);
    let expected = [
        [b"LATIN=".as_slice(), latin.as_bytes()].concat(),
        [b"PATH=".as_slice(), path.as_bytes()].concat(),
    ];
    let has_all = |environment: &[u8], of: &str| {
        for variable in &expected {
            let found = environment.split(|byte| *byte == 0).any(|one| one == variable);
            assert!(found, "{of}: {}", String::from_utf8_lossy(variable));
        }
    };
    for name in ["service", "check", "step"] {
        has_all(&fs::read(stack.path(name)).expect("an environment"), name);
    }
    // Shells let go of what they could not name; a step's program is executed by nobody else.
    let step = fs::read(stack.path("step")).expect("an environment");
    assert!(
        step.split(|byte| *byte == 0).any(|one| one == b"N\xe9=name"),
        "the name of a variable"
    );
    assert_eq!(fs::read(stack.path("args")).expect("an argument"), latin.as_bytes());
    // Also when the supervisor was killed, and both were.
    let [keeper, supervisor] = stack.both();
    supervisor.kill();
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    stack.run("signal a SIGKILL").exits(0);
    eventually("another start", || stack.node("a")["generation"] == 2);
    stack.reaches("a", "ready");
    has_all(&fs::read(stack.path("service")).expect("an environment"), "after a crash");
    drop(keeper);
    // By `exec`, and by what `env` exports.
    let mut exec = stack.command("exec a sh -c");
    exec.arg("cat /proc/self/environ >exec");
    Running::start("exec".to_owned(), exec).ends().exits(0);
    has_all(&fs::read(stack.path("exec")).expect("an environment"), "exec");
    let script = stack.run("env a --export --secrets").exits(0).out;
    let shell = Command::new("sh")
        .arg("-c")
        .arg(format!("{script}\nprintf %s \"$LATIN\""))
        .output()
        .expect("a shell");
    assert_eq!(shell.stdout, latin.as_bytes());
    // Where the file asks for it, that is told.
    stack.edit("shell \"cat", "env { L \"{{env.LATIN}}\" }; shell \"cat");
    started("check", &[]).0.exits(2).says("the value of `LATIN` is not UTF-8");
    stack.down();
}
