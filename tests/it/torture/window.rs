//! Commands, supervisor and keeper are killed at random moments of a task with an exclusive window
//! that changes a real database.

use std::{process::Command, thread, time::Duration};

use rustix::process::Signal;

use crate::support::{Process, Stack, eventually, have, wait_for};

use super::{Chance, killing::supervisor_and_keeper, nothing_was_forgotten, rounds};

const TABLES: [&str; 4] = ["users", "orders", "items", "notes"];

/// Production gets the structure of development: backed up, built beside it, and swapped in by the
/// one statement that MariaDB carries out whole or not at all.
const STACK: &str = r#"
    service "mariadb" {
        run "mariadbd --no-defaults --user=@user --datadir=@here/data --socket=@here/db.sock \
             --pid-file=@here/db.pid --port={{port}} --bind-address=127.0.0.1 --skip-networking=0 \
             --skip-log-bin --performance-schema=OFF --innodb-buffer-pool-size=16M \
             --innodb-flush-log-at-trx-commit=0"
        port @0
        ready { run "mariadb-admin --no-defaults --socket=@here/db.sock -uroot ping" }
        stop grace="30s"
    }
    service "dev"  { needs "mariadb"; run "@testbed lock dev.lock counted dev.starts listen {{port}}"; port @1 }
    service "prod" { needs "mariadb"; run "@testbed lock prod.lock counted prod.starts listen {{port}}"; port @2 }
    service "idle" { autostart #false; needs "prod"; run "@testbed counted idle.starts" }
    task "sync-structure" {
        needs "mariadb"
        without "dev" "prod"
        step "backup" {
            run "mariadb-dump --no-defaults --socket=@here/db.sock -uroot prod"
            stdout "backups/{{now}}.sql"
        }
        step "beside" {
            run "mariadb --no-defaults --socket=@here/db.sock -uroot -e 'DROP DATABASE IF EXISTS next; DROP DATABASE IF EXISTS old; CREATE DATABASE next; CREATE DATABASE old'"
        }
        step "structure" {
            pipe {
                run "mariadb-dump --no-defaults --socket=@here/db.sock -uroot --no-data dev"
                run "mariadb --no-defaults --socket=@here/db.sock -uroot next"
            }
        }
        step "rows" { run "mariadb --no-defaults --socket=@here/db.sock -uroot -e '@copy'" }
        step "swap" { run "mariadb --no-defaults --socket=@here/db.sock -uroot -e 'RENAME TABLE @swap'" }
        on-failure {
            step "undo" { run "mariadb --no-defaults --socket=@here/db.sock -uroot -e 'DROP DATABASE IF EXISTS next'" }
        }
        keep "backups/*.sql" newest=5
    }
"#;

/// The server and the two schemas.
struct Database<'a>(&'a Stack);

