//! `notify`: a service says itself that it is ready, and only a process of its own may.

use std::os::{linux::net::SocketAddrExt, unix::net::UnixDatagram};

use crate::support::{Stack, alive, eventually, have};

/// Waits for the file `go`, then says `READY=1`, by a child if there is an argument.
const SERVICE: &str = r#"
import os, socket, sys, time
print("socket", os.environ["NOTIFY_SOCKET"], flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
if len(sys.argv) > 1 and os.fork() > 0:
    time.sleep(600)
name = os.environ["NOTIFY_SOCKET"]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.sendto(b"STATUS=warm\nREADY=1", "\0" + name[1:] if name[0] == "@" else name)
open("sent", "w").close()
time.sleep(600)
"#;

fn stack(run: &str) -> Stack {
    let stack = Stack::new(&format!(r#"service "a" {{ run "{run}"; ready {{ notify }} }}"#));
    stack.put("service.py", SERVICE);
    stack
}

#[test]
fn it_is_ready_when_it_says_so() {
    if !have(&["python3"]) {
        return;
    }
    let stack = stack("python3 service.py");
    let up = stack.start("up");
    stack.reaches("a", "starting");
    stack.put("go", "");
    up.ends().exits(0);
    // And again after a restart: what an earlier start has said does not count.
    std::fs::remove_file(stack.path("go")).expect("the file");
    let restart = stack.start("restart a");
    stack.reaches("a", "starting");
    stack.put("go", "");
    restart.ends().exits(0);
}

#[test]
fn a_child_may_say_it() {
    if !have(&["python3"]) {
        return;
    }
    let stack = stack("python3 service.py by-a-child");
    stack.put("go", "");
    stack.up();
}

#[test]
fn a_stranger_may_not() {
    if !have(&["python3"]) {
        return;
    }
    let stack = stack("python3 service.py");
    let up = stack.start("up");
    eventually("its socket", || stack.run("logs a --raw").out.contains("socket @"));
    let log = stack.run("logs a --raw").out;
    let name = log.split('@').nth(1).expect("a name").trim().to_owned();
    let socket = UnixDatagram::unbound().expect("a socket");
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("an address");
    socket.send_to_addr(b"READY=1", &address).expect("it can be sent");
    stack.run("wait a --for ready --timeout 500ms").exits(124);
    assert_eq!(stack.state("a"), "starting");
    stack.put("go", "");
    up.ends().exits(0);
}

#[test]
fn nothing_is_lost_while_the_supervisor_is_away() {
    if !have(&["python3"]) {
        return;
    }
    let stack = stack("python3 service.py");
    let _up = stack.start("up");
    stack.reaches("a", "starting");
    let pid = stack.pid("a");
    let supervisor = stack.supervisor();
    supervisor.kill();
    stack.put("go", "");
    eventually("the word", || stack.path("sent").exists());
    stack.reaches("a", "ready");
    assert_eq!(stack.pid("a"), pid);
    assert!(alive(pid) && !supervisor.lives());
}
