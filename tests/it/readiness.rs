//! Ready means ready: each kind of check, and who may not pass one.

use std::net::TcpListener;

use crate::support::{Stack, eventually, get, have, ipv6, listening};

/// A service that becomes ready when `go` exists, by `check`; a second one that needs it.
#[track_caller]
fn ready_only_with(check: &str, actions: &str) {
    let stack = Stack::new(&format!(
        r#"
        service "a" {{
            shell "while ! test -e go; do sleep 0.02; done; exec @testbed {actions}"
            port @0
            ready {{ {check} }}
        }}
        service "b" {{ needs "a"; run "@testbed expect @0" }}
        "#
    ));
    let up = stack.start("up");
    stack.reaches("a", "starting");
    stack.reaches("b", "waiting");
    stack.put("go", "");
    up.ends().exits(0);
    assert_eq!(stack.state("b"), "ready");
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn tcp() {
    ready_only_with("tcp", "listen @0");
}

#[test]
fn tcp_on_ipv6_alone() {
    if !ipv6() {
        return;
    }
    let stack = Stack::new(r#"service "a" { run "@testbed listen6 {{port}}"; port @0 }"#);
    stack.up();
    assert_eq!(stack.state("a"), "ready");
}

#[test]
fn http() {
    ready_only_with(r#"http "/health""#, "listen @0");
}

#[test]
fn run() {
    let probe = format!(r#"run "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}'""#, "{{port}}");
    ready_only_with(&probe, "listen @0");
}

#[test]
fn shell() {
    ready_only_with(r#"shell "test -e made.txt""#, "listen @0 counted made.txt");
}

#[test]
fn prints() {
    ready_only_with(r###"prints #"^all \w+ done$"#"###, "listen @0 print 'all work done'");
}

#[test]
fn without_a_check_the_port_is_what_counts() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "while ! test -e go; do sleep 0.02; done; exec @testbed child 'listen @0'"
            port @0
        }
        service "b" { needs "a"; run "@testbed expect @0" }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    stack.put("go", "");
    up.ends().exits(0);
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn a_delay_and_several_checks_together() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed"; ready { delay "100ms"; shell "test -e go" } }"#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    stack.put("go", "");
    up.ends().exits(0);
}

#[test]
fn http_wants_the_status_that_was_asked_for() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed toggle sick.txt listen {{port}}"
            port @0
            ready { http "/health" status=503 }
        }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "starting");
    stack.put("sick.txt", "");
    up.ends().exits(0);
}

#[test]
fn a_line_is_seen_though_the_log_is_rotated_again_and_again() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed flood 5000 print 'ready now' flood 5000"
            ready { prints "^ready now$" }
            log max-size="16KiB" keep=100
        }
        "#,
    );
    stack.up();
    stack.run("restart a").exits(0);
    let supervisor = stack.supervisor();
    stack.run("logs a --raw").exits(0).says("ready now");
    supervisor.kill();
    stack.run("restart a").exits(0);
}

#[test]
fn a_line_on_stderr_counts_though_that_is_apart() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "test -e silent || echo 'ready now' >&2; while ! test -e go; do sleep 0.02; done; echo 'ready now' >&2; exec sleep 600"
            ready { prints "ready now" }
            log split=#true
        }
        "#,
    );
    stack.up();
    stack.put("silent", "");
    let restart = stack.start("restart a");
    stack.reaches("a", "starting");
    // The next supervisor knows where this start began, too.
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("another one", || stack.supervisor().pid != supervisor.pid);
    stack.reaches("a", "starting");
    stack.put("go", "");
    let _ = restart.ends();
    stack.reaches("a", "ready");
}

