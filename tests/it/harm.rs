//! What has hurt users of other runners, each thing once.

mod needs;
mod stops;

use std::{
    fs,
    io::Read,
    os::unix::fs::MetadataExt,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{Running, Stack, alive, eventually, wait_for};

#[test]
fn a_storm_of_forks_is_over_after_down() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "trap '' TERM; while :; do @testbed daemon stubborn & sleep 0.02; done"
            stop grace="100ms"
        }
        "#,
    );
    stack.up();
    eventually("many of them", || stack.left().len() > 15);
    stack.down().says("0 processes");
}

#[test]
fn many_slow_stops_overlap() {
    let mut text = String::new();
    for service in 0..20 {
        text += &format!(
            "service \"s{service}\" {{ run \"@testbed mark marks.txt s{service} stop-after go\"; \
             stop grace=\"5m\" }}\n"
        );
    }
    let stack = Stack::new(&text);
    stack.up();
    eventually("all of them", || stack.read("marks.txt").lines().count() == 20);
    let down = stack.start("down");
    // None of them ends before all of them have been asked.
    eventually("all stops", || stack.read("marks.txt").matches("term ").count() == 20);
    stack.put("go", "");
    down.ends().exits(0);
}

#[test]
fn a_second_ctrl_c_in_the_foreground_kills_at_once() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed mark marks.txt a slow-stop 600000"; stop grace="10m" }"#,
    );
    let mut up = stack.start("up --foreground");
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    up.signal(Signal::INT);
    eventually("the gentle stop", || stack.read("marks.txt").contains("term a"));
    up.signal(Signal::INT);
    let _ = up.ends();
    eventually("the end of everything", || stack.left().is_empty());
}

#[test]
fn the_foreground_passes_on_how_the_first_service_failed() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed after 300 exit 9"; restart "never" }
        service "b" { run "@testbed" }
        "#,
    );
    stack.run("up --foreground").exits(9);
    eventually("the end of everything", || stack.left().is_empty());
}

#[test]
fn a_supervisor_that_dies_during_a_start_goes_on_with_it() {
    let mut text = String::from("service \"s0\" { run \"@testbed lock s0.lock\" }\n");
    for service in 1..10 {
        text += &format!(
            "service \"s{service}\" {{ needs \"s{}\"; run \"@testbed lock s{service}.lock \
             after 60 listen {{{{port}}}}\"; port @{service} }}\n",
            service - 1
        );
    }
    let stack = Stack::new(&text);
    let up = stack.start("up");
    for service in [2, 5, 7] {
        eventually("its start", || stack.path(&format!("s{service}.lock")).exists());
        stack.supervisor().kill();
    }
    let _ = up.ends();
    stack.up();
    for service in 0..10 {
        assert_eq!(stack.read(&format!("s{service}.lock.violations")), "");
    }
}

#[test]
fn a_keeper_that_dies_alone_is_replaced_and_nobody_notices() {
    let stack = Stack::new(r#"service "a" { run "@testbed lock a.lock tick 2" }"#);
    stack.up();
    let pid = stack.pid("a");
    let keeper = stack.supervisor().parent().expect("the keeper");
    keeper.kill();
    eventually("its end", || !keeper.lives());
    stack.up();
    assert_eq!(stack.pid("a"), pid);
    // What it writes from now on is kept as well.
    let lines = || stack.run("logs a --raw").exits(0).out.lines().count();
    let before = lines();
    eventually("more lines", || lines() > before + 20);
    let log = stack.run("logs a --raw").exits(0).out;
    let numbers: Vec<u64> =
        log.lines().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert!(numbers.iter().zip(1..).all(|(number, expected)| *number == expected), "{log}");
    stack.run("restart a").exits(0);
    assert!(!alive(pid));
    stack.down();
}

#[test]
fn an_end_that_nobody_saw_is_unknown_or_right_but_never_invented() {
    let stack = Stack::new(
        r#"
        service "a" { shell "while ! test -e go; do sleep 0.01; done; exit 9"; restart "never" }
        service "b" { run "@testbed" }
        "#,
    );
    stack.up();
    let pid = stack.pid("a");
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    keeper.kill();
    supervisor.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    stack.put("go", "");
    eventually("its end", || !alive(pid));
    // What still lives of the stack is taken over by this question.
    let a = wait_for("its end to be told", || {
        let a = stack.node("a");
        (a["state"] == "failed" || a["state"] == "exited").then_some(a)
    });
    assert!(a["exit"]["unknown"] == true || a["exit"]["code"] == 9, "{a}");
    assert_eq!(stack.state("b"), "ready");
}

#[test]
fn a_log_stays_within_its_size_and_no_line_is_torn() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed flood 60000"
            log max-size="64KiB" keep=2
        }
        "#,
    );
    stack.up();
    let log = || stack.run("logs a --raw").exits(0).out;
    eventually("the last line", || log().ends_with("line 000060000\n"));
    let log = log();
    let whole = |line: &str| line.len() == 14 && line.starts_with("line 0000");
    assert!(log.lines().all(whole), "a torn line");
    let numbers: Vec<u64> = log.lines().map(|line| line[5..].parse().expect("a number")).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "lines are missing in between");
    let size: u64 = folder_size(&stack.path(".stackrun/logs"));
    assert!(size < 400 << 10, "{size} bytes are kept");
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => folder_size(&entry.path()),
        Ok(data) => data.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[test]
