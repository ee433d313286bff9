//! What checks cost: 1,000 services whose `alive` asks over HTTP every second.
//!
//! `cargo bench --bench checks`

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
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::Stack;
use table::processor_time;

const SERVICES: usize = 1000;
const SPAN: Duration = Duration::from_secs(20);

fn main() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("it has one").port();
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    thread::spawn(move || server.incoming().flatten().for_each(|client| answer(client, &counter)));
    let text = (0..SERVICES).fold(String::new(), |mut text, index| {
        let _ = writeln!(
            text,
            "service \"s{index}\" {{\n run \"sleep 6000\"\n \
             alive every=\"1s\" {{ http \"http://127.0.0.1:{port}/\" }}\n}}"
        );
        text
    });
    let stack = Stack::new(&text);
    stack.up();
    // What follows a start is over, and every service has been asked.
    thread::sleep(SPAN / 4);
    let supervisor = stack.supervisor();
    let used = processor_time(supervisor.pid);
    let (asked, began) = (answered.load(Ordering::Relaxed), Instant::now());
    thread::sleep(SPAN);
    let (used, took) = (processor_time(supervisor.pid) - used, began.elapsed());
    let asked = answered.load(Ordering::Relaxed) - asked;
    let a_second = asked as f64 / took.as_secs_f64();
    println!(
        "{SERVICES} services, {a_second:.0} HTTP checks a second: {:.1} % of a processor, {:.0} µs \
         a check",
        100.0 * used.as_secs_f64() / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / asked as f64
    );
}

/// Answers one request with 200 and hangs up.
fn answer(mut client: TcpStream, answered: &AtomicUsize) {
    let mut request = [0; 4096];
    // One that hangs up has asked for nothing.
    if client.read(&mut request).is_ok_and(|length| length > 0) {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let _ = client.write_all(text);
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
