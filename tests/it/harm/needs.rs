//! Who waits for whom, and who does not.

use crate::support::{Stack, alive};

#[test]
fn an_optional_need_that_is_never_ready_lets_its_dependent_start() {
    let stack = Stack::new(
        r#"
        service "slow" { run "@testbed"; ready within="300ms" { shell "false" }; restart "never" }
        service "api"  { needs "slow" optional=#true; run "@testbed" }
        "#,
    );
    stack.run("up").exits(1);
    assert_eq!(stack.state("slow"), "failed");
    assert_eq!(stack.state("api"), "ready");
}

#[test]
fn order_alone_pulls_nothing_in_and_closes_no_ring() {
    let stack = Stack::new(
        r#"
        service "a" { after "b"; run "@testbed mark marks.txt a" }
        service "b" { after "c"; run "@testbed mark marks.txt b" }
        service "c" { run "@testbed mark marks.txt c"; autostart #false }
        "#,
    );
    stack.run("up a").exits(0);
    assert_eq!((stack.state("b").as_str(), stack.state("c").as_str()), ("idle", "idle"));
    stack.up();
    assert_eq!(stack.state("c"), "idle");
    stack.run("down a").exits(0);
    assert_eq!(stack.state("b"), "ready", "nobody needs the other");
}

#[test]
fn a_need_of_several_stays_as_long_as_one_is_there() {
    let stack = Stack::new(
        r#"
        service "db"  { run "@testbed"; autostart #false }
        service "api" { needs "db"; run "@testbed" }
        service "web" { needs "db"; run "@testbed" }
        "#,
    );
    stack.up();
    let db = stack.pid("db");
    stack.run("down api").exits(0);
    assert_eq!((stack.pid("db"), stack.state("web").as_str()), (db, "ready"));
    stack.run("up api").exits(0);
    assert_eq!(stack.pid("db"), db);
}

#[test]
fn a_restart_that_fails_reaches_who_follows_and_nobody_else() {
    let stack = Stack::new(
        r#"
        service "db"      { run "@testbed absent broken"; ready { delay "200ms" }; restart "never" }
        service "follows" { needs "db" follow=#true; run "@testbed" }
        service "stays"   { needs "db"; run "@testbed" }
        service "sibling" { run "@testbed" }
        "#,
    );
    stack.up();
    let (follows, stays, sibling) =
        (stack.pid("follows"), stack.pid("stays"), stack.pid("sibling"));
    stack.put("broken", "");
    stack.run("restart db").exits(1);
    assert_eq!(stack.state("db"), "failed");
    assert!(!alive(follows), "it cannot do without");
    assert_eq!(stack.pid("sibling"), sibling);
    assert_eq!(stack.pid("stays"), stays, "restarts of what it needs are not its business");
    std::fs::remove_file(stack.path("broken")).expect("the file");
    stack.up();
    assert_eq!(stack.pid("sibling"), sibling);
    for name in ["db", "follows", "stays"] {
        assert_eq!(stack.state(name), "ready", "{name}");
    }
}

#[test]
fn a_ring_of_twenty_is_shown_and_starts_nothing() {
    let mut text = String::new();
    for link in 0..20 {
        let next = (link + 1) % 20;
        text += &format!("service \"r{link}\" {{ needs \"r{next}\"; run \"@testbed\" }}\n");
    }
    let stack = Stack::new(&text);
    let up = stack.run("up").exits(2);
    for link in 0..20 {
        assert!(up.err.contains(&format!("r{link}")), "{up:#?}");
    }
    assert!(stack.left().is_empty() && !stack.path(".stackrun").exists());
}
