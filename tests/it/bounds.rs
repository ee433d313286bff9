//! What is too deep, too much, or no text is told at its place before anything is touched, and stops
//! no command that does not need it.

use std::fs;

use crate::support::Stack;

const ONE: &str = r#"service "a" { run "@testbed" }"#;

#[test]
fn a_file_that_is_too_deep_stops_no_question_and_no_down() {
    for deep in [
        format!("{}{}", "/*".repeat(5000), "*/".repeat(5000)),
        format!("x {}{}", "{ ".repeat(5000), "}".repeat(5000)),
        "/- ".repeat(5000),
        "} ".repeat(5000),
        format!("x {}{}", "/- { ".repeat(5000), "}".repeat(5000)),
    ] {
        let stack = Stack::new(ONE);
        stack.up();
        let service = stack.process("a");
        stack.write(&format!("{ONE}\n{deep}\n"));
        stack.run("check").exits(2).says("stack.kdl:2:");
        stack.run("up").exits(2);
        stack.run("status").exits(0);
        stack.run("why a").exits(0);
        stack.run("logs a").exits(0);
        assert!(service.lives(), "nothing was touched");
        stack.down();
        assert!(!service.lives());
    }
}

#[test]
fn a_comment_of_stars_is_a_comment() {
    let stack = Stack::new(&format!("/{}/\n{ONE}\n", "*".repeat(100_001)));
    stack.run("check").exits(0);
}

#[test]
fn more_copies_than_anybody_runs_are_refused_before_they_are_made() {
    let stack = Stack::new(ONE);
    stack.edit("run", "replicas 100000000; run");
    stack.run("check").exits(2).says("stack.kdl:1:").says("1 to 1000");
    stack.run("up").exits(2).says("1 to 1000");
    stack.run("status").exits(2).says("1 to 1000");
    assert!(stack.left().is_empty());
}

#[test]
fn what_no_program_can_get_is_found_before_anything_is_stopped() {
    let stack = Stack::new(r#"env-file ".env"; service "a" { run "@testbed"; env { X "1" } }"#);
    stack.put(".env", "A=1\n");
    stack.up();
    let service = stack.process("a");
    fs::write(stack.path(".env"), b"A=1\nB=x\0y\n").expect("written");
    stack.run("check").exits(2).says("line 2").says("NUL");
    stack.run("up").exits(2).says("NUL");
    assert!(service.lives());
    fs::write(stack.path(".env"), b"A=1\nPASSWORD=caf\xe9\n").expect("written");
    stack.run("check").exits(2).says("line 2").says("0xe9").says("ISO-8859-1");
    stack.run("up").exits(2).says("ISO-8859-1");
    fs::write(stack.path(".env"), b"\xff\xfeA\0=\x001\0").expect("written");
    stack.run("up").exits(2).says("UTF-16LE");
    assert!(service.lives());
    // With a mark of UTF-8 and the line ends of Windows it is what it was.
    fs::write(stack.path(".env"), b"\xef\xbb\xbfA=1\r\n").expect("written");
    stack.edit("\"1\"", "\"\\u{0}\"");
    stack.run("check").exits(2).says("stack.kdl:1:").says("cannot contain a NUL");
    stack.run("up").exits(2);
    assert!(service.lives());
    stack.edit("\"\\u{0}\"", "\"1\"");
    stack.run("up").exits(0);
    assert!(service.lives(), "nothing has changed");
}

#[test]
fn a_time_that_is_too_long_is_refused_and_no_panic() {
    let stack = Stack::new(ONE);
    let mut command = stack.command("up --timeout");
    command.arg("213503982334601d 213503982334601d");
    let ran = crate::support::Running::start("up".to_owned(), command).ends();
    ran.exits(2).says("a hundred years");
    stack.edit("run", "stop grace=\"99999999d\"; run");
    stack.run("check").exits(2).says("a hundred years");
}
