//! `notify`: a service says itself that it is ready, and only a process of its own may.

use std::os::{
    linux::net::SocketAddrExt,
    unix::{net::UnixDatagram, process::CommandExt},
};

use crate::support::{Stack, alive, eventually, have, root_for};

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

#[test]
fn a_helper_that_has_ended_already_is_believed() {
    // Its parent has reaped it before anybody could look at it, on a machine that is busy with
    // forty of them.
    let services = (0..40).map(|number| {
        format!(
            r#"service "s{number}" {{ shell "@testbed notify READY=1 exit 0; exec @testbed"; ready within="20s" {{ notify }}; restart "never" }}
            "#
        )
    });
    let stack = Stack::new(&services.collect::<String>());
    stack.up();
    for _ in 0..2 {
        stack.run("restart").exits(0);
    }
}

#[test]
fn a_helper_in_a_session_of_its_own_without_an_environment_is_believed() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "socket=$NOTIFY_SOCKET; (setsid env -i NOTIFY_SOCKET=$socket @testbed notify READY=1 &) </dev/null >/dev/null 2>&1; exec @testbed"
            ready { notify }
        }
        "#,
    );
    stack.up();
}

#[test]
fn a_stranger_that_knows_the_name_is_refused_alive_and_as_a_zombie() {
    let stack = Stack::new(
        r#"service "a" { shell "until test -e go; do sleep 0.02; done; exec @testbed notify READY=1"; ready { notify } }"#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    let environment = std::fs::read(format!("/proc/{}/environ", stack.pid("a")));
    let environment = String::from_utf8(environment.expect("its environment")).expect("text");
    let socket = environment.split('\0').find_map(|pair| pair.strip_prefix("NOTIFY_SOCKET="));
    let socket = socket.expect("a socket").to_owned();
    let env = [("NOTIFY_SOCKET", &*socket)];
    let living = stack.stranger(&["notify", "READY=1", "mark", "living", "x"], &env);
    // Nobody reaps it before this is dropped.
    let zombie = stack.stranger(&["notify", "READY=1", "counted", "ended", "exit", "0"], &env);
    eventually("both words", || stack.path("living").exists() && stack.path("ended").exists());
    stack.run("wait a --for ready --timeout 500ms").exits(124);
    assert_eq!(stack.state("a"), "starting");
    assert!(alive(living.pid()) && !alive(zombie.pid()));
    stack.put("go", "");
    up.ends().exits(0);
}

#[test]
fn as_root_another_user_that_knows_the_name_is_refused() {
    if !root_for("it becomes another user") {
        return;
    }
    let stack = Stack::new(r#"service "a" { run "@testbed print up"; ready { notify } }"#);
    let _up = stack.start("up");
    stack.has_logged("a", "up");
    // Everybody can read the names of such sockets, and this one ends at once.
    let sockets = std::fs::read_to_string("/proc/net/unix").expect("the sockets");
    let own = format!("@stackrun/{}/", stack.places().id);
    // That of the keeper has no number.
    let is_it = |word: &&str| word.strip_prefix(&own).is_some_and(|rest| rest.contains('-'));
    let name = sockets.split_whitespace().find(is_it).expect("its socket");
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let helper = folder.path().join("helper");
    std::fs::copy(crate::support::testbed(), &helper).expect("a copy");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("its permissions");
    for _ in 0..20 {
        let mut command = std::process::Command::new(&helper);
        command.args(["notify", "READY=1", "exit", "0"]).env("NOTIFY_SOCKET", name);
        assert!(command.uid(65534).status().is_ok_and(|status| status.success()));
    }
    stack.run("wait a --for ready --timeout 300ms").exits(124);
    assert_eq!(stack.state("a"), "starting");
}
