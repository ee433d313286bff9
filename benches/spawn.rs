//! What `up` costs over a bare loop: 200 independent `sleep`s, and 1,000, started by `stackrun up` and by
//! nothing but spawns, in turn.
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
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use support::Stack;

fn main() {
    measure(200, 7);
    measure(1000, 3);
}

fn measure(services: usize, rounds: usize) {
    let text = (0..services).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "service \"s{index}\" {{ run \"sleep 600\"; stop grace=\"2s\" }}");
        text
    });
    let (mut bare, mut up) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(bare_loop(services));
        up.push(through_up(&text));
    }
    table::print(&format!("{services} × sleep"), &[("bare loop", bare), ("stackrun up", up)]);
}

fn bare_loop(services: usize) -> Duration {
    let start = Instant::now();
    let children: Vec<Child> = (0..services)
        .map(|_| {
            let mut sleep = Command::new("sleep");
            sleep.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            sleep.spawn().expect("sleep starts")
        })
        .collect();
    let took = start.elapsed();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    took
}

fn through_up(text: &str) -> Duration {
    let stack = Stack::new(text);
    let start = Instant::now();
    stack.up();
    let took = start.elapsed();
    stack.down();
    took
}
