//! How late a chain gets: 20 services, each needs the one before and listens 50 ms after its
//! start, brought up by `stackrun up` and by a loop that asks every millisecond.
//!
//! `cargo bench --bench chain`

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
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{Stack, testbed};

const LINKS: usize = 20;
const DELAY: Duration = Duration::from_millis(50);
const ROUNDS: usize = 7;

fn main() {
    let text = (0..LINKS).fold(String::new(), |mut text, link| {
        let needs = match link {
            0 => String::new(),
            _ => format!("needs \"c{}\"; ", link - 1),
        };
        let _ = writeln!(
            text,
            "service \"c{link}\" {{ {needs}run \"@testbed after 50 listen {{{{port}}}}\"; port @{link} }}"
        );
        text
    });
    let (mut sum, mut bare, mut up) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let stack = Stack::new(&text);
        sum.push(DELAY * u32::try_from(LINKS).expect("few"));
        bare.push(bare_loop(&stack));
        up.push(through_up(&stack));
    }
    table::print(
        &format!("a chain of {LINKS}, {DELAY:?} each"),
        &[("the delays alone", sum), ("bare loop", bare), ("stackrun up", up)],
    );
}

fn bare_loop(stack: &Stack) -> Duration {
    let start = Instant::now();
    let children: Vec<Child> = (0..LINKS)
        .map(|link| {
            let port = stack.port(link);
            let mut link = Command::new(testbed());
            link.args(["after", "50", "listen", &port.to_string()]);
            link.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = link.spawn().expect("the helper starts");
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
            child
        })
        .collect();
    let took = start.elapsed();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    took
}

fn through_up(stack: &Stack) -> Duration {
    let start = Instant::now();
    stack.up();
    let took = start.elapsed();
    stack.down();
    took
}
