//! Ports that somebody else holds: who it is, who may be stopped for it, and what moves.

use std::process::Command;

use regex::Regex;

use crate::support::{Process, Stack, Stranger, alive, eventually, get, have, listening, root_for};

const LISTENER: &str = r#"service "a" { run "@testbed listen {{port}}"; port @0 }"#;

/// The mark that the processes of a stack's service carry.
fn mark_of(stack: &Stack, service: &str) -> String {
    let environment = std::fs::read(format!("/proc/{}/environ", stack.pid(service)));
    let environment = String::from_utf8(environment.expect("its environment")).expect("text");
    let mark = environment.split('\0').find_map(|pair| pair.strip_prefix("STACKRUN_ID="));
    mark.expect("a mark").to_owned()
}

/// Whether it says since when the holder of a port has been running.
fn assert_tells_since_when(text: &str) {
    // A table breaks its lines between words.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let since = Regex::new(r", since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d").expect("a pattern");
    assert!(since.is_match(&text), "{text}");
}

#[test]
fn a_stranger_is_named_and_with_take_ports_replaced() {
    let stack = Stack::new(LISTENER);
    let port = stack.port(0).to_string();
    let stranger = stack.stranger(&["child", "stubborn", "listen", &port], &[]);
    eventually("the stranger listening", || listening(stack.port(0)));
    let child = stack.left().into_iter().find(|process| process.pid != stranger.pid());
    stack.run("up").exits(4).says(&format!("pid {}", stranger.pid())).says("testbed");
    // The reason is kept and read later: it says since when, not for how long.
    assert_tells_since_when(&stack.run("status").exits(3).out);
    assert!(alive(stranger.pid()), "nobody has asked for its end");
    stack.run("up --take-ports").exits(0);
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    assert!(!alive(stranger.pid()));
    assert!(!child.is_some_and(|child| child.lives()), "its whole tree is stopped");
    stack.run("events").exits(0).says("it was stopped");
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_listens_on_another_address_is_in_nobodys_way() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port @0 host="127.0.0.1" }
        service "b" { run "@testbed listen {{port}}"; port @1; autostart #false }
        "#,
    );
    // All of 127.0.0.0/8 is this machine.
    let bind = |port: u16| std::net::TcpListener::bind(("127.0.0.2", port)).expect("a listener");
    let _beside = [bind(stack.port(0)), bind(stack.port(1))];
    let ports = stack.run("ports").exits(0);
    ports.says(&format!("a  free\n{}", stack.port(1))).says("b  held by pid");
    stack.up();
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    stack.run("up b").exits(4).says(&format!("pid {}", std::process::id()));
    stack.run("down").exits(0).says("0 ports");
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
fn another_stacks_service_is_named_and_never_taken() {
    let one =
        Stack::new(r#"stack "shop"; service "a" { run "@testbed listen {{port}}"; port @0 }"#);
    one.up();
    let (port, pid) = (one.port(0), one.pid("a"));
    // Another checkout of it.
    let text = one.read("stack.kdl");
    let two = Stack::new(&text);
    let named = format!("`a` of the stack shop in {}", one.folder().display());
    let stop = format!("stackrun --stack {} down a", one.places().id);
    two.run("up --take-ports").exits(4).says(&named).says(&stop).says("busy=\"next\"");
    two.run("ports").exits(0).says(&named);
    two.run(&format!("ports --free {port} --yes")).exits(1).says(&named).says(&stop);
    two.run("doctor").says(&named).says(&stop);
    two.run("why a").exits(0).says(&named).says(&stop);
    assert_eq!((one.pid("a"), one.node("a")["restarts"].as_u64()), (pid, Some(0)));
    // Nor is it offered to be stopped at a terminal.
    let mut terminal = two.on_terminal("up");
    terminal.has_shown("or [c]ancel?");
    assert!(!terminal.shown().contains("[s]top"), "{}", terminal.shown());
    terminal.press(b"c\r");
    assert_eq!(terminal.ends(), Some(4));
    // What is advised works, from anywhere.
    let words = stop.strip_prefix("stackrun ").expect("a command");
    two.run(words).exits(0);
    two.up();
    // One of another name is named by that.
    let three = Stack::new(&text.replace("shop", "other"));
    three.run("up").exits(4).says("stackrun --stack shop down a");
    three.run("--stack shop down a").exits(0);
    three.up();
}

#[test]
fn servers_that_overwrite_their_environment_are_known_as_ours_and_as_another_stack_s() {
    if !have(&["redis-server", "nginx"]) {
        return;
    }
    let text = r#"
        env { PATH "{{env.PATH}}:/usr/sbin" }
        service "cache" { run "redis-server" "--port" "{{port}}" "--save" ""; port @0 }
        service "web" { run "nginx" "-p" "{{dir}}" "-c" "nginx.conf" "-g" "daemon off;"; port @1 }
    "#;
    let one = Stack::new(text);
    let (cache, web) = (one.port(0), one.port(1));
    one.put("nginx.conf", &format!(
        "worker_processes 2; pid nginx.pid; error_log stderr; events {{}} http {{ access_log off; \
         client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; \
         scgi_temp_path t; server {{ listen 127.0.0.1:{web}; }} }}"
    ));
    one.up();
    let before = ["cache", "web"].map(|name| one.pid(name));
    one.run("ports").exits(0).says("ours: cache, pid").says("ours: web, pid");
    one.run("doctor").says("every port is free or ours");
    let freed = one.run(&format!("ports --free {cache} {web} --yes")).exits(1);
    freed.says("`stackrun down cache` stops it").says("`stackrun down web` stops it");
    let two = Stack::new(&one.read("stack.kdl"));
    let named = |name: &str| format!("`{name}` of the stack");
    let up = two.run("up --take-ports").exits(4).says(&named("cache")).says(&named("web"));
    assert!(up.err.contains(&one.folder().display().to_string()), "{}", up.err);
    two.run(&format!("ports --free {cache} {web} --yes")).exits(1).says(&named("web"));
    assert_eq!(["cache", "web"].map(|name| one.pid(name)), before);
    // The supervisors of both may be away: the next one knows as well.
    one.supervisor().kill();
    one.run("ports").exits(0).says("ours: cache, pid").says("ours: web, pid");
}

#[test]
fn a_sibling_s_port_is_named_as_the_sibling_s_though_it_shows_a_title() {
    if !have(&["redis-server"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "cache" { run "redis-server" "--port" "@0" "--save" ""; ready { prints "Ready to accept" } }
        service "b" { needs "cache"; run "@testbed listen {{port}}"; port @0 }
        "#,
    );
    let pid = || stack.pid("cache");
    stack.run("up --take-ports").exits(4).says("`cache` of this stack");
    let before = pid();
    stack.run("up b --take-ports").exits(4).says("`cache` of this stack");
    stack
        .run(&format!("ports --free {} --yes", stack.port(0)))
        .exits(1)
        .says("stackrun down cache");
    assert_eq!(pid(), before);
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
    stack.run("ports").exits(0).says("ours: a");
    stack.up();
    assert!(!alive(left.pid()));
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn two_services_of_one_stack_do_not_take_from_each_other() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen @0"; ready { tcp @0 } }
        service "b" { needs "a"; run "@testbed listen {{port}}"; port @0 busy="take" }
        "#,
    );
    stack.run("up").exits(4).says("`a` of this stack");
    assert_eq!((stack.state("a"), stack.state("b")), ("ready".into(), "failed".into()));
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
    let up = stack.up();
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    let own = Some(u64::from(stack.port(0)));
    let moved = port(&stack);
    let held = format!("port {} is held by pid {}", stack.port(0), stranger.pid());
    let up = up.says(&format!("port {}", moved.unwrap_or(0))).says(&held);
    up.says("the next free one is used");
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
fn a_listener_that_may_be_anybody_may_be_there_before() {
    let stack = Stack::new(r#"service "a" { run "@testbed"; port @0 owner="any" }"#);
    let stranger = stack.stranger(&["listen", &stack.port(0).to_string()], &[]);
    eventually("the stranger listening", || listening(stack.port(0)));
    stack.up();
    stack.run("restart a").exits(0);
    assert!(alive(stranger.pid()));
}

#[test]
fn two_checkouts_with_ports_of_their_own_run_side_by_side() {
    if !have(&["python3"]) {
        return;
    }
    let text = r#"
        service "a" {
            run "python3 -m http.server --bind 127.0.0.1 {{port}}"
            port "auto"
            ready { http "/" }
            url "http://localhost:{{port}}/"
        }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
    "#;
    let (one, two) = (Stack::new(text), Stack::new(text));
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    let (up_one, up_two) = (one.up(), two.up());
    let first = (port(&one), port(&two));
    for (up, number) in [(up_one, first.0), (up_two, first.1)] {
        up.says(&format!("http://localhost:{}/", number.unwrap_or(0)));
    }
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
    let moved = || stack.node("a")["ports"][0]["port"].as_u64();
    let port = moved();
    stack.up();
    assert_eq!(stack.pid("a"), pid, "a second `up` changes nothing");
    stack.run("restart a").exits(0);
    assert_eq!(moved(), port, "nor does a restart");
    let pid = stack.pid("a");
    stack.up();
    assert_eq!(stack.pid("a"), pid);
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

#[test]
fn an_open_port_is_kept_from_others_until_its_service_starts() {
    let stack = Stack::new(
        r#"
        service "gate" { run "@testbed"; ready { shell "test -e go" } }
        service "a" { needs "gate"; run "@testbed listen {{port}}"; port "auto" }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "waiting");
    let port = stack.node("a")["ports"][0]["port"].as_u64().and_then(|port| port.try_into().ok());
    let port: u16 = port.expect("a port");
    assert!(!listening(port));
    for address in ["127.0.0.1", "0.0.0.0", "::1"] {
        let taken = std::net::TcpListener::bind((address, port));
        assert!(taken.is_err(), "{address} could be taken meanwhile");
    }
    stack.put("go", "");
    up.ends().exits(0);
    assert_eq!(get(port, "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn an_open_port_is_the_same_though_the_state_folder_is_deleted() {
    let stack = Stack::new(r#"service "a" { run "@testbed listen {{port}}"; port "auto" }"#);
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].as_u64();
    stack.up();
    let first = port(&stack);
    stack.down();
    std::fs::remove_dir_all(stack.path(".stackrun")).expect("the state folder");
    stack.up();
    assert_eq!(port(&stack), first);
}

#[test]
fn an_open_port_that_an_earlier_run_has_left_busy_is_swept_and_stays_the_same() {
    let stack = Stack::new(r#"service "a" { run "@testbed listen {{port}}"; port "auto" }"#);
    stack.up();
    let (mark, port) = (mark_of(&stack, "a"), stack.node("a")["ports"][0]["port"].clone());
    stack.down();
    let left = stack.stranger(&["listen", &port.to_string()], &[("STACKRUN_ID", &mark)]);
    let number = port.as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    eventually("the leftover listening", || listening(number));
    stack.up();
    assert!(!alive(left.pid()));
    assert_eq!(stack.node("a")["ports"][0]["port"], port);
}

#[test]
fn an_open_port_that_a_stranger_holds_moves_and_the_stranger_stays() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port "auto" }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
        "#,
    );
    stack.up();
    let port = |stack: &Stack| stack.node("a")["ports"][0]["port"].to_string();
    let before = port(&stack);
    stack.down();
    let stranger = stack.stranger(&["listen", &before], &[]);
    eventually("the stranger listening", || listening(before.parse().expect("a port")));
    stack.run("up --take-ports").exits(0);
    assert!(alive(stranger.pid()), "another number does as well");
    assert_ne!(port(&stack), before);
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn the_numbers_of_ports_reach_whoever_asks_for_them() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed env PORT env PORT_HTTP env PORT_ADMIN listen {{port}} listen {{port.admin}}"
            port @0 name="http"
            port "auto" name="admin"
        }
        service "b" {
            needs "a"
            env { A_URL "http://localhost:{{a.port}}/" }
            run "@testbed env A_URL env PORT expect {{a.port.admin}}"
        }
        task "t" { run "echo task {{a.port.http}}" }
        "#,
    );
    stack.up();
    let ports = stack.node("a")["ports"].clone();
    let (http, admin) = (ports[0]["port"].to_string(), ports[1]["port"].to_string());
    assert_eq!(http, stack.port(0).to_string());
    stack.has_logged("a", "PORT_ADMIN=");
    stack.has_logged("b", "PORT=");
    let log = stack.run("logs --raw").exits(0).out;
    for line in [
        format!("PORT={http}"),
        format!("PORT_HTTP={http}"),
        format!("PORT_ADMIN={admin}"),
        format!("A_URL=http://localhost:{http}/"),
        "PORT=".to_owned(),
    ] {
        assert!(log.lines().any(|own| own.ends_with(&line)), "no `{line}` in {log}");
    }
    stack.run("run t").exits(0).says(&format!("task {http}"));
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn netcat_on_the_port_is_named_in_full_and_with_take_ports_replaced() {
    if !have(&["nc"]) {
        return;
    }
    let stack = Stack::new(LISTENER);
    let port = stack.port(0).to_string();
    let folder = stack.folder().display().to_string();
    let netcat = stack.foreign(Command::new("nc").args(["-l", "127.0.0.1", &port]));
    eventually("netcat listening", || listening(stack.port(0)));
    let user = stackrun::platform::user_name(rustix::process::geteuid().as_raw());
    stack
        .run("up")
        .exits(4)
        .says(&format!("pid {}", netcat.pid()))
        .says(&format!("nc -l 127.0.0.1 {port}"))
        .says(&format!("user {user}"))
        .says(&format!("in {folder}"))
        .says("--take-ports");
    assert_tells_since_when(&stack.run("status").exits(3).out);
    assert!(alive(netcat.pid()));
    stack.run("up --take-ports").exits(0);
    assert!(!alive(netcat.pid()));
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn as_root_who_is_not_ours_to_stop_is_not_offered_to_be_stopped() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !have(&["nc"]) || !root_for("a port of another user") {
        return;
    }
    let stack = Stack::new(LISTENER);
    let port = stack.port(0).to_string();
    let netcat = stack
        .foreign(Command::new("nc").args(["-l", "127.0.0.1", &port]).uid(NOBODY).current_dir("/"));
    eventually("netcat listening", || listening(stack.port(0)));
    let user = stackrun::platform::user_name(NOBODY);
    for command in ["up", "up --take-ports", "restart"] {
        let ran = stack.run(command).exits(4).says(&format!("only {user} or root can stop it"));
        let ran = ran.says("another port").says("busy=\"next\"");
        assert!(!ran.err.contains("→ stackrun up --take-ports"), "{}", ran.err);
    }
    let why = stack.run("why a").exits(0).says(&format!("only {user} or root can stop it"));
    assert!(!why.out.contains("--free"), "{}", why.out);
    assert!(alive(netcat.pid()));
}
