//! Clients that are many, rude, silent or slow.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{Stack, anonymous_kib, eventually};

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

/// A client that has said hello, and follows all records.
fn follower(stack: &Stack) -> UnixStream {
    let mut stream = connect(stack);
    let hello = r#"{"id":1,"request":{"hello":{"protocol":2,"version":"x","pid":1}}}"#;
    writeln!(stream, "{hello}").expect("it listens");
    writeln!(stream, r#"{{"id":2,"request":{{"events":{{"since":0,"follow":true}}}}}}"#)
        .expect("it listens");
    stream
}

/// Makes that many records.
fn storm(stack: &Stack, records: usize) {
    let mut stream = connect(stack);
    let hello = r#"{"id":1,"request":{"hello":{"protocol":2,"version":"x","pid":1}}}"#;
    writeln!(stream, "{hello}").expect("it listens");
    let ask = format!(
        r#"{{"id":2,"request":{{"signal":{{"name":"db","signal":"SIGCONT","tree":false,"line":"{}"}}}}}}"#,
        "x".repeat(400)
    );
    let mut answers = BufReader::new(stream.try_clone().expect("a copy"));
    let mut line = String::new();
    for _ in 0..records {
        writeln!(stream, "{ask}").expect("it listens");
        line.clear();
        answers.read_line(&mut line).expect("an answer");
    }
}

#[test]
fn a_hundred_who_follow_and_read_nothing_cost_a_bounded_amount_of_memory() {
    const RECORDS: usize = 12_000;
    let stack = Stack::new(STACK);
    stack.up();
    storm(&stack, 100);
    let supervisor = stack.supervisor();
    let before = anonymous_kib(supervisor.pid);
    let mut silent: Vec<UnixStream> = (0..100).map(|_| follower(&stack)).collect();
    // What each of them would have to read is more than 6 MB.
    storm(&stack, RECORDS);
    let during = anonymous_kib(supervisor.pid);
    assert!(during < before + (40 << 10), "{before} KiB, then {during} KiB");
    // One that begins to read after all gets all of it, or is told how much it does not get.
    let late = silent.pop().expect("a client");
    let mut last = 0;
    let (mut records, mut left_out) = (0, 0);
    let mut lines = BufReader::new(&late).lines();
    while records + left_out < RECORDS {
        let line = lines.next().expect("it is not hung up on").expect("a line");
        let answer: serde_json::Value = serde_json::from_str(&line).expect("an answer");
        let reply = &answer["reply"];
        if let Some(count) = reply["skipped"]["records"].as_u64() {
            left_out += usize::try_from(count).expect("a number");
            last += count;
        } else if let Some(seq) = reply["record"]["record"]["seq"].as_u64() {
            assert_eq!(seq, last + 1, "in order, none is missing");
            last = seq;
            records += 1;
        }
    }
    assert!(left_out > 0, "so many would not have been kept for it");
    drop(lines);
    drop((silent, late));
    eventually("the memory to be given back", || {
        anonymous_kib(supervisor.pid) < before + (8 << 10)
    });
    assert_eq!(stack.supervisor().pid, supervisor.pid);
}

#[test]
fn messages_without_an_end_cost_a_bounded_amount_of_memory() {
    let stack = Stack::new(STACK);
    stack.up();
    let supervisor = stack.supervisor();
    let before = anonymous_kib(supervisor.pid);
    let rude: Vec<_> = (0..30)
        .map(|_| {
            let mut stream = follower(&stack);
            thread::spawn(move || {
                let some = vec![b'x'; 1 << 20];
                // Until it is hung up on, or 60 MB.
                let sent = (0..60).take_while(|_| stream.write_all(&some).is_ok()).count();
                (stream, sent)
            })
        })
        .collect();
    let mut most = 0;
    while !rude.iter().all(thread::JoinHandle::is_finished) {
        most = most.max(anonymous_kib(supervisor.pid));
        // Others are served meanwhile.
        stack.run("status").exits(0);
    }
    assert!(most < before + (120 << 10), "{before} KiB, then {most} KiB");
    for rude in rude {
        let (mut stream, sent) = rude.join().expect("it ends");
        assert!(sent < 60 || hung_up(&mut stream));
    }
    eventually("the memory to be given back", || {
        anonymous_kib(supervisor.pid) < before + (8 << 10)
    });
    assert_eq!(stack.supervisor().pid, supervisor.pid, "it never noticed");
    stack.run("restart web").exits(0);
}

#[test]
fn a_follower_that_was_stopped_misses_nothing() {
    let stack = Stack::new(STACK);
    stack.up();
    let mut follower = stack.start("events -f --json");
    eventually("it to follow", || follower.out().contains("\"ready\""));
    follower.signal(Signal::STOP);
    // More than is kept for it, less than the end of the ledger that is read.
    storm(&stack, 4000);
    follower.signal(Signal::CONT);
    let last = stack.run("events --json").exits(0).out.lines().count();
    eventually("it to have caught up", || follower.out().lines().count() >= last);
    let seqs: Vec<u64> = follower
        .out()
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect("a record");
            record["seq"].as_u64().expect("a number")
        })
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "each, once, in order");
    follower.signal(Signal::INT);
    let _ = follower.ends();
}
