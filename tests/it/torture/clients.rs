//! Clients that are many, rude, silent or slow.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use crate::support::{Stack, eventually};

use super::{Chance, rounds};

const STACK: &str = r#"
    service "db"  { run "@testbed lock db.lock" }
    service "api" { needs "db"; run "@testbed lock api.lock" }
    service "web" { needs "api"; run "@testbed lock web.lock" }
"#;

fn connect(stack: &Stack) -> UnixStream {
    let stream = stack.connect();
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    stream
}

/// Whether the other side has hung up.
fn hung_up(stream: &mut UnixStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn sixteen_clients_with_random_commands_agree_in_the_end() {
    let stack = Stack::new(STACK);
    stack.up();
    let mut chance = Chance::new();
    for _ in 0..rounds(2) {
        let lines: Vec<&str> = (0..16)
            .map(|_| {
                chance.one_of(&[
                    "up",
                    "up web",
                    "restart db",
                    "restart api",
                    "restart",
                    "down web",
                    "status",
                    "down api",
                    "wait --timeout 1s",
                    "why web",
                    "events",
                ])
            })
            .collect();
        let running: Vec<_> = lines.iter().map(|line| stack.start(line)).collect();
        for (line, running) in lines.iter().zip(running) {
            let ran = running.ends();
            println!("{line} → {}", ran.code);
        }
    }
    stack.up();
    for name in ["db", "api", "web"] {
        assert_eq!(stack.state(name), "ready", "{name}");
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
}

#[test]
fn what_is_no_message_is_dropped_and_hurts_nobody() {
    let stack = Stack::new(STACK);
    stack.up();
    let supervisor = stack.supervisor().pid;
    let mut chance = Chance::new();
    let seeds: [&[u8]; 7] = [
        b"\n",
        b"{}\n",
        b"{\"id\":1,\"request\":\"status\"\n",
        b"{\"id\":-1,\"request\":{\"hello\":{\"protocol\":1,\"version\":\"\",\"pid\":1}}}\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        b"\xff\xfe\x00\n",
    ];
    for _ in 0..rounds(60) {
        let mut bytes = chance.one_of(&seeds).to_vec();
        for _ in 0..chance.below(4) {
            let at = usize::try_from(chance.below(bytes.len() as u64)).expect("an index");
            bytes[at] = u8::try_from(chance.below(256)).expect("a byte");
        }
        bytes.push(b'\n');
        let mut stream = connect(&stack);
        let _dropped = stream.write_all(&bytes);
        let _dropped = stream.shutdown(std::net::Shutdown::Write);
        assert!(hung_up(&mut stream), "{:?}", String::from_utf8_lossy(&bytes));
    }
    // One that never ends its first message.
    let mut endless = connect(&stack);
    let sent = (0..1000).map(|_| endless.write_all(&[b'x'; 1024])).collect::<Result<Vec<()>, _>>();
    assert!(sent.is_err() || hung_up(&mut endless), "a message of a megabyte before hello");
    assert_eq!(stack.supervisor().pid, supervisor, "it never noticed");
    stack.run("status").exits(0);
}

#[test]
fn two_hundred_silent_connections_are_in_nobodys_way() {
    let stack = Stack::new(STACK);
    stack.up();
    let silent: Vec<UnixStream> = (0..200).map(|_| connect(&stack)).collect();
    // One that asks for everything and reads nothing.
    let mut slow = connect(&stack);
    let hello = r#"{"id":1,"request":{"hello":{"protocol":1,"version":"x","pid":1}}}"#;
    writeln!(slow, "{hello}").expect("it listens");
    writeln!(slow, r#"{{"id":2,"request":{{"events":{{"since":0,"follow":true}}}}}}"#)
        .expect("it listens");
    let began = std::time::Instant::now();
    for _ in 0..3 {
        stack.run("restart web").exits(0);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    drop(silent);
    let descriptors = || {
        let folder = format!("/proc/{}/fd", stack.supervisor().pid);
        std::fs::read_dir(folder).expect("its descriptors").count()
    };
    eventually("their descriptors to be closed", || descriptors() < 60);
    thread::yield_now();
}
