//! `replicas`: several copies of one service.

use crate::support::{Stack, get, listening};

#[test]
fn each_copy_has_its_name_number_port_and_folder() {
    let stack = Stack::new(
        r#"
        service "a" {
            env { OWN "{{name}} {{replica}} {{data}} {{port}}" }
            run "@testbed env OWN env PORT listen {{port}}"
            port @0
            replicas 3
        }
        service "b" { needs "a"; run "@testbed expect {{a.port}}" }
        "#,
    );
    stack.up();
    for (number, port) in (1..=3).zip(stack.port(0)..) {
        let name = format!("a.{number}");
        assert_eq!(get(port, "/"), Some((200, "fine\n".to_owned())));
        assert_eq!(stack.node(&name)["ports"][0]["port"], port);
        let data = stack.path(".stackrun/data").join(&name);
        stack.has_logged(&name, "PORT=");
        let log = stack.run(&format!("logs {name} --raw")).exits(0).out;
        let own = format!("OWN={name} {number} {} {port}", data.display());
        assert!(log.lines().any(|line| line == own), "no `{own}` in {log}");
        assert!(log.lines().any(|line| line == format!("PORT={port}")), "{log}");
    }
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn the_name_of_all_stands_for_each_wherever_a_command_takes_names() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed listen {{port}}"; port @0; replicas 2 }
        service "b" { needs "a"; run "@testbed" }
        task "t" { without "a"; run "true" }
        "#,
    );
    stack.up();
    let pids = |stack: &Stack| [stack.pid("a.1"), stack.pid("a.2")];
    let before = pids(&stack);
    stack.run("restart a").exits(0);
    let after = pids(&stack);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    stack.run("restart a.2").exits(0);
    assert_eq!(stack.pid("a.1"), after[0], "one copy alone");
    stack.run("wait a --for ready --timeout 30s").exits(0);
    stack.run("exec a true").says("a.1");
    stack.run("why a").says("a.2");
    stack.run("run t").exits(0);
    assert_eq!((stack.state("a.1"), stack.state("b")), ("ready".to_owned(), "ready".to_owned()));
    // One that dies comes back alone, and a smaller number stops the last one.
    stack.process("a.2").kill();
    stack.reaches("a.2", "ready");
    stack.edit("replicas 2", "replicas 1");
    stack.up();
    assert!(!listening(stack.port(0) + 1));
    assert!(stack.status()["services"].as_array().is_some_and(|all| all.len() == 2));
    stack.run("down a").exits(0);
    assert!(!listening(stack.port(0)));
}
