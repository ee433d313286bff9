//! What surrounds a service's life: hooks, tools, leftovers, addresses.

use std::os::unix::fs::symlink;

use crate::support::{Stack, Terminal, alive, eventually, have};

#[test]
fn hooks_run_in_their_order() {
    let stack = Stack::new(
        r#"
        service "a" {
            before-start { shell "echo before >> order.txt" }
            run "@testbed mark order.txt main listen {{port}}"
            port @0
            after-ready { shell "echo after-ready >> order.txt" }
            after-stop { shell "echo after-stop >> order.txt" }
        }
        "#,
    );
    stack.up();
    eventually("after-ready", || stack.read("order.txt").contains("after-ready"));
    stack.down();
    let text = stack.read("order.txt");
    let order: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(order, ["before", "start", "after-ready", "term", "stop", "after-stop"], "{text}");
}

#[test]
fn a_folder_of_its_own_is_there_before_anything_of_it_runs() {
    let stack = Stack::new(
        r#"
        service "plain" { shell "ls -d '{{data}}' > plain.txt; exec @testbed" }
        service "hooked" {
            before-start { shell "ls -d '{{data}}' > hooked.txt" }
            run "@testbed"
        }
        service "other" { run "@testbed" }
        "#,
    );
    stack.up();
    let folder = |name: &str| stack.folder().join(".stackrun/data").join(name);
    for name in ["plain", "hooked"] {
        eventually("its folder", || {
            stack.read(&format!("{name}.txt")).trim() == folder(name).to_string_lossy()
        });
    }
    assert!(!folder("other").exists(), "nothing names it");
}

#[test]
fn several_hooks_of_a_kind_run_in_their_order_and_are_counted() {
    let stack = Stack::new(
        r#"
        service "a" {
            before-start { shell "echo one >> order.txt" }
            before-start { shell "echo two >> order.txt; test -e fine" }
            run "@testbed"
            restart "never"
        }
        "#,
    );
    stack.run("up").exits(1).says("before-start 2 of 2 failed: exit 1");
    stack.put("fine", "");
    stack.up();
    assert_eq!(stack.read("order.txt"), "one\ntwo\none\ntwo\n");
    let events = stack.run("events").exits(0);
    events.says("before-start (2 commands): exit 1").says("before-start (2 commands): exit 0");
    let show = stack.run("show a").exits(0).out;
    let file = stack.read("stack.kdl");
    let line_of = |word: &str| file.lines().position(|line| line.contains(word)).map(|at| at + 1);
    for word in ["one", "two"] {
        let shown = show.lines().find(|line| line.contains(&format!("echo {word}")));
        let place = format!("stack.kdl:{}", line_of(&format!("echo {word}")).expect("its line"));
        assert!(shown.is_some_and(|line| line.ends_with(&place)), "{show}");
    }
}

#[test]
fn an_after_stop_that_hangs_is_killed_after_the_grace() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            after-stop { run "@testbed stubborn mark hangs.txt hook" }
            stop grace="300ms"
        }
        "#,
    );
    stack.up();
    stack.run("down a").exits(0);
    assert!(stack.read("hangs.txt").starts_with("start hook"));
    stack.run("events").exits(0).says("after-stop: not done within 300ms, and killed");
}

#[test]
fn a_hook_that_fails_beside_its_service_is_told() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed"; after-stop { shell "echo no room to tidy; exit 9" } }"#,
    );
    stack.up();
    let down = stack.run("down a").exits(0);
    down.says("a: after-stop failed: exit 9").says("stackrun logs a");
    stack.run("logs a").exits(0).says("no room to tidy");
}

#[test]
fn a_failing_hook_fails_the_start_with_its_last_lines() {
    let stack = Stack::new(
        r#"
        service "a" {
            before-start { shell "echo no such migration >&2; exit 3" }
            run "@testbed counted started.txt"
            on-failure { shell "echo failed > mail.txt" }
            restart "never"
        }
        "#,
    );
    stack.run("up").exits(1).says("before-start").says("no such migration");
    eventually("the mail", || stack.read("mail.txt") == "failed\n");
    assert_eq!(stack.read("started.txt"), "");
    stack.run("why a").says("set by a.before-start (stack.kdl:");
}

#[test]
fn cleanup_does_not_follow_a_link_out_of_the_stack() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed"; cleanup "run/pid" "away/precious" }
        "#,
    );
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::fs::write(elsewhere.path().join("precious"), "").expect("a file");
    symlink(elsewhere.path(), stack.path("away")).expect("a link");
    stack.put("run/pid", "7");
    stack.up();
    assert!(!stack.path("run/pid").exists());
    assert!(elsewhere.path().join("precious").exists());
    stack.run("events").exits(0).says("outside the stack's folder");
}

#[test]
fn a_tool_of_another_version_is_an_error_before_anything_starts() {
    let stack = Stack::new(
        r#"
        service "first" { run "@testbed counted started.txt" }
        service "a" {
            needs "first"
            tool "./tool" version=">=18" hint="ask the one who made it"
            run "@testbed"
        }
        "#,
    );
    let make = |version: &str| {
        stack.put_program("tool", &format!("#!/bin/sh\necho 'tool v{version} (2024)'\n"));
    };
    make("16.20.1");
    let ran = stack.run("up").exits(1);
    ran.says("is 16.20.1, but >=18 is required").says("ask the one who made it");
    assert_eq!(stack.read("started.txt"), "");
    make("18.0.0");
    stack.up();
}

