//! Next.js and PostgreSQL: databases are switched, by a signal file.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Stack, eventually, get, have, listening, ordinary_user, wait_for};

/// What `/api/health` says it uses.
fn database(stack: &Stack) -> Option<String> {
    let (_, body) = get(stack.port(1), "/api/health").filter(|(status, _)| *status == 200)?;
    serde_json::from_str::<Value>(&body).ok()?["database"].as_str().map(str::to_owned)
}

/// How many Next.js servers live.
fn servers(stack: &Stack) -> usize {
    stack.left().iter().filter(|process| process.command.starts_with("next-server")).count()
}

/// Waits until the page is up with what was switched to last; nothing else may be up then.
fn switched(stack: &Stack, generation: u64) -> u64 {
    let wanted = stack.read(".env.local").trim().rsplit('/').next().map(str::to_owned);
    let generation = wait_for("the page with another database", || {
        let node = stack.node("web");
        let now = node["generation"].as_u64().filter(|now| *now > generation)?;
        (node["state"] == "ready" && database(stack) == wanted).then_some(now)
    });
    assert_eq!(servers(stack), 1, "{:#?}", stack.left());
    assert!(stack.path(".next/dev/lock").exists());
    generation
}

fn switched_by(stack: &Stack, name: &str) -> u64 {
    let generation = stack.node("web")["generation"].as_u64().expect("a number");
    stack.run(&format!("run switch -- {name}")).exits(0);
    switched(stack, generation)
}

#[test]
fn nextjs_postgres() {
    let programs = ["postgres", "initdb", "psql", "pg_isready", "node", "npm", "curl"];
    if !have(&programs) || !ordinary_user() {
        return;
    }
    let stack = Stack::example("nextjs-postgres");
    stack.follow_readme();
    assert!(!listening(stack.port(1)) && !stack.path(".next/dev/lock").exists());

    stack.start("up --profile test").patience(240).ends().exits(0);
    assert_eq!(stack.state("packages"), "skipped");
    let postmaster = stack.pid("postgres");
    // The first visit has it compiled.
    eventually("the page", || {
        get(stack.port(1), "/").is_some_and(|(_, page)| page.contains("the first note in "))
    });

    // Ten switches: six one after the other, four at once.
    for name in ["demo", "shop", "staging", "demo", "shop", "staging"] {
        switched_by(&stack, name);
        assert_eq!(database(&stack).as_deref(), Some(name));
    }
    let at_once = ["demo", "shop", "staging", "demo"];
    let generation = stack.node("web")["generation"].as_u64().expect("a number");
    for running in at_once.map(|name| stack.start(&format!("run switch -- {name}"))) {
        running.ends().exits(0);
    }
    switched(&stack, generation);
    assert_eq!(stack.pid("postgres"), postmaster);
    assert!(!stack.run("events").exits(0).out.contains("tries again in"), "a switch is no failure");

    no_start_without_its_database(&stack);
    no_start_beside_what_is_left(&stack);
    every_start_asked_the_database(&stack);
    stack.down();
    assert!(!listening(stack.port(0)) && !listening(stack.port(1)));
    assert!(!stack.path(".next/dev/lock").exists());
}

fn no_start_without_its_database(stack: &Stack) {
    // Switched to a database that is not there, by somebody who does not ask `./switch`.
    let settings = stack.read(".env.local");
    let (before, _) = settings.rsplit_once('/').expect("an address");
    stack.put(".env.local", &format!("{before}/nowhere\n"));
    stack.put(".restart", "");
    eventually("a start that is refused", || {
        stack.run("why web").out.contains("database \"nowhere\" does not exist")
    });
    assert_eq!(servers(stack), 0);
    stack.run("run switch -- shop").exits(0);
    let generation = stack.node("web")["generation"].as_u64().expect("a number");
    switched(stack, generation - 1);

    // The postmaster dies while the page restarts: the page waits for another one.
    let postmaster = stack.process("postgres");
    postmaster.kill();
    let generation = switched_by(stack, "staging");
    assert_ne!(stack.pid("postgres"), postmaster.pid);
    assert_eq!(stack.node("web")["generation"], generation);
}

fn no_start_beside_what_is_left(stack: &Stack) {
    // Of npm, a shell, `next dev` and `next-server` the first alone is killed.
    let npm = stack.process("web");
    let server = stack.left().into_iter().find(|left| left.command.starts_with("next-server"));
    let server = server.expect("a server");
    let generation = stack.node("web")["generation"].as_u64().expect("a number");
    npm.signal(Signal::KILL);
    switched(stack, generation);
    assert!(!server.lives());
}

fn every_start_asked_the_database(stack: &Stack) {
    let events = stack.run("events --json").exits(0).out;
    let of_web = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_web: Vec<Value> = of_web.filter(|event| event["name"] == "web").collect();
    let mut running = false;
    let (mut asked, mut refused, mut starts) = (Value::Null, 0, 0);
    for event in &of_web {
        match event["event"].as_str() {
            Some("hook") if event["hook"] == "before-start" => match event["exit"]["code"].as_u64()
            {
                Some(0) => asked = event["generation"].clone(),
                _ => refused += 1,
            },
            Some("spawned") => {
                assert!(!std::mem::replace(&mut running, true), "{of_web:#?}");
                assert_eq!(asked, event["generation"], "a start that did not ask: {of_web:#?}");
                starts += 1;
            }
            Some("exited") => running = false,
            _ => {}
        }
    }
    // `up`, six switches, at least one for the four at once, back from nowhere, the postmaster's
    // death, npm's.
    assert!(starts >= 11, "{starts} starts: {of_web:#?}");
    assert!(refused >= 1, "nowhere is no database: {of_web:#?}");
}
