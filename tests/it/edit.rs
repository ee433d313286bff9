//! `up` brings the stack to what the file says, and touches nothing else.

use crate::support::{Stack, alive, eventually, get};

const THREE: &str = r#"
    service "db"  { run "@testbed" }
    service "api" { needs "db"; run "@testbed print one" }
    service "web" { needs "api"; run "@testbed" }
"#;

fn pids<const N: usize>(stack: &Stack, names: [&str; N]) -> [u32; N] {
    names.map(|name| stack.pid(name))
}

#[test]
fn a_second_up_changes_nothing() {
    let stack = Stack::new(THREE);
    stack.up();
    let before = pids(&stack, ["db", "api", "web"]);
    stack.up();
    stack.put("stack.kdl", &format!("// a comment\n\n{}", stack.read("stack.kdl")));
    stack.up();
    assert_eq!(pids(&stack, ["db", "api", "web"]), before);
}

#[test]
fn an_edit_restarts_exactly_what_it_changed() {
    let stack = Stack::new(THREE);
    stack.up();
    let before = pids(&stack, ["db", "api", "web"]);
    stack.edit("print one", "print two");
    stack.run("up --dry-run").exits(0).says("api");
    assert_eq!(pids(&stack, ["db", "api", "web"]), before, "a plan is no deed");
    stack.up();
    let after = pids(&stack, ["db", "api", "web"]);
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    assert_ne!(after[1], before[1]);
    stack.has_logged("api", "two");
}

#[test]
fn what_follows_an_edited_service_is_restarted_too() {
    let stack = Stack::new(THREE);
    stack.edit(r#"needs "api""#, r#"needs "api" follow=#true"#);
    stack.up();
    let before = pids(&stack, ["db", "api", "web"]);
    stack.edit("print one", "print two");
    stack.up();
    let after = pids(&stack, ["db", "api", "web"]);
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    assert_ne!(after[2], before[2]);
}

#[test]
fn what_the_file_has_no_more_is_stopped_and_what_is_new_is_started() {
    let stack = Stack::new(THREE);
    stack.up();
    let [db, web] = pids(&stack, ["db", "web"]);
    stack.edit(r#"service "web" { needs "api";"#, r#"service "new" { needs "api";"#);
    stack.up();
    assert!(!alive(web));
    assert_eq!(stack.state("new"), "ready");
    assert_eq!(stack.pid("db"), db);
}

#[test]
fn a_bad_file_touches_nothing_and_all_its_mistakes_are_shown() {
    let stack = Stack::new(THREE);
    stack.up();
    let before = pids(&stack, ["db", "api", "web"]);
    stack.write(
        r#"
        service "a" { needs "b"; run "@testbed" }
        service "b" { needs "c"; run "@testbed" }
        service "c" { needs "a"; run "@testbed" }
        service "d" { rnu "@testbed" }
        service "e" { needs "nobody"; run "@testbed" }
        "#,
    );
    for line in ["up", "restart a", "run a", "check", "graph"] {
        let ran = stack.run(line).exits(2);
        for part in ["cycle", "rnu", "nobody"] {
            assert!(ran.err.contains(part) || ran.out.contains(part), "{line}, {part}: {ran:#?}");
        }
    }
    assert_eq!(pids(&stack, ["db", "api", "web"]), before);
}

#[test]
fn a_broken_or_missing_file_does_not_keep_a_running_stack_from_being_managed() {
    let stack = Stack::new(THREE);
    stack.up();
    stack.write("service {{{");
    stack.run("status").exits(0).says("api");
    stack.has_logged("api", "one");
    stack.run("logs api").exits(0).says("one");
    stack.run("why api").exits(0);
    stack.run("events").exits(0).says("api");
    stack.run("down web").exits(0);
    std::fs::remove_file(stack.path("stack.kdl")).expect("the stack file");
    stack.run("status").exits(0).says("api");
    stack.down();
}

#[test]
fn a_changed_environment_file_counts_as_an_edit() {
    let stack = Stack::new(
        r#"
        service "a" { env-file "a.env"; run "@testbed env WORD" }
        service "b" { run "@testbed" }
        "#,
    );
    stack.put("a.env", "WORD=first\n");
    stack.up();
    let before = pids(&stack, ["a", "b"]);
    stack.put("a.env", "WORD=second\n");
    stack.up();
    let after = pids(&stack, ["a", "b"]);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    stack.has_logged("a", "WORD=second");
}

#[test]
fn a_profile_adds_and_replaces_until_the_next_up() {
    let stack = Stack::new(
        r#"
        service "api" { run "@testbed env MODE"; env { MODE "plain" } }
        profile "debug" {
            service "api" { env { MODE "debug" } }
            service "inspector" { run "@testbed" }
        }
        "#,
    );
    stack.run("up --profile debug").exits(0);
    assert_eq!(stack.state("inspector"), "ready");
    let said = |line: &str| {
        eventually(line, || stack.run("logs api --raw -n 1").exits(0).out.trim_end() == line);
    };
    said("MODE=debug");
    stack.run("restart api").exits(0);
    eventually("another line", || stack.run("logs api --raw").exits(0).out.lines().count() == 2);
    said("MODE=debug");
    stack.up();
    said("MODE=plain");
    assert!(stack.status()["services"].as_array().is_some_and(|services| services.len() == 1));
}

#[test]
fn an_included_file_and_a_template_are_part_of_the_stack() {
    let stack = Stack::new(
        r#"
        include "parts/db.kdl"
        template "node" { env { MODE "shared" }; stop grace="1s" }
        service "api" template="node" { needs "db"; run "@testbed env MODE" }
        "#,
    );
    stack.put("parts/db.kdl", "service \"db\" { shell \"cat here.txt; exec sleep 9011\" }\n");
    stack.put("parts/here.txt", "its paths are its own\n");
    stack.up();
    eventually("both outputs", || {
        let log = stack.run("logs").exits(0).out;
        log.contains("its paths are its own") && log.contains("MODE=shared")
    });
}

#[test]
fn a_port_that_an_edit_gives_to_another_service_is_waited_for() {
    let stack = Stack::new(
        r#"
        service "api" { run "@testbed listen {{port}} slow-stop 300"; port @0 }
        service "web" { needs "api"; run "@testbed slow-stop 200" }
        "#,
    );
    stack.up();
    stack.write(
        r#"
        service "backend" { run "@testbed listen {{port}} slow-stop 300"; port @0 }
        service "web" { needs "backend"; run "@testbed slow-stop 200" }
        "#,
    );
    stack.up();
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    // And from one that stays, to another one.
    stack.write(
        r#"
        service "backend" { run "@testbed listen {{port}} slow-stop 300"; port @1 }
        service "web" { run "@testbed listen {{port}}"; port @0 }
        "#,
    );
    stack.up();
    assert_eq!((stack.state("backend").as_str(), stack.state("web").as_str()), ("ready", "ready"));
}
