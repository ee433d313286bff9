//! What `up` costs over a bare loop: 200 independent `sleep`s, and 1,000, started by `stackrun up` and by
//! nothing but spawns, in turn.
//!
//! Two moments end a start. *Returned*: the loop has made its last spawn, the command has exited.
//! *Running*: every `sleep` sleeps. The second is the fair one. A spawn is over when its child
//! begins to execute, and a loop that stops there leaves the children's own way to their `main`,
//! most of the work of all, to go on behind its back; `up` has had to share the processors with it.
//! For both sides the same look at `/proc` tells, and its time counts.
//!
//! `cargo bench --bench spawn`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement starts programs, reads the clock, and prints"
)]

#[expect(dead_code, unused_imports, reason = "a measurement needs a part of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "a measurement needs a part of it")]
mod table;

use std::{
    fmt::Write,
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::Stack;

/// Between two looks at a child that does not sleep yet.
const PAUSE: Duration = Duration::from_micros(200);

fn main() {
    measure(200, 15);
    measure(1000, 5);
}

/// How long a start took: until it had returned, and until every `sleep` slept.
struct Took {
    returned: Duration,
    running: Duration,
}

fn measure(services: usize, rounds: usize) {
    let text = (0..services).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "service \"s{index}\" {{ run \"sleep 600\"; stop grace=\"2s\" }}");
        text
    });
    let (mut bare, mut up) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(bare_loop(services));
        up.push(through_up(&text, services));
    }
    let of = |took: &[Took], end: fn(&Took) -> Duration| took.iter().map(end).collect();
    for (end, moment) in [
        ("running", (|took| took.running) as fn(&Took) -> Duration),
        ("returned", |took| took.returned),
    ] {
        let rows = [("bare loop", of(&bare, moment)), ("stackrun up", of(&up, moment))];
        table::print(&format!("{services} × sleep, {end}"), &rows);
    }
}

fn bare_loop(services: usize) -> Took {
    let start = Instant::now();
    let children: Vec<Child> = (0..services)
        .map(|_| {
            let mut sleep = Command::new("sleep");
            sleep.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            sleep.spawn().expect("sleep starts")
        })
        .collect();
    let returned = start.elapsed();
    children.iter().for_each(|child| await_sleep(child.id()));
    let running = start.elapsed();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    Took { returned, running }
}

fn through_up(text: &str, services: usize) -> Took {
    let stack = Stack::new(text);
    let mut up = stack.command("up");
    up.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = up.status().expect("`up` starts");
    let returned = start.elapsed();
    assert!(status.success(), "`up` → {status}");
    // Not by its lock: to read /proc/locks takes a grace period of RCU after a new lock, 10 ms.
    let keeper =
        stackrun::platform::Peer::of(stack.connect()).expect("the keeper").pid.expect("its number");
    let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"));
    let children: Vec<u32> = children
        .expect("the keeper's children")
        .split_ascii_whitespace()
        .map(|pid| pid.parse().expect("a number"))
        .collect();
    assert_eq!(children.len(), services, "every service is a child of the keeper's main thread");
    children.into_iter().for_each(await_sleep);
    let running = start.elapsed();
    stack.down();
    Took { returned, running }
}

/// Waits until a process is a `sleep` that sleeps.
fn await_sleep(pid: u32) {
    let sleeps = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process that lives");
        stat.contains("(sleep) S ")
    };
    while !sleeps() {
        thread::sleep(PAUSE);
    }
}