fn a_long_path_with_blanks_and_a_long_name_are_no_obstacle() {
    let name = "n".repeat(60);
    let text = format!("service \"{name}\" {{ run \"@testbed\" }}\n");
    let outer = Stack::new(&text);
    let deep = "a folder with blanks and ünïcödé/".repeat(6);
    outer.put(&format!("{deep}stack.kdl"), &outer.read("stack.kdl"));
    for line in ["up", "status", "restart", "down"] {
        let mut command = outer.command(line);
        command.current_dir(outer.path(&deep));
        Running::start(format!("{line} far below"), command).ends().exits(0);
    }
}

#[test]
fn a_service_whose_wrapper_dies_first_is_waited_for() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "@testbed lock a.lock mark marks.txt a slow-stop 400 & wait"
        }
        "#,
    );
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    for _ in 0..2 {
        stack.run("restart a").exits(0);
        let starts = || stack.read("marks.txt").matches("start a").count();
        eventually("the next start", || {
            starts() > stack.read("marks.txt").matches("stop a").count()
        });
    }
    assert_eq!(stack.read("a.lock.violations"), "");
}

#[test]
fn a_line_of_ten_megabytes_is_kept_and_holds_up_nobody() {
    let stack = Stack::new(
        r#"
        service "a" { shell "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo done" }
        service "b" { needs "a"; run "@testbed print hello" }
        "#,
    );
    let _ = stack.run("up");
    eventually("the last line", || stack.run("logs a -n 1 --raw").exits(0).out == "done\n");
    let log = stack.run("logs a --raw").exits(0).out;
    assert_eq!(log.matches('x').count(), 10_000_000);
}

#[test]
fn a_running_stack_costs_no_processor_time() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port @0 }
        service "b" { needs "a"; run "@testbed" }
        task "long" { step "first" { run "true" }; step "second" { shell "touch there; exec @testbed" } }
        "#,
    );
    stack.up();
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let switches = |pid: u32| -> u64 {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads").flatten();
        let count = |thread: fs::DirEntry| -> u64 {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            // Only when it has slept: that others take its processor away is not its doing.
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        threads.map(count).sum()
    };
    let woken = || {
        let before = switches(supervisor.pid) + switches(keeper.pid);
        // An idle second is what is measured, so there is no condition to wait for.
        std::thread::sleep(std::time::Duration::from_secs(2));
        switches(supervisor.pid) + switches(keeper.pid) - before
    };
    let count = woken();
    assert!(count < 12, "woken {count} times in two idle seconds");
    let run = stack.start("run long");
    eventually("the second step", || stack.path("there").exists());
    // What the start of it brings is over soon.
    eventually("quiet while a step runs", || woken() < 12);
    stack.run("down long").exits(0);
    let _called_off = run.ends();
}

#[test]
fn nothing_listens_for_the_network_and_nobody_else_may_enter() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.up();
    for process in [stack.supervisor(), stack.supervisor().parent().expect("the keeper")] {
        let tables = ["tcp", "tcp6", "udp", "udp6"];
        let inodes: Vec<String> = tables
            .iter()
            .flat_map(|table| {
                let text = fs::read_to_string(format!("/proc/{}/net/{table}", process.pid));
                let text = text.unwrap_or_default();
                let inode = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
                text.lines().skip(1).filter_map(inode).collect::<Vec<_>>()
            })
            .collect();
        for entry in fs::read_dir(format!("/proc/{}/fd", process.pid)).expect("its files").flatten()
        {
            let target = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
            let socket = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            assert!(
                socket.is_none_or(|inode| !inodes.iter().any(|other| other == inode)),
                "{process} has a socket of the network"
            );
        }
    }
    let uid = rustix::process::geteuid().as_raw();
    for base in ["/run/user/{uid}/stackrun", "/dev/shm/stackrun-{uid}", "/tmp/stackrun-{uid}"] {
        let folder = base.replace("{uid}", &uid.to_string());
        if let Ok(data) = fs::metadata(&folder) {
            assert_eq!(data.mode() & 0o077, 0, "{folder} is open to others");
        }
    }
}

#[test]
fn ready_by_notification_and_only_from_the_service_itself() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "while ! test -e go; do sleep 0.02; done; exec @testbed notify READY=1"
            ready { notify }
        }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    let environment = fs::read(format!("/proc/{}/environ", stack.pid("a"))).expect("environment");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let socket = environment.split('\0').find_map(|pair| pair.strip_prefix("NOTIFY_SOCKET="));
    // It lives until it was looked at: of what has ended, nothing but its user can be known.
    let mut stranger = Command::new(crate::support::testbed())
        .args(["notify", "READY=1", "print", "sent"])
        .env("NOTIFY_SOCKET", socket.expect("a socket"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper");
    let mut said = [0; 4];
    stranger.stdout.take().expect("a pipe").read_exact(&mut said).expect("that it has sent it");
    // Whatever the stranger said has been read by the time that status has been asked for twice.
    for _ in 0..2 {
        assert_eq!(stack.state("a"), "starting");
    }
    stranger.kill().and_then(|()| stranger.wait()).expect("its end");
    stack.put("go", "");
    up.ends().exits(0);
}