impl Database<'_> {
    /// What a query answers.
    #[track_caller]
    fn ask(&self, query: &str) -> String {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-uroot", "-N", "-B", "-e", query]);
        client.arg(format!("--socket={}", self.0.path("db.sock").display()));
        let ran = client.output().expect("mariadb runs");
        assert!(ran.status.success(), "{query}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// Another structure for development: every table gets the column of this version.
    fn raise(&self, version: u64) {
        let alter = TABLES.map(|table| format!("ALTER TABLE dev.{table} ADD v{version} INT;"));
        self.ask(&alter.concat());
    }

    /// Whether production has the structure of this version, all of it or nothing of it, and all
    /// of its rows.
    #[track_caller]
    fn has(&self, version: u64) -> bool {
        let tables = self.ask(&format!(
            "SELECT COUNT(*) FROM information_schema.columns \
             WHERE table_schema='prod' AND column_name='v{version}'"
        ));
        let tables: usize = tables.parse().expect("a number");
        assert!(tables == 0 || tables == TABLES.len(), "{tables} of {}", TABLES.len());
        let rows = TABLES.map(|table| format!("(SELECT COUNT(*) FROM prod.{table})"));
        assert_eq!(self.ask(&format!("SELECT {}", rows.join("+"))), "40", "rows");
        tables > 0
    }
}

fn stack() -> Stack {
    let stack = Stack::new("");
    let user = stackrun::platform::user_name(stackrun::platform::own_uid());
    let copy = TABLES.map(|table| {
        format!("INSERT INTO next.{table} (id, text) SELECT id, text FROM prod.{table};")
    });
    let swap =
        TABLES.map(|table| format!("prod.{table} TO old.{table}, next.{table} TO prod.{table}"));
    let text = STACK
        .replace("\\\n             ", "")
        .replace("@user", &user)
        .replace("@here", &stack.folder().display().to_string())
        .replace("@copy", &copy.concat())
        .replace("@swap", &swap.join(", "));
    stack.write(&text);
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.arg(format!("--user={user}"));
    let ran = install.arg(format!("--datadir={}", stack.path("data").display())).output();
    let ran = ran.expect("mariadb-install-db runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    stack
}

#[test]
fn the_monkey_cannot_leave_servers_down_or_a_database_half_changed() {
    if !have(&["mariadbd", "mariadb", "mariadb-dump", "mariadb-install-db"]) {
        return;
    }
    let stack = stack();
    stack.start("up").patience(120).ends().exits(0);
    let database = Database(&stack);
    database.ask("CREATE DATABASE dev; CREATE DATABASE prod;");
    for table in TABLES {
        for schema in ["dev", "prod"] {
            let create = "(id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(80))";
            database.ask(&format!("CREATE TABLE {schema}.{table} {create}"));
        }
        let rows = "(text) VALUES ('a'),('b'),('c'),('d'),('e'),('f'),('g'),('h'),('i'),('j')";
        database.ask(&format!("INSERT INTO prod.{table} {rows}"));
    }
    let server = stack.pid("mariadb");
    let starts = || ["dev", "prod"].map(|name| stack.read(&format!("{name}.starts")).len());

    // How long an undisturbed run takes.
    database.raise(0);
    let began = std::time::Instant::now();
    stack.start("run sync-structure").patience(120).ends().exits(0);
    let took = u64::try_from(began.elapsed().as_micros()).expect("a short run");
    assert!(database.has(0), "an undisturbed run is complete");

    let mut chance = Chance::new();
    let (mut complete, mut untouched) = (0, 0);
    for round in 1..=rounds(6) {
        database.raise(round);
        let before = starts();
        let mut command = stack.start("run sync-structure").patience(120);
        let mut killed = Vec::new();
        for _ in 0..=chance.below(2) {
            thread::sleep(Duration::from_micros(chance.below(took)));
            let (supervisor, keeper) = supervisor_and_keeper(&stack);
            let (victims, whom) = match chance.below(5) {
                0 => ([None, None], "command"),
                1 => ([supervisor, None], "supervisor"),
                2 => ([keeper, None], "keeper"),
                3 => ([supervisor, keeper], "supervisor and keeper"),
                _ => ([keeper, supervisor], "all"),
            };
            if matches!(whom, "command" | "all") {
                command.signal(Signal::KILL);
            }
            victims.iter().flatten().for_each(Process::kill);
            killed.push(whom);
        }
        let ran = command.ends();
        // Whoever comes next takes up what is left.
        let state = wait_for("the end of the run", || {
            let state = stack.state("sync-structure");
            (!matches!(&*state, "running" | "waiting")).then_some(state)
        });
        for name in ["mariadb", "dev", "prod"] {
            stack.reaches(name, "ready");
        }
        let is_new = database.has(round);
        println!("{round}: killed {killed:?} → {}, {state}, complete: {is_new}", ran.code);
        assert_eq!(stack.pid("mariadb"), server, "the database is not in the window");
        assert_eq!(stack.state("idle"), "idle");
        assert_eq!(stack.read("dev.lock.violations") + &stack.read("prod.lock.violations"), "");
        for (now, before) in starts().into_iter().zip(before) {
            assert!(now == before || now == before + 1, "started {} times", now - before);
            assert!(!is_new || now == before + 1, "they were stopped for it, and started once");
        }
        // Whoever was told that all is well can rely on it.
        assert!(ran.code != 0 || is_new, "{ran:#?}");
        if is_new { complete += 1 } else { untouched += 1 }
    }
    nothing_was_forgotten(&stack);
    println!("complete: {complete}, untouched: {untouched}");
    eventually("no half-written backup", || {
        let backups = std::fs::read_dir(stack.path("backups")).expect("backups").flatten();
        let names: Vec<String> =
            backups.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        names.len() <= 6 && names.iter().all(|name| name.ends_with(".sql"))
    });
    stack.start("down").patience(120).ends().exits(0);
}
