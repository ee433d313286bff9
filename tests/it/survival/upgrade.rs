//! Another version takes over a running stack, and no service notices.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    process::Command,
    thread,
};

use serde_json::{Value, json};

use crate::support::{Running, Stack, eventually};

const STACK: &str = r#"
    service "db"  { run "@testbed listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed tick 2" }
    service "end" { shell "while ! test -e go; do sleep 0.01; done; exit 9"; restart "never" }
"#;

fn pids(stack: &Stack) -> [u32; 3] {
    ["db", "api", "end"].map(|name| stack.pid(name))
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn an_upgrade_restarts_nothing_and_exits_stay_exact() {
    let stack = Stack::new(STACK);
    stack.up();
    let before = pids(&stack);
    let (supervisor, keeper) = (stack.supervisor(), stack.supervisor().parent().expect("a keeper"));
    // The new version is another file.
    let binary = stack.path("stackrun-next");
    // Copied by a program: a file that this one had open could not be executed.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_stackrun")).arg(&binary).status();
    assert!(copied.expect("cp runs").success());
    let mut next = Command::new(&binary);
    next.arg("upgrade").current_dir(stack.folder());
    Running::start("upgrade".to_owned(), next).ends().exits(0).says("nothing was restarted");
    assert_eq!(pids(&stack), before);
    let now = stack.supervisor();
    assert_ne!(now.pid, supervisor.pid);
    assert_eq!(now.parent().map(|parent| parent.pid), Some(keeper.pid), "the same process");
    for pid in [now.pid, keeper.pid] {
        assert_eq!(fs::read_link(format!("/proc/{pid}/exe")).expect("its program"), binary);
    }
    stack.put("go", "");
    stack.reaches("end", "failed");
    assert_eq!(stack.node("end")["exit"]["code"], 9, "it still is its keeper's child");
    stack.down();
}

#[test]
fn an_upgrade_during_a_start_and_a_stop_goes_on_with_both() {
    let stack = Stack::new(
        r#"
        service "db"   { run "@testbed lock db.lock counted db.starts"; ready { shell "test -e go" } }
        service "api"  { needs "db"; run "@testbed lock api.lock counted api.starts" }
        service "slow" { run "@testbed lock slow.lock mark slow.txt slow slow-stop 60000"; stop grace="2m"; restart "never" }
        task "made"    { shell "while ! test -e go; do sleep 0.02; done; echo made >> made.txt" }
        "#,
    );
    stack.run("up slow").exits(0);
    eventually("its start", || stack.read("slow.txt").contains("start"));
    let slow = stack.process("slow");
    let up = stack.start("up");
    let made = stack.start("run made");
    stack.reaches("db", "starting");
    let restart = stack.start("restart slow");
    eventually("its stop", || stack.read("slow.txt").contains("term"));
    let db = stack.pid("db");
    let supervisor = stack.supervisor();
    for _ in 0..2 {
        stack.run("upgrade").exits(0).says("nothing was restarted");
    }
    assert_ne!(stack.supervisor().pid, supervisor.pid);
    assert_eq!((stack.state("db").as_str(), stack.state("api").as_str()), ("starting", "waiting"));
    assert_eq!(stack.state("slow"), "stopping");
    assert_eq!(stack.pid("db"), db);
    stack.put("go", "");
    slow.kill();
    for command in [up, made, restart] {
        command.ends().exits(0);
    }
    assert_eq!(stack.pid("db"), db);
    for (file, text) in [("db.starts", "."), ("api.starts", "."), ("made.txt", "made\n")] {
        assert_eq!(stack.read(file), text, "{file}");
    }
    assert_eq!(stack.read("slow.txt").matches("start").count(), 2);
    for name in ["db", "api", "slow"] {
        assert_eq!(stack.read(&format!("{name}.lock.violations")), "", "{name}");
    }
    // Its end would be waited for; and it is not to be back before the `down` comes.
    stack.process("slow").kill();
}

/// The messages that are in every version the same, as bytes.
#[test]
fn any_other_version_can_ask_for_the_upgrade() {
    let stack = Stack::new(STACK);
    stack.up();
    let before = pids(&stack);
    let supervisor = stack.supervisor();
    let mut stream = stack.connect();
    let hello = r#"{"id":1,"request":{"hello":{"protocol":4711,"version":"47.11.0","pid":1}}}"#;
    writeln!(stream, "{hello}").expect("it listens");
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut answer = String::new();
    reader.read_line(&mut answer).expect("an answer");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["reply"]["hello"]["version"], version());
    let program = env!("CARGO_BIN_EXE_stackrun");
    let refused = json!({ "id": 2, "request": { "upgrade": { "program": "/no/such" } } });
    writeln!(stream, "{refused}").expect("it listens");
    let mut answer = String::new();
    reader.read_line(&mut answer).expect("an answer");
    assert!(answer.contains("error") && answer.contains("/no/such"), "{answer}");
    let asked = json!({ "id": 3, "request": { "upgrade": { "program": program } } });
    writeln!(stream, "{asked}").expect("it listens");
    let mut rest = String::new();
    let _hung_up = reader.read_to_string(&mut rest);
    eventually("another supervisor", || stack.supervisor().pid != supervisor.pid);
    assert_eq!(pids(&stack), before);
}

