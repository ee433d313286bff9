//! The stack at the root of the repository: what `cargo run --release -- up` shows first.

use crate::support::{Stack, alive, eventually, get, listening};

fn root_stack() -> Stack {
    Stack::copy_of(&["stack.kdl", "examples/hello/main.rs"])
}

#[test]
fn comes_up_answers_restarts_and_goes_down() {
    let stack = root_stack();
    let (api, front) = (stack.port(0), stack.port(1));

    stack.up().says("front");
    let (status, page) = get(front, "/").expect("the front answers");
    assert_eq!(status, 200);
    assert!(page.contains("visit 1: it is "), "{page}");
    for name in ["api", "worker", "front"] {
        assert_eq!(stack.state(name), "ready");
    }
    assert_eq!(stack.state("build"), "done");
    stack.has_logged("api", "GET / HTTP/1.1 200 OK");

    let before = stack.pid("api");
    stack.run("restart api").exits(0);
    assert!(!alive(before));
    assert_ne!(stack.pid("api"), before);
    eventually("a new count of visits", || {
        get(front, "/").is_some_and(|(_, page)| page.contains("visit 1:"))
    });

    stack.down();
    assert!(!listening(api) && !listening(front));
    stack.run("status").exits(3);
}

#[test]
fn an_unchanged_program_is_not_built_again() {
    let stack = root_stack();
    stack.up();
    let built = || stack.path("target/demo/hello").metadata().and_then(|data| data.modified()).ok();
    let before = built().expect("the program was built");
    stack.down();
    stack.up();
    assert_eq!(stack.state("build"), "skipped");
    assert_eq!(built(), Some(before));

    stack.put("examples/hello/main.rs", "fn main() { panic!(\"a new version\") }");
    stack.run("restart api").exits(1).says("a new version");
    assert_ne!(built(), Some(before));
}
