//! What checks cost: 1,000 of `alive` a second over HTTP, of a port that may be anybody's and of
//! the services' own.
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
    env,
    fmt::Write as _,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use support::Stack;
use table::processor_time;

const SPAN: Duration = Duration::from_secs(20);
/// The first argument of this program where it is a service.
const SERVE: &str = "serve";

fn main() {
    let mut args = env::args().skip(1);
    if args.next().is_some_and(|first| first == SERVE) {
        let port = args.next().and_then(|port| port.parse().ok()).expect("a port");
        let server = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        return answer_all(&server);
    }
    // Of somebody else, who may be anybody.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("it has one").port();
    thread::spawn(move || answer_all(&server));
    let check = format!("alive every=\"1s\" {{ http \"http://127.0.0.1:{port}/\" }}");
    measure(
        "1000 services, another's port",
        1000,
        &format!("run \"sleep 6000\"\n {check}"),
        |_| vec![u64::from(port)],
    );
    // Each its own: whose the listener is has to be known each time.
    let program = env::current_exe().expect("this program has a path");
    let own = format!(
        "run \"{}\" \"{SERVE}\" \"{{{{port}}}}\"\n port \"auto\"\n alive every=\"100ms\" {{ http \"/\" }}",
        program.display()
    );
    measure("100 services, their own ports", 100, &own, |stack| {
        let services = stack.status()["services"].as_array().cloned().expect("services");
        services.iter().filter_map(|service| service["ports"][0]["port"].as_u64()).collect()
    });
}

/// What the checks of that many services cost, whose servers listen on `ports`.
fn measure(what: &str, services: usize, service: &str, ports: impl Fn(&Stack) -> Vec<u64>) {
    let text = (0..services).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "service \"s{index}\" {{\n {service}\n}}");
        text
    });
    let stack = Stack::new(&text);
    stack.up();
    // What follows a start is over, and every service has been asked.
    thread::sleep(SPAN / 4);
    let ports = ports(&stack);
    let asked = || ports.iter().map(|port| count(*port)).sum::<u64>();
    let supervisor = stack.supervisor();
    let used = processor_time(supervisor.pid);
    let (before, began) = (asked(), Instant::now());
    thread::sleep(SPAN);
    let (used, took) = (processor_time(supervisor.pid) - used, began.elapsed());
    let asked = (asked() - before) as f64;
    println!(
        "{what:<30} {:.0} HTTP checks a second: {:.1} % of a processor, {:.0} µs a check",
        asked / took.as_secs_f64(),
        100.0 * used.as_secs_f64() / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / asked
    );
}

/// How often a server has been asked.
fn count(port: u64) -> u64 {
    let mut client = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a server");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    answer.rsplit('\n').next().and_then(|count| count.parse().ok()).expect("a number")
}

/// Answers each request with 200 and the number of those before, and hangs up.
fn answer_all(server: &TcpListener) {
    let mut answered: u64 = 0;
    for mut client in server.incoming().flatten() {
        let mut request = [0; 4096];
        // One that hangs up has asked for nothing.
        if client.read(&mut request).is_ok_and(|length| length > 0) {
            let body = answered.to_string();
            let length = body.len();
            let text = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = client.write_all(text.as_bytes());
            answered += 1;
        }
    }
}
