//! The stacks in `examples` run as they are, with their real servers, by the commands that their
//! READMEs show.

mod always_on;
mod flask_waitress;
mod nextjs_postgres;
mod sync_mysql;
mod three_services;

use rustix::process::Signal;

use crate::support::{Stack, eventually, get, have, listening, ordinary_user, post};

#[test]
fn hello() {
    let stack = Stack::example("hello");
    stack.up().says(&format!("http://127.0.0.1:{}", stack.port(0)));
    let (status, body) = get(stack.port(0), "/").expect("an answer");
    assert_eq!(status, 200);
    assert!(body.contains("good morning"), "{body}");
    stack.down();
}

fn shop() -> Option<Stack> {
    let servers = ["postgres", "initdb", "psql", "redis-server", "nginx", "node", "npm"];
    (have(&servers) && ordinary_user()).then(|| Stack::example("shop"))
}

#[test]
fn shop_works_survives_its_postmaster_and_leaves_nothing() {
    let Some(stack) = shop() else { return };
    // As the file declares them: postgres, redis, api, web.
    let ports = [0, 1, 2, 3].map(|index| stack.port(index));
    let [.., api, web] = ports;

    stack.start("up").patience(240).ends().exits(0);
    assert_eq!(post(web, "/orders?item=tea"), Some((200, "{\"id\":1,\"item\":\"tea\"}\n".into())));
    assert_eq!(get(web, "/"), Some((200, "{\"visits\":1,\"orders\":1}\n".into())));
    for (task, state) in [("initdb", "done"), ("install", "done"), ("migrate", "done")] {
        assert_eq!(stack.state(task), state);
    }

    // Its children have sessions of their own and hold its shared memory: unless all of them are
    // gone, a new postmaster refuses to start.
    let postmaster = stack.process("postgres");
    postmaster.signal(Signal::KILL);
    eventually("another postmaster", || {
        let node = stack.node("postgres");
        node["state"] == "ready" && node["pid"] != postmaster.pid
    });
    eventually("the API's answer", || get(api, "/health").is_some_and(|(code, _)| code == 200));
    assert_eq!(get(web, "/"), Some((200, "{\"visits\":2,\"orders\":1}\n".into())));

    stack.down().says("0 processes");
    for port in ports {
        assert!(!listening(port), "{port} is still listened on");
    }

    // Everything is where it was, and what did not change is not done again.
    stack.start("up").patience(120).ends().exits(0);
    assert_eq!(stack.state("install"), "skipped");
    assert_eq!(get(web, "/"), Some((200, "{\"visits\":3,\"orders\":1}\n".into())));
    stack.run("run reset --yes").exits(0);
    assert_eq!(get(web, "/"), Some((200, "{\"visits\":1,\"orders\":0}\n".into())));
    stack.down();
}