#[test]
fn what_a_tool_says_when_it_fails_is_not_its_version() {
    let stack = Stack::new(r#"service "a" { tool "./tool" version=">=18"; run "@testbed" }"#);
    stack.put_program("tool", "#!/bin/sh\necho 'usage: tool [-46] host' >&2; exit 1\n");
    let told = "./tool: its version is unknown, but >=18 is required";
    let warned = stack.up().says(told).says("remove `version`");
    assert_eq!(warned.err.matches(told).count(), 1, "{}", warned.err);
    stack.run("doctor").says(told).says("remove `version`");
}

#[test]
fn a_tool_that_never_tells_its_version_holds_up_nobody_and_is_ended() {
    let stack = Stack::new(r#"service "a" { tool "./tool" version=">=18"; run "@testbed" }"#);
    let told = "./tool: its version is unknown, but >=18 is required";
    // It hangs, together with a child; it writes without an end.
    stack.put_program("tool", "#!/bin/sh\necho $$ >>pids; sleep 900 & echo $! >>pids; wait\n");
    stack.start("up").ends().exits(0).says(told);
    let pids = stack.read("pids");
    assert_eq!(pids.lines().count(), 2);
    eventually("their end", || !pids.lines().any(|pid| alive(pid.parse().expect("a number"))));
    stack.put_program("tool", "#!/bin/sh\nexec yes\n");
    stack.start("up").ends().exits(0).says(told);
}

#[test]
fn an_address_is_opened_once_an_up_and_only_for_somebody_who_sees_it() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed listen {{port}}"
            port @0
            url "http://localhost:{{port}}/welcome" open=#true
        }
        "#,
    );
    stack.put_program("bin/xdg-open", "#!/bin/sh\necho \"$1\" >> opened.txt\n");
    let command = || {
        let mut command = stack.command("up");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", stack.path("bin").display()));
        command.env("DISPLAY", ":0");
        command
    };
    stack.up();
    assert_eq!(stack.read("opened.txt"), "", "nobody was there to see it");
    stack.down();
    assert_eq!(Terminal::start(command()).ends(), Some(0));
    let address = format!("http://localhost:{}/welcome\n", stack.port(0));
    eventually("the browser", || stack.read("opened.txt") == address);
    assert_eq!(Terminal::start(command()).ends(), Some(0));
    assert_eq!(stack.read("opened.txt"), address, "nothing was started");

    // An editor that shows another machine says what opens addresses there.
    stack.down();
    stack.put_program("editor/open", "#!/bin/sh\necho \"by the editor: $1\" >> opened.txt\n");
    let mut command = stack.command("up");
    command.env("BROWSER", format!("{}:firefox", stack.path("editor/open").display()));
    assert_eq!(Terminal::start(command).ends(), Some(0));
    eventually("the editor's", || stack.read("opened.txt").contains("by the editor: http://"));
}

#[test]
fn colour_is_asked_for_and_stdin_stays_open_where_the_file_says_so() {
    let stack = Stack::new(
        r#"
        service "plain"   { run "@testbed env FORCE_COLOR" }
        service "colour"  { run "@testbed env FORCE_COLOR env CLICOLOR_FORCE"; color #true }
        service "reader"  { shell "cat; echo ended"; stdin "open"; restart "never" }
        service "closed"  { shell "cat; echo ended"; restart "never" }
        "#,
    );
    stack.run("up").exits(1).says("closed failed").says("`stdin \"open\"`");
    let says = |name: &str, text: &str| {
        stack.run(&format!("logs {name} --raw")).out.lines().any(|line| line == text)
    };
    eventually("the colours", || says("colour", "CLICOLOR_FORCE=1"));
    assert!(says("colour", "FORCE_COLOR=1"));
    eventually("the other one", || says("plain", "FORCE_COLOR="));
    assert_eq!(stack.state("closed"), "failed");
    assert_eq!(stack.state("reader"), "ready");
}

#[test]
fn what_does_not_start_by_itself_starts_when_it_is_needed() {
    let stack = Stack::new(
        r#"
        service "db"    { run "@testbed"; autostart #false }
        service "tools" { run "@testbed"; autostart #false }
        service "api"   { needs "db"; run "@testbed" }
        "#,
    );
    stack.up();
    assert_eq!(stack.state("db"), "ready");
    assert_eq!(stack.state("tools"), "idle");
    stack.run("up tools").exits(0);
    assert_eq!(stack.state("tools"), "ready");
}

#[test]
fn what_runs_elsewhere_is_asked_again_before_each_start_that_needs_it() {
    if !have(&["redis-server", "redis-cli"]) {
        return;
    }
    let elsewhere =
        Stack::new(r#"service "redis" { run "redis-server --port {{port}} --save ''"; port @0 }"#);
    elsewhere.up();
    let port = elsewhere.port(0);
    let stack = Stack::new(&format!(
        r#"
        service "redis" {{ external #true; ready {{ run "redis-cli -p {port} ping" }} }}
        service "api"   {{ needs "redis"; run "@testbed expect {port}" }}
        "#
    ));
    stack.up();
    elsewhere.down();
    stack.process("api").kill();
    stack.reaches("api", "waiting");
    elsewhere.up();
    stack.reaches("api", "ready");
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn a_stop_asks_a_before_start_to_end_before_it_is_killed() {
    let stack = Stack::new(
        r#"
        service "polite" {
            before-start { shell "trap 'echo over > over.txt; exit 0' TERM; touch begun; while :; do sleep 0.05; done" }
            run "@testbed"
        }
        service "deaf" {
            before-start { shell "trap '' TERM; touch begun-too; while :; do sleep 0.05; done" }
            run "@testbed"
            stop grace="300ms"
        }
        "#,
    );
    let up = stack.start("up");
    let begun = || stack.path("begun").exists() && stack.path("begun-too").exists();
    eventually("both hooks", begun);
    stack.down();
    assert_eq!(stack.read("over.txt"), "over\n");
    drop(up);
}