/// What an older supervisor says to a client of today.
#[test]
fn up_against_an_older_version_asks_for_the_upgrade() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    let places = stack.places();
    let listener = places.control().listen().expect("its socket");
    let old = thread::spawn(move || {
        let answer = r#"{"id":1,"reply":{"hello":{"protocol":0,"version":"0.0.1","pid":1,"keeper":1,"used":true}}}"#;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let mut line = String::new();
            let _reset = BufReader::new(stream.try_clone().expect("a copy")).read_line(&mut line);
            // Somebody who lists all stacks may have been ended before a word.
            let Ok(asked) = serde_json::from_str::<Value>(&line) else { continue };
            if let Some(asked) = asked["request"].get("upgrade") {
                // The newer one goes on from here.
                return asked["program"].as_str().expect("a path").to_owned();
            }
            assert!(asked["request"].get("hello").is_some(), "{asked}");
            let _gone_meanwhile = writeln!(stream, "{answer}");
        }
        unreachable!("a listener never ends")
    });
    stack.run("status").exits(1).says("version 0.0.1").says("stackrun upgrade");
    stack.up();
    assert_eq!(old.join().expect("the older version"), env!("CARGO_BIN_EXE_stackrun"));
    assert_eq!(stack.state("a"), "ready");
}

/// A keeper that speaks an older protocol than the supervisor that it has started.
#[test]
fn a_keeper_of_another_version_is_asked_to_go_on_as_this_one() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    let (mut ours, theirs) = UnixStream::pair().expect("a connection");
    let control = UnixListener::bind(stack.path("control")).expect("a socket");
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_stackrun"));
    supervisor.args(["supervisor", "--dir"]).arg(stack.folder());
    let (line, socket) = (theirs.as_raw_fd(), control.as_raw_fd());
    // SAFETY: system calls alone.
    unsafe {
        supervisor.pre_exec(move || {
            // Away from the numbers that are given out, then there.
            let (line, socket) = (libc::dup(line), libc::dup(socket));
            libc::dup2(libc::fcntl(line, libc::F_DUPFD, 20), 3);
            libc::dup2(libc::fcntl(socket, libc::F_DUPFD, 20), 4);
            Ok(())
        });
    }
    // Somebody holds the stack: it must not look for another keeper.
    let folder = fs::File::open(stack.folder()).expect("the folder");
    folder.lock().expect("the lock");
    let running = Running::start("supervisor".to_owned(), supervisor);
    drop(theirs);
    writeln!(ours, r#"{{"hello":{{"protocol":0,"version":"0.0.1","pid":1,"odd":[1]}}}}"#)
        .expect("it listens");
    let mut asked = String::new();
    BufReader::new(ours.try_clone().expect("a copy")).read_line(&mut asked).expect("a line");
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    let expected = json!({ "upgrade": { "program": env!("CARGO_BIN_EXE_stackrun") } });
    assert_eq!(asked, expected);
    ours.shutdown(std::net::Shutdown::Both).expect("a connection");
    running.ends().exits(0);
    drop(folder);
}
