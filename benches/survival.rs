//! What surviving costs: how long a supervisor that was killed is away, and what keeper and
//! supervisor use while nothing happens.
//!
//! `cargo bench --bench survival`

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
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    thread,
    time::{Duration, Instant},
};

use support::{Process, Stack, anonymous_kib};
use table::processor_time;

const KILLS: usize = 100;
const IDLE: Duration = Duration::from_secs(30);

fn main() {
    let stack = idle(100);
    let mut away: Vec<Duration> = (0..KILLS).map(|_| time_away(&stack)).collect();
    away.sort();
    println!(
        "supervisor killed {KILLS} times, 100 services: it answers again after p50 {:.1?}, p99 {:.1?}",
        away[KILLS / 2],
        away[KILLS * 99 / 100]
    );
    print_memory(&stack, 100);
    print_cpu(&stack, 100);
    drop(stack);
    let stack = idle(1000);
    print_memory(&stack, 1000);
}

/// A stack of services that do nothing.
fn idle(services: usize) -> Stack {
    let text = (0..services).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "service \"s{index}\" {{ run \"sleep 6000\" }}");
        text
    });
    let stack = Stack::new(&text);
    stack.up();
    stack
}

/// From the kill to the next supervisor's first answer.
fn time_away(stack: &Stack) -> Duration {
    let supervisor = stack.supervisor();
    // One that has been well for some time is started again at once; the pause after several
    // deaths in a row is not what is measured.
    thread::sleep(Duration::from_millis(1100));
    let began = Instant::now();
    supervisor.kill();
    let hello = r#"{"id":1,"request":{"request":"hello","protocol":1,"version":"x","pid":1}}"#;
    loop {
        let mut stream = stack.connect();
        let mut answer = String::new();
        let asked = writeln!(stream, "{hello}");
        // The one that is dying may have taken this connection.
        let read = asked.and_then(|()| BufReader::new(stream).read_line(&mut answer));
        if read.is_ok_and(|length| length > 0) {
            return began.elapsed();
        }
    }
}

fn roles(stack: &Stack) -> [(&'static str, Process); 2] {
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    [("keeper", keeper), ("supervisor", supervisor)]
}

fn print_memory(stack: &Stack, services: usize) {
    for (role, process) in roles(stack) {
        println!("{role}, {services} idle services: {} KiB of its own", anonymous_kib(process.pid));
    }
}

fn print_cpu(stack: &Stack, services: usize) {
    let roles = roles(stack);
    // What follows a start is over.
    thread::sleep(IDLE);
    let before = roles.each_ref().map(|(_, process)| used(process));
    thread::sleep(IDLE);
    for ((role, process), (time, switches)) in roles.iter().zip(before) {
        let now = used(process);
        println!(
            "{role}, {services} idle services, {IDLE:?}: {} ms of processor time, {} wake-ups",
            (now.0 - time).as_millis(),
            now.1 - switches
        );
    }
}

/// Its processor time, and how often it has slept.
fn used(process: &Process) -> (Duration, u64) {
    let threads = fs::read_dir(format!("/proc/{}/task", process.pid)).expect("its threads");
    let switches = threads.flatten().map(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    });
    (processor_time(process.pid), switches.sum())
}
