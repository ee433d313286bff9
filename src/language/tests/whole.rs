//! Whole files → stacks.

use std::time::Duration;

use super::{folder, load_in, options, stack};
use crate::model::{
    Check, Command, ExitPattern, HttpTarget, NeedUntil, Part, PortNumber, RestartWhen, Signal,
    StepCommand, TaskBody, Text,
};

const SHOP: &str = include_str!("shop.kdl");

fn run(words: &[&str]) -> Command {
    Command::Run(words.iter().map(|word| Text::from(*word)).collect())
}

#[test]
fn the_file_of_the_language_page() {
    let dir = folder(&[("stack.kdl", SHOP), ("api/x", ""), ("web/x", ""), (".env", "SECRET=1\n")]);
    let loaded = load_in(dir.path(), &options()).unwrap_or_else(|reports| panic!("{reports:?}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let mut stack = loaded.stack;
    for service in &mut stack.services {
        service.for_each_text(&mut |text| *text = text.as_declared());
    }
    assert_eq!(stack.name, "shop");
    let names: Vec<&str> = stack.names().collect();
    assert_eq!(names, ["postgres", "api", "web", "migrate", "sync-db"]);

    let postgres = stack.service("postgres").expect("postgres");
    assert_eq!(postgres.command, Some(run(&["postgres", "-D", ".data/pg", "-p", "5432"])));
    assert_eq!(postgres.ports[0].number, PortNumber::Fixed(5432));
    assert_eq!(postgres.stop.signal, Signal::from_name("INT").expect("known"));
    assert_eq!(postgres.stop.grace, Duration::from_secs(20));
    let check = Check::Command(run(&["pg_isready", "-h", "127.0.0.1", "-p", "5432"]));
    assert_eq!(postgres.ready.checks, [check]);
    assert_eq!(postgres.env["PORT"].value, Some(Text::from("5432")));
    assert_eq!(postgres.env["SECRET"].value, Some(Text::from("1")));

    let api = stack.service("api").expect("api");
    assert_eq!(api.dir, stack.dir.join("api"));
    let needs: Vec<&str> = api.needs.iter().map(|need| need.name.as_str()).collect();
    assert_eq!(needs, ["postgres", "migrate"]);
    assert_eq!(api.memory_max, Some(500 << 20));
    let alive = api.alive.as_ref().expect("alive");
    assert_eq!((alive.failures, alive.cooldown), (3, Duration::from_secs(60)));
    let Check::Http(http) = &api.ready.checks[0] else { panic!("{:?}", api.ready) };
    assert_eq!(http.target, HttpTarget::Path { path: Text::from("/health"), port: None });
    let url = Text::from("postgres://127.0.0.1:5432/shop");
    assert_eq!(api.env["DATABASE_URL"].value, Some(url));

    let web = stack.service("web").expect("web");
    assert_eq!(web.cleanup, [stack.dir.join("web/.next/dev/lock").to_string_lossy()]);
    assert!(web.url_open);
    assert_eq!(web.url, Some(Text::from("http://localhost:5173")));

    let sync = stack.task("sync-db").expect("sync-db");
    assert_eq!(sync.without, ["api", "web"]);
    let TaskBody::Steps(steps) = &sync.body else { panic!("{:?}", sync.body) };
    let base = stack.dir.join("backups/").to_string_lossy().into_owned();
    let parts = vec![Part::Literal(base), Part::Now, Part::Literal(".sql".into())];
    assert_eq!(steps[0].stdout, Some(Text(parts)));
    let StepCommand::Pipe(pipe) = &steps[1].command else { panic!("{:?}", steps[1]) };
    assert_eq!(pipe.len(), 2);
    assert_eq!(sync.keep[0].newest, Some(5));
    assert_eq!(stack.sources.len(), 2);
}

#[test]
fn layers_merge_the_later_wins() {
    let stack = stack(
        r#"
        defaults { restart "always" tries=9; ready within="2m"; alive every="33s" }
        template "node" {
            shell "old"
            env { A "template"; B "template" }
            restart delay="7s"
            needs "db" until="started"
            succeeds-with 143 "SIGINT"
        }
        service "db" { run "db" }
        service "cache" { run "cache" }
        service "api" template="node" {
            run "new"
            env { B "own" }
            needs "infra" follow=#true
            ready { tcp 80 }
        }
        group "infra" "db" "caches"
        group "caches" "cache" "db"
        "#,
    );
    let api = stack.service("api").expect("api");
    assert_eq!(api.command, Some(run(&["new"])));
    assert_eq!(api.env["A"].value, Some(Text::from("template")));
    assert_eq!(api.env["B"].value, Some(Text::from("own")));
    assert_eq!((api.restart.when, api.restart.tries), (RestartWhen::Always, 9));
    assert_eq!(api.restart.delay, Duration::from_secs(7));
    assert_eq!(api.ready.within, Duration::from_secs(120));
    assert!(api.alive.is_none());
    let needs: Vec<_> = api.needs.iter().map(|n| (n.name.as_str(), n.until, n.follow)).collect();
    assert_eq!(needs, [("db", NeedUntil::Ready, true), ("cache", NeedUntil::Ready, true)]);
    let ends = [ExitPattern::Code(143), ExitPattern::Signal(Signal::from_number(2))];
    assert_eq!(api.succeeds_with, ends);
    assert_eq!(stack.group("infra").expect("infra").members, ["db", "cache"]);
    assert_eq!(stack.origins["api.restart.tries"].via.as_deref(), Some("defaults"));
    assert_eq!(stack.origins["api.env.A"].via.as_deref(), Some("template node"));
    assert_eq!(stack.origins["api.env.B"].via, None);
    assert_eq!(stack.origins["api.run"].line, 13);
}