#[test]
fn a_line_of_an_earlier_start_does_not_count() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "test -e silent || echo 'ready now'; exec @testbed"
            ready within="60s" { prints "ready now" }
            restart "never"
        }
        "#,
    );
    stack.up();
    stack.put("silent", "");
    // An edit that starts it anew; and nobody has to wait for a minute.
    stack.edit("60s", "1s");
    stack.edit("restart \"never\"", "restart \"never\"; env { NEW \"1\" }");
    stack.run("up").exits(1);
    assert_eq!(stack.node("a")["generation"], 2);
}

#[test]
fn a_start_that_takes_too_long_has_failed() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            ready within="2s" { http "http://127.0.0.1:@0/health" }
            restart "never"
        }
        service "b" { needs "a"; run "@testbed counted started.txt" }
        "#,
    );
    stack.put("sick.txt", "");
    // What answers is there before anybody looks.
    let port = stack.port(0);
    let _sick = stack.stranger(&["toggle", "sick.txt", "listen", &port.to_string()], &[]);
    eventually("the server", || listening(port));
    stack.run("up").exits(1).says("503");
    assert_eq!(stack.state("a"), "failed");
    assert_eq!(stack.node("a")["processes"], 0);
    assert_eq!(stack.read("started.txt"), "");
}

#[test]
fn a_service_that_listens_elsewhere_is_told_where() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed listen @1"; port @0; ready within="4s"; restart "never" }"#,
    );
    let says = format!("the service listens on {}", stack.port(1));
    stack.run("up").exits(1).says(&says);
    stack.run("why a").exits(0).says(&says);
}

#[test]
fn a_stranger_on_the_port_is_named_and_left_alone() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted started.txt listen {{port}}"; port @0 }
        service "b" { run "@testbed" }
        "#,
    );
    let stranger = TcpListener::bind(("127.0.0.1", stack.port(0))).expect("the port");
    let pid = std::process::id().to_string();
    stack.run("up").exits(4).says(&pid);
    assert_ne!(stack.state("a"), "ready");
    stack.run("ports").says(&pid);
    drop(stranger);
    stack.up();
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn another_stacks_service_on_the_port_does_not_count_either() {
    let one = Stack::new(r#"service "first" { run "@testbed listen {{port}}"; port @0 }"#);
    one.up();
    let port = one.port(0);
    let two = Stack::new(&format!(r#"service "second" {{ run "@testbed"; port {port} }}"#));
    two.run("up").exits(4).says("first");
    assert_eq!(one.state("first"), "ready");
}

#[test]
fn a_port_found_by_itself_stays_the_same() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port "auto" }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
        "#,
    );
    stack.up();
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    let first = port(&stack);
    assert!(first > Some(0));
    stack.run("restart a").exits(0);
    stack.down();
    stack.up();
    assert_eq!(port(&stack), first);
}

#[test]
fn something_elsewhere_is_checked_but_not_started() {
    let elsewhere = Stack::new(r#"service "db" { run "@testbed listen {{port}}"; port @0 }"#);
    let port = elsewhere.port(0);
    let stack = Stack::new(&format!(
        r#"
        service "db" {{ external #true; ready {{ tcp {port} }} }}
        service "api" {{ needs "db"; run "@testbed expect {port}" }}
        "#
    ));
    let up = stack.start("up");
    stack.reaches("api", "waiting");
    elsewhere.up();
    up.ends().exits(0);
    stack.down();
    assert_eq!(elsewhere.state("db"), "ready");
}

#[test]
fn a_service_that_listens_at_another_address_than_its_host_is_not_ready() {
    if !have(&["python3"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "a" {
            run "python3 -m http.server --bind 127.0.0.9 {{port}}"
            port @0 host="127.0.0.1"
            ready within="1s"
            restart "never"
        }
        service "b" {
            run "python3 -m http.server --bind 127.0.0.9 {{port}}"
            port @1 host="127.0.0.9"
        }
        "#,
    );
    let ran = stack.run("up").exits(1);
    ran.says("at 127.0.0.1, but at 127.0.0.9").says("is `host` right?");
    assert_eq!(stack.state("b"), "ready");
    stack.run("why a").says("127.0.0.9");
}
