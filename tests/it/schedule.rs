//! Tasks that run by themselves.

use crate::support::Stack;

#[test]
fn the_next_time_is_told_while_the_stack_is_up() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "backup" { run "@testbed counted runs.txt exit 0"; schedule "0 3 * * *" }
        "#,
    );
    stack.up();
    let next = stack.node("backup")["next"].as_str().expect("a time").to_owned();
    assert!(next.contains(":00:00"), "{next}");
    stack.run("status").exits(0).says("next");
    assert_eq!(stack.read("runs.txt"), "", "it is not time yet");
    stack.edit(r#" schedule "0 3 * * *""#, "");
    stack.up();
    assert!(stack.node("backup")["next"].is_null());
}
