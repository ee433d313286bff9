//! Ports that somebody else holds: who it is, who may be stopped for it, and what moves.

use crate::support::{Process, Stack, Stranger, alive, eventually, get, listening};

const LISTENER: &str = r#"service "a" { run "@testbed listen {{port}}"; port @0 }"#;

/// The mark that the processes of a stack's service carry.
fn mark_of(stack: &Stack, service: &str) -> String {
    let environment = std::fs::read(format!("/proc/{}/environ", stack.pid(service)));
    let environment = String::from_utf8(environment.expect("its environment")).expect("text");
    let mark = environment.split('\0').find_map(|pair| pair.strip_prefix("STACKRUN_ID="));
    mark.expect("a mark").to_owned()
}

#[test]
fn a_stranger_is_named_and_with_take_ports_replaced() {
    let stack = Stack::new(LISTENER);
    let port = stack.port(0).to_string();
    let stranger = stack.stranger(&["child", "stubborn", "listen", &port], &[]);
    eventually("the stranger listening", || listening(stack.port(0)));
    let child = stack.left().into_iter().find(|process| process.pid != stranger.pid());
    stack.run("up").exits(4).says(&format!("pid {}", stranger.pid())).says("testbed");
    assert!(alive(stranger.pid()), "nobody has asked for its end");
    stack.run("up --take-ports").exits(0);
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    assert!(!alive(stranger.pid()));
    assert!(!child.is_some_and(|child| child.lives()), "its whole tree is stopped");
    stack.run("events").exits(0).says("it was stopped");
}

#[test]
fn take_in_the_file_stops_strangers_but_no_other_stack() {
    let one = Stack::new(LISTENER);
    let port = one.port(0);
    let two = Stack::new(&format!(
        r#"service "b" {{ run "@testbed listen {{{{port}}}}"; port {port} busy="take" }}"#
    ));
    one.up();
    let folder = one.folder().display().to_string();
    two.run("up").exits(4).says("`a` of the stack").says(&folder);
    assert_eq!(one.state("a"), "ready");
    one.down();
    let stranger = two.stranger(&["listen", &port.to_string()], &[]);
    eventually("the stranger listening", || listening(port));
    two.up();
    assert!(!alive(stranger.pid()));
}

#[test]
fn another_stacks_service_is_taken_only_when_the_user_says_so() {
    let one =
        Stack::new(r#"service "a" { run "@testbed listen {{port}}"; port @0; restart "never" }"#);
    one.up();
    let port = one.port(0);
    let two = Stack::new(&format!(
        r#"service "b" {{ run "@testbed listen {{{{port}}}}"; port {port} }}"#
    ));
    two.run("up --take-ports").exits(0);
    one.reaches("a", "failed");
    assert_eq!(two.state("b"), "ready");
}

#[test]
fn what_an_earlier_run_left_is_swept_without_asking() {
    let stack = Stack::new(LISTENER);
    stack.up();
    let mark = mark_of(&stack, "a");
    stack.down();
    let port = stack.port(0).to_string();
    let left = stack.stranger(&["listen", &port], &[("STACKRUN_ID", &mark)]);
    eventually("the leftover listening", || listening(stack.port(0)));
    stack.run("ports").exits(0).says("earlier `a` has left");
    stack.up();
    assert!(!alive(left.pid()));
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn two_services_of_one_stack_do_not_take_from_each_other() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen @0" }
        service "b" { needs "a"; run "@testbed listen {{port}}"; port @0 busy="take" }
        "#,
    );
    let up = stack.start("up");
    eventually("a listening", || listening(stack.port(0)));
    let ran = up.ends();
    // `b` may have come first: then `a` is the one that finds the port taken.
    if ran.code == 4 {
        ran.says("`a` of this stack");
        assert_eq!(stack.state("a"), "ready");
    }
}

#[test]
fn a_port_that_may_move_moves_and_whoever_asks_for_it_follows() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port @0 busy="next" }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
        "#,
    );
    let stranger = stack.stranger(&["listen", &stack.port(0).to_string()], &[]);
    eventually("the stranger listening", || listening(stack.port(0)));
    stack.up();
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    let own = Some(u64::from(stack.port(0)));
    let moved = port(&stack);
    assert!(moved > own);
    let pid = stack.pid("a");
    stack.up();
    assert_eq!((port(&stack), stack.pid("a")), (moved, pid), "nothing has changed");
    drop(stranger);
    stack.down();
    stack.up();
    assert_eq!(port(&stack), own, "its own number is free again");
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn two_checkouts_with_ports_of_their_own_run_side_by_side() {
    let text = r#"
        service "a" { run "@testbed listen {{port}}"; port "auto" }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
    "#;
    let (one, two) = (Stack::new(text), Stack::new(text));
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    one.up();
    two.up();
    let first = (port(&one), port(&two));
    assert_ne!(first.0, first.1);
    one.down();
    two.down();
    two.up();
    one.up();
    assert_eq!((port(&one), port(&two)), first);
    assert_eq!(one.read("violations.txt") + &two.read("violations.txt"), "");
}

#[test]
fn connections_that_linger_do_not_count() {
    let stack = Stack::new(LISTENER);
    stack.up();
    for _ in 0..5 {
        // The server closes first: its end of the connection lingers in TIME_WAIT.
        assert!(get(stack.port(0), "/").is_some());
    }
    stack.down();
    stack.up();
}

/// `up` at a terminal with a stranger on the port, and this answer.
fn answered(keys: &str) -> (Stack, Stranger, Option<i32>) {
    let stack = Stack::new(LISTENER);
    let stranger = stack.stranger(&["listen", &stack.port(0).to_string()], &[]);
    eventually("the stranger listening", || listening(stack.port(0)));
    let mut terminal = stack.on_terminal("up");
    terminal.has_shown("or [c]ancel?");
    terminal.press(format!("{keys}\r").as_bytes());
    let status = terminal.ends();
    (stack, stranger, status)
}

#[test]
fn at_a_terminal_the_holder_is_stopped_if_that_is_the_answer() {
    let (stack, stranger, status) = answered("s");
    assert_eq!(status, Some(0));
    assert!(!alive(stranger.pid()));
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn at_a_terminal_the_next_free_port_is_used_if_that_is_the_answer() {
    let (stack, stranger, status) = answered("n");
    assert_eq!(status, Some(0));
    assert!(alive(stranger.pid()));
    assert_ne!(stack.node("a")["ports"][0]["port"].as_u64(), Some(u64::from(stack.port(0))));
    let pid = stack.pid("a");
    stack.up();
    assert_eq!(stack.pid("a"), pid, "a second `up` changes nothing");
}

#[test]
fn at_a_terminal_nothing_is_started_if_that_is_the_answer() {
    let (stack, stranger, status) = answered("c");
    assert_eq!(status, Some(4));
    assert!(alive(stranger.pid()));
    stack.run("status").exits(3);
}

#[test]
fn a_port_can_be_freed_by_hand_after_a_question() {
    let stack = Stack::new(LISTENER);
    let port = stack.port(0);
    let stranger = stack.stranger(&["listen", &port.to_string()], &[]);
    eventually("the stranger listening", || listening(port));
    stack.run(&format!("ports --free {port}")).exits(1).says("--yes");
    assert!(Process::get(stranger.pid()).is_some());
    stack.run(&format!("ports --free {port} --yes")).exits(0).says("is free");
    assert!(!alive(stranger.pid()));
    stack.up();
    stack.run(&format!("ports --free {port} --yes")).exits(1).says("stackrun down a");
    assert_eq!(stack.state("a"), "ready");
}
