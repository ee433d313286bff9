//! What `down` leaves: nothing.

use crate::support::{Process, Stack, eventually, listening};

/// Every way to hide from whoever started it.
const FUGITIVES: &str = r#"
    defaults { stop grace="500ms" }
    service "stubborn"   { run "@testbed stubborn" }
    service "family"     { run "@testbed child 'child stubborn'" }
    service "session"    { run "@testbed child 'setsid stubborn'" }
    service "daemon"     { run "@testbed daemon stubborn" }
    service "stranger"   { run "@testbed daemon 'forget stubborn'" }
    service "background" { shell "@testbed stubborn & exec @testbed" }
    service "server" {
        run "@testbed daemon 'listen @0 stubborn'"
        port @0
    }
"#;

/// Waits until each of them has all its processes, which `up` does not wait for.
fn all_started(stack: &Stack) {
    eventually("14 processes", || {
        let services = stack.status()["services"].as_array().cloned().unwrap_or_default();
        services.iter().filter_map(|service| service["processes"].as_u64()).sum::<u64>() == 14
    });
}

#[test]
fn children_daemons_and_those_that_ignore_sigterm_are_gone() {
    let stack = Stack::new(FUGITIVES);
    stack.up();
    all_started(&stack);
    stack.down().says("0 processes");
    assert!(!listening(stack.port(0)));
}

#[test]
fn a_single_service_goes_down_with_its_whole_tree() {
    let stack = Stack::new(FUGITIVES);
    stack.up();
    all_started(&stack);
    let family = stack.pid("family");
    let of_family = |process: &Process| {
        let ancestors = std::iter::successors(Some(process.clone()), Process::parent);
        ancestors.into_iter().any(|ancestor| ancestor.pid == family)
    };
    let (family, others): (Vec<_>, Vec<_>) = stack.left().into_iter().partition(of_family);
    assert_eq!(family.len(), 3, "{family:#?}");
    stack.run("down family").exits(0);
    assert!(!family.iter().any(Process::lives), "{family:#?}");
    assert_eq!(stack.state("family"), "idle");
    assert_eq!(stack.state("daemon"), "ready");
    assert!(others.iter().all(Process::lives), "{others:#?}");
}

#[test]
fn a_stopped_process_is_continued_so_that_it_can_end() {
    let stack = Stack::new(
        r#"service "a" {
            run "@testbed mark marks.txt a"
            stop grace="30s"
        }"#,
    );
    stack.up();
    eventually("its start", || stack.read("marks.txt").contains("start a"));
    stack.process("a").signal(rustix::process::Signal::STOP);
    stack.down();
    assert!(stack.read("marks.txt").contains("stop a "), "it was killed, not asked");
}

#[test]
fn nothing_running_is_down_already() {
    let stack = Stack::new(r#"service "a" { run "@testbed" }"#);
    stack.run("down").exits(0);
    stack.up();
    stack.down();
    stack.run("down").exits(0);
}

#[test]
fn what_needs_it_goes_down_first() {
    let stack = Stack::new(
        r#"
        service "db"    { run "@testbed mark marks.txt db" }
        service "api"   { needs "db"; run "@testbed mark marks.txt api" }
        service "other" { run "@testbed" }
        "#,
    );
    stack.up();
    stack.run("down db").exits(0);
    assert_eq!(stack.state("api"), "idle");
    assert_eq!(stack.state("db"), "idle");
    assert_eq!(stack.state("other"), "ready");
}

#[test]
fn a_stop_command_and_signal_of_the_services_own_are_used() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            stop signal="SIGQUIT" { shell "echo asked > asked.txt" }
        }
        service "b" { run "@testbed" }
        "#,
    );
    stack.up();
    stack.run("down a").exits(0);
    assert_eq!(stack.read("asked.txt"), "asked\n");
    assert_eq!(stack.node("a")["exit"]["signal"], "SIGQUIT");
}
