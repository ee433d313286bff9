//! FastAPI, Django and Vite: three kinds of reloaders.

use std::process::Command;

use crate::support::{Stack, eventually, get, have, listening};

const SERVICES: [&str; 3] = ["api", "admin", "web"];

fn all_answer(stack: &Stack) {
    for (index, path) in ["/health", "/health", "/api/items"].into_iter().enumerate() {
        let answer = get(stack.port(index), path);
        assert_eq!(answer.map(|(status, _)| status), Some(200), "{}", SERVICES[index]);
    }
}

#[test]
fn three_services() {
    if !have(&["python3", "node", "npm", "curl"]) {
        return;
    }
    let stack = Stack::example("three-services");
    stack.follow_readme();
    assert!([0, 1, 2].iter().all(|index| !listening(stack.port(*index))));

    ports_of_an_old_run_are_named_and_taken(&stack);
    assert_eq!([stack.state("python"), stack.state("packages")], ["skipped", "skipped"]);
    all_answer(&stack);
    nothing_is_doubled(&stack);
    a_reloader_that_dies_takes_its_worker_along(&stack);
    stack.down();
    assert!([0, 1, 2].iter().all(|index| !listening(stack.port(*index))));
}

fn ports_of_an_old_run_are_named_and_taken(stack: &Stack) {
    // As the old script did it.
    let port = stack.port(0);
    let mut command = Command::new("/bin/sh");
    let uvicorn = format!("exec ../.venv/bin/uvicorn main:app --port {port} > ../old.log 2>&1");
    command.args(["-c", &format!("cd api && {uvicorn}")]);
    let old = stack.foreign(&mut command);
    eventually("the old run", || get(port, "/health").is_some());

    let refused = stack.start("up --profile test").patience(240).ends().exits(4);
    refused.says(&port.to_string()).says(&old.pid().to_string()).says("uvicorn");
    stack.run("ports").says(&old.pid().to_string());
    assert_eq!(get(port, "/health").map(|(status, _)| status), Some(200), "it was left alone");
    let taken = "up --profile test --take-ports";
    stack.start(taken).patience(240).ends().exits(0);
    assert!(crate::support::Process::get(old.pid()).is_none(), "it still lives");
}

fn nothing_is_doubled(stack: &Stack) {
    let pids = SERVICES.map(|name| stack.pid(name));
    let processes = stack.left().len();
    let three = [(); 3].map(|()| stack.start("up --profile test"));
    for running in three {
        running.ends().exits(0).says("nothing to do");
    }
    assert_eq!(SERVICES.map(|name| stack.pid(name)), pids);
    assert_eq!(stack.left().len(), processes, "{:#?}", stack.left());
}

fn a_reloader_that_dies_takes_its_worker_along(stack: &Stack) {
    for (index, name) in SERVICES.into_iter().enumerate() {
        let reloader = stack.process(name);
        let worker = stack
            .left()
            .into_iter()
            .find(|process| process.parent().is_some_and(|parent| parent.pid == reloader.pid));
        let worker = worker.unwrap_or_else(|| panic!("{name} has no child"));
        reloader.kill();
        eventually(&format!("another {name}"), || {
            let node = stack.node(name);
            node["state"] == "ready" && node["pid"] != reloader.pid
        });
        assert!(!worker.lives(), "{worker}");
        assert!(get(stack.port(index), "/").is_some());
    }
    all_answer(stack);
}
