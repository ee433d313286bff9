//! How long it takes to find who holds a port, with 5,000 other sockets open: against a look at
//! every descriptor of every process.
//!
//! `cargo bench --bench holder`

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
    fs,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use stackrun::platform::{Holder, raise_limits};

const SOCKETS: usize = 5000;
const ROUNDS: usize = 50;

fn main() {
    raise_limits();
    // The program that a stack would be in the way of, and who has everything else open.
    let wanted = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = wanted.local_addr().expect("it has one").port();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut open: Vec<TcpStream> = Vec::new();
    while open.len() < SOCKETS {
        let address = server.local_addr().expect("it has one");
        open.push(TcpStream::connect(address).expect("it listens; is the limit of files raised?"));
        open.push(server.accept().expect("a client").0);
    }
    let (mut by_text, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        by_text.push(timed(|| assert_eq!(look_at_everything(port), Some(std::process::id()))));
        ours.push(timed(|| {
            let holder = Holder::of(port).expect("the system tells");
            let pid = std::process::id();
            assert!(matches!(holder, Holder::Stranger(process) if process.id.pid == pid));
        }));
    }
    drop(open);
    table::print_tail(
        &format!("holder, {SOCKETS} sockets"),
        &[("all of /proc", by_text), ("stackrun", ours)],
    );
}

fn timed(one: impl FnOnce()) -> Duration {
    let began = Instant::now();
    one();
    began.elapsed()
}

/// As a script would: the inode from the table of all sockets, then every descriptor there is.
fn look_at_everything(port: u16) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, hex) = fields[1].split_once(':')?;
        let listens = u16::from_str_radix(hex, 16) == Ok(port) && fields[3] == "0A";
        listens.then(|| format!("socket:[{}]", fields[9]))
    })?;
    let mut found = None;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name().into_string().unwrap_or_default();
        let Ok(pid) = name.parse::<u32>() else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            if fs::read_link(descriptor.path()).is_ok_and(|target| *target == *inode) {
                found = Some(pid);
            }
        }
    }
    found
}
