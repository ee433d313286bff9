//! MariaDB with a development and a production server, and the tasks between them.

use serde_json::Value;

use crate::support::{Stack, eventually, get, have, listening, ordinary_user, post};

const DEV: usize = 1;
const PROD: usize = 2;

/// What a server answers, as JSON.
fn ask(stack: &Stack, server: usize, path: &str) -> Value {
    let (status, body) = get(stack.port(server), path).expect("an answer");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn sql(stack: &Stack, database: &str, statement: &str) -> String {
    let mut command = stack.command("exec mariadb mariadb --defaults-file=my.cnf -BN");
    command.args([database, "-e", statement]);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn backups(stack: &Stack) -> Vec<String> {
    let files = stack.path("backups").read_dir().expect("backups").flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("prod-")).collect();
    names.sort();
    names
}

fn both_are_up(stack: &Stack) {
    for (name, server) in [("dev", DEV), ("prod", PROD)] {
        assert_eq!(stack.state(name), "ready");
        assert_eq!(get(stack.port(server), "/health").map(|(status, _)| status), Some(200));
    }
}

#[test]
fn sync_mysql() {
    let programs = [
        "mariadbd",
        "mariadb",
        "mariadb-admin",
        "mariadb-dump",
        "mariadb-install-db",
        "node",
        "npm",
        "curl",
    ];
    if !have(&programs) || !ordinary_user() {
        return;
    }
    let stack = Stack::example("sync-mysql");
    stack.follow_readme();

    stack.start("up --profile test").patience(240).ends().exits(0);
    assert_eq!(stack.state("packages"), "skipped");
    only_the_newest_backups_stay(&stack);
    a_failure_leaves_production_as_it_was(&stack);
    the_window_outlives_who_asked_for_it(&stack);
    a_bad_release_is_not_deployed(&stack);

    stack.down();
    assert!([0, DEV, PROD].iter().all(|index| !listening(stack.port(*index))));
}

fn only_the_newest_backups_stay(stack: &Stack) {
    let early = backups(stack);
    for number in 1..=6 {
        stack.put(&format!("backups/prod-20200101-00000{number}.sql"), "an early one");
    }
    stack.put("backups/by-hand.sql", "not the stack's to delete");
    stack.run("run sync-structure --yes").exits(0);
    let left = backups(stack);
    assert_eq!(left.len(), 5, "{left:?}");
    let newest = left.last().filter(|newest| !early.contains(newest)).expect("a new one");
    assert!(stack.read(&format!("backups/{newest}")).contains("Dump completed"));
    assert!(stack.path("backups/by-hand.sql").exists());
}

fn a_failure_leaves_production_as_it_was(stack: &Stack) {
    // What stands in a column that is gone has no place to go to: the rows cannot be carried over.
    sql(stack, "app_prod", "update users set email = 'ada@example.org' where name = 'Ada'");
    sql(stack, "app_dev", "alter table users drop column email");
    let before = (ask(stack, PROD, "/users"), backups(stack));
    let pids = ["dev", "prod"].map(|name| stack.pid(name));
    let ran = stack.run("run sync-structure --yes");
    assert_ne!(ran.code, 0);
    ran.says("rows").says("Unknown column 'email'");
    both_are_up(stack);
    assert_ne!(["dev", "prod"].map(|name| stack.pid(name)), pids, "they were not stopped");
    assert_eq!(ask(stack, PROD, "/users"), before.0);
    assert!(before.1.iter().all(|backup| backups(stack).contains(backup)));
    let databases = sql(stack, "app_prod", "show databases like 'app\\\\_%'");
    assert_eq!(databases, "app_dev\napp_prod\n");
    // The sentence, the step, and what it said last.
    let why = stack.run("why sync-structure");
    why.says("sync-structure has failed").says("`rows`").says("Unknown column 'email'");
    stack.run("logs sync-structure").says("Unknown column 'email'");
}

fn the_window_outlives_who_asked_for_it(stack: &Stack) {
    sql(stack, "app_dev", "alter table users add column email varchar(120), add column age int");
    // Somebody's lock holds the task up in the middle of its window.
    let mut command = stack.command("exec mariadb mariadb --defaults-file=my.cnf -BN");
    command.args(["--unbuffered", "app_dev", "-e"]);
    command.arg("lock tables users write; select 'locked'; select sleep(600)");
    let lock = stack.foreign(&mut command);
    eventually("the lock", || {
        sql(stack, "app_dev", "show open tables where in_use").contains("users")
    });

    let client = stack.start("run sync-structure --yes");
    eventually("the window", || {
        stack.state("sync-structure") == "running" && !listening(stack.port(PROD))
    });
    stack.run("restart prod").exits(1).says("sync-structure");
    stack.run("up dev").exits(1).says("sync-structure");
    // Killed, as by the end of a terminal; its task goes on.
    drop(client);
    let connections = "select id from information_schema.processlist where info like '%sleep(600)%' \
                       and id <> connection_id()";
    let id = sql(stack, "app_dev", connections);
    sql(stack, "app_dev", &format!("kill {}", id.trim()));
    drop(lock);
    stack.reaches("sync-structure", "done");
    eventually("both servers", || ["dev", "prod"].iter().all(|name| stack.state(name) == "ready"));
    both_are_up(stack);
    let users = ask(stack, PROD, "/users");
    assert_eq!(users[0]["email"], "ada@example.org");
    assert!(users[0].as_object().expect("a user").contains_key("age"), "{users}");
    assert_eq!(post(stack.port(PROD), "/users?name=Joan").map(|(status, _)| status), Some(200));
}

fn a_bad_release_is_not_deployed(stack: &Stack) {
    let good = stack.read("app/server.js");
    stack.put("app/server.js", "const version = ;");
    let ran = stack.run("run deploy --yes");
    assert_ne!(ran.code, 0);
    ran.says("verify");
    assert_eq!(stack.state("prod"), "ready");
    assert_eq!(ask(stack, PROD, "/health")["version"], 2);
    assert!(stack.path("release/server.js").exists());
    stack.put("app/server.js", &good);
    eventually("dev", || get(stack.port(DEV), "/health").is_some());
}
