//! Secrets are with those who need them, and in no file.

use std::{fs, io, path::Path};

use crate::support::{Running, Stack, eventually, wait_for};

const SECRET: &str = "xyzzy-hunter2-plugh";

fn stack() -> Stack {
    Stack::new(
        r#"
        service "api" {
            run "@testbed env TOKEN counted api.starts"
            env { TOKEN "{{env.TOKEN}}" secret=#true }
            restart delay="10ms"
        }
        service "web" { run "@testbed" }
        "#,
    )
}

/// `stackrun LINE` by somebody who has the secret in their environment.
#[track_caller]
fn run_knowing(stack: &Stack, line: &str) {
    let mut command = stack.command(line);
    command.env("TOKEN", SECRET);
    Running::start(format!("{line}, knowing the secret"), command).ends().exits(0);
}

/// Every file below a folder that holds the secret; the log of the one who prints it left out.
fn files_with_secret(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        // What has been renamed into its place meanwhile is found there.
        let Ok(kind) = fs::symlink_metadata(&path).map(|data| data.file_type()) else { continue };
        if kind.is_dir() {
            found.extend(files_with_secret(&path));
        } else if kind.is_file() && !path.ends_with("logs/api.log") {
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes.expect("a readable file"),
            };
            if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[track_caller]
fn is_written_nowhere(stack: &Stack) {
    for folder in [stack.path(".stackrun"), stack.places().runtime] {
        assert_eq!(files_with_secret(&folder), Vec::<String>::new());
    }
    for line in ["status --json", "events", "why api", "show api"] {
        let ran = stack.run(line);
        assert!(!(ran.out.contains(SECRET) || ran.err.contains(SECRET)), "{line}: {ran:#?}");
    }
    for process in stack.left() {
        assert!(!process.command.contains(SECRET), "{process}");
    }
}

fn starts(stack: &Stack) -> usize {
    stack.read("api.starts").len()
}

#[test]
fn a_secret_is_in_no_file() {
    let stack = stack();
    run_knowing(&stack, "up");
    is_written_nowhere(&stack);
    // What is being stopped still runs by the definition before: both have the secret.
    stack.edit("env TOKEN", "env TOKEN slow-stop 60000");
    run_knowing(&stack, "up");
    eventually("the slow one", || starts(&stack) == 2);
    stack.edit("slow-stop 60000", "slow-stop 60001");
    let mut up = stack.command("up");
    up.env("TOKEN", SECRET);
    let mut up = Running::start("up".to_owned(), up);
    stack.reaches("api", "stopping");
    is_written_nowhere(&stack);
    stack.process("api").kill();
    // The stop that is waited for below is that of the next one.
    eventually("the next one", || starts(&stack) == 3);
    up.signal(rustix::process::Signal::INT);
    let _interrupted_or_done = up.ends();
    let down = stack.start("down");
    stack.reaches("api", "stopping");
    stack.process("api").kill();
    down.ends().exits(0);
}

#[test]
fn a_secret_outlives_the_supervisor_and_an_upgrade() {
    let stack = stack();
    run_knowing(&stack, "up");
    let lines = format!("TOKEN={SECRET}\n");
    eventually("it being printed", || stack.read(".stackrun/logs/api.log") == lines);
    let supervisor = stack.supervisor();
    supervisor.kill();
    eventually("its end", || !supervisor.lives());
    stack.process("api").kill();
    eventually("it being printed again", || {
        stack.read(".stackrun/logs/api.log") == lines.repeat(2)
    });
    stack.run("upgrade").exits(0);
    stack.process("api").kill();
    eventually("and again", || stack.read(".stackrun/logs/api.log") == lines.repeat(3));
    is_written_nowhere(&stack);
}

#[test]
fn a_secret_outlives_the_keeper_alone() {
    let stack = stack();
    run_knowing(&stack, "up");
    let keeper = stack.supervisor().parent().expect("the keeper");
    keeper.kill();
    wait_for("another keeper", || stack.keeper_by_lock().filter(|pid| *pid != keeper.pid));
    stack.process("api").kill();
    eventually("its second start", || starts(&stack) == 2);
    stack.reaches("api", "ready");
    is_written_nowhere(&stack);
}

#[test]
fn a_secret_that_nobody_knows_any_more_fails_the_start_with_a_reason() {
    let stack = stack();
    run_knowing(&stack, "up");
    eventually("its start", || starts(&stack) == 1);
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    // Or it would tell the next keeper.
    supervisor.signal(rustix::process::Signal::STOP);
    keeper.kill();
    supervisor.kill();
    eventually("the end of both", || !keeper.lives() && !supervisor.lives());
    stack.reaches("api", "ready");
    stack.process("api").kill();
    eventually("its failure", || stack.state("api") == "failed");
    stack.run("why api").says("its secret TOKEN is not known any more").says("stackrun up");
    assert_eq!(starts(&stack), 1, "not with the mask");
    run_knowing(&stack, "up");
    assert_eq!(stack.state("api"), "ready");
    eventually("its second start", || starts(&stack) == 2);
}
