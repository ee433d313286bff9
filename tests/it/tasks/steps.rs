//! Tasks of steps: what each may do, and what becomes of the rest when one fails.

use std::fs;

use crate::support::{Stack, eventually};

/// The files of a folder, sorted.
fn files(stack: &Stack, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(stack.path(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_ran_what_failed_and_what_did_not_run_is_told() {
    let stack = Stack::new(
        r#"
        task "release" {
            step "build"  { run "@testbed print built exit 0" }
            step "ship"   { run "@testbed print 'no route to host' exit 6" }
            step "tell"   { run "@testbed exit 0" }
            on-failure { step "undo" { run "@testbed exit 3" } }
        }
        service "web" { needs "release"; run "@testbed" }
        service "a"   { run "@testbed" }
        "#,
    );
    stack.run("up a").exits(0);
    let ran = stack.run("run release").exits(6);
    assert!(ran.out.contains("no route to host"), "{ran:?}");
    let ran = ran
        .says("step build done in")
        .says("step ship failed after")
        .says("step undo (on-failure) failed after")
        .says("failed: step `ship`: exit 6; on-failure failed too: exit 3")
        .says("not run: tell");
    // What a step wrote stands before the line that tells of its end.
    assert!(!ran.err.contains("no route"), "its output is stdout's: {ran:?}");
    stack.run("events").exits(0).says("step ship failed").says("on-failure: exit 3");
    assert_eq!(stack.node("release")["exit"]["code"], 6);
    let reason = stack.node("release")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("step `ship`: exit 6"), "{reason}");
    stack.run("up").exits(1).says("running ship (2 of 3)").says("step `ship`: exit 6");
}

#[test]
fn a_terminal_shows_a_line_for_each_step() {
    let stack = Stack::new(
        r#"
        task "release" {
            step "build" { shell "echo built; while ! test -e go; do sleep 0.02; done" }
            step "ship"  { shell "echo no route; exit 6" }
            step "tell"  { shell "exit 0" }
        }
        "#,
    );
    let mut terminal = stack.on_terminal("run release");
    terminal.has_shown("step build (1 of 3)");
    stack.put("go", "");
    assert_eq!(terminal.ends(), Some(6));
    let shown = terminal.shown();
    for line in ["✔", "build", "✘", "exit 6", "not run", "no route"] {
        assert!(shown.contains(line), "`{line}` in {shown}");
    }
}

#[test]
fn a_pipe_names_the_member_that_failed() {
    let stack = Stack::new(
        r#"
        task "first"  { step "dump" { pipe { shell "echo half; exit 4"; run "cat" } } }
        task "last"   { step "load" { pipe { run "yes"; shell "exit 5" } } }
        task "middle" { step "sort" { pipe { run "echo x"; shell "cat; exit 7"; run "cat" } } }
        task "absent" { step "a" { run "true" }; step "b" { pipe { run "yes"; run "./not-there" } } }
        task "reader" { step "head" { pipe { run "yes"; run "head -1" } } }
        "#,
    );
    stack.run("run first").exits(4).says("step `dump`: `sh` exit 4");
    stack.run("run last").exits(5).says("step `load`: `sh` exit 5");
    stack.run("run middle").exits(7).says("`sh` exit 7");
    stack.run("run absent").exits(127).says("not-there");
    // As with pipefail of a shell.
    stack.run("run reader").exits(141).says("`yes` SIGPIPE");
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let stack = Stack::new(
        r#"
        task "dump" {
            step "copy" { dir "sub"; run "cat"; stdin "in.bin"; stdout "out/copy.bin" }
        }
        task "half" { dir "sub"; step "half" { shell "echo half; exit 1"; stdout "out/copy.bin" } }
        task "slow" {
            dir "sub"
            timeout "2s"
            step "slow" { shell "echo half; sleep 100"; stdout "out/slow.bin" }
        }
        task "none" { step "none" { run "cat"; stdin "nowhere.bin" } }
        task "null" { step "null" { run "echo x"; stdout "/dev/null" } }
        "#,
    );
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_ne_bytes).collect();
    fs::create_dir(stack.path("sub")).expect("a folder");
    fs::write(stack.path("sub/in.bin"), &bytes).expect("a file");
    stack.run("run dump").exits(0);
    assert!(fs::read(stack.path("sub/out/copy.bin")).expect("the copy") == bytes);
    stack.run("run half").exits(1);
    assert!(fs::read(stack.path("sub/out/copy.bin")).expect("the copy") == bytes);
    stack.run("run slow").exits(137).says("not done within 2s, in step `slow`");
    assert_eq!(files(&stack, "sub/out"), ["copy.bin"], "what was half written is gone");
    stack.run("run none").exits(1).says("nowhere.bin");
    stack.run("run null").exits(0);
    assert!(!fs::metadata("/dev/null").expect("the device").is_file());
}

#[test]
fn a_killed_run_leaves_nothing_half_written() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "slow" {
            step "slow" { shell "echo half; echo > began; sleep 100"; stdout "out/{{now}}.sql" }
            on-failure { step "undo" { shell "echo {{now}} > undone" } }
        }
        "#,
    );
    stack.up();
    let run = stack.start("run slow");
    eventually("the step", || stack.path("began").exists());
    let half = files(&stack, "out");
    assert_eq!(half.len(), 1);
    let helper = stack.left().into_iter().find(|process| process.command.ends_with(" step"));
    helper.expect("`stackrun step`").kill();
    run.ends().exits(137);
    assert_eq!(files(&stack, "out"), [""; 0]);
    let stamp = stack.read("undone").trim().to_owned();
    assert!(half[0].starts_with(&format!(".{stamp}.sql.")), "{half:?} and {stamp}");
}

#[test]
fn a_task_has_one_now_and_on_failure_comes_once_after_the_last_try() {
    let stack = Stack::new(
        r#"
        task "flaky" {
            retries 2
            step "one" { shell "echo {{now}} >> now.txt; sleep 1.1" }
            step "two" { shell "echo {{now}} >> now.txt; exit 9" }
            on-failure { step "undo" { shell "echo {{now}} >> now.txt; echo x >> undone.txt" } }
        }
        task "luck" { retries 2; run "@testbed counted tries.txt fail-until 3 tries.txt exit 0" }
        "#,
    );
    stack.run("run flaky").exits(9);
    let all = stack.read("now.txt");
    let mut stamps: Vec<&str> = all.lines().collect();
    assert_eq!(stamps.len(), 7);
    stamps.dedup();
    assert_eq!(stamps.len(), 1, "{stamps:?}");
    assert_eq!(stack.read("undone.txt"), "x\n");
    stack.run("run luck").exits(0);
    assert_eq!(stack.read("tries.txt"), "...");
}

#[test]
fn on_failure_runs_after_a_timeout_and_after_ctrl_c() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "slow" {
            timeout "500ms"
            run "@testbed child stubborn"
            on-failure { step "undo" { shell "echo undone >> undone.txt" } }
        }
        task "polite" {
            step "one" { shell "trap 'echo tidied >> undone.txt; exit 1' TERM; echo > began; sleep 100 & wait" }
            step "two" { shell "echo two >> undone.txt" }
            on-failure { step "undo" { shell "sleep 0.3; echo undone >> undone.txt" } }
        }
        "#,
    );
    stack.up();
    let before = stack.left().len();
    stack.run("run slow").exits(137).says("not done within 500ms");
    assert_eq!(stack.read("undone.txt"), "undone\n");
    assert_eq!(stack.left().len(), before, "the whole tree is gone");
    stack.put("undone.txt", "");
    let mut run = stack.start("run polite");
    eventually("the step", || stack.path("began").exists());
    run.signal(rustix::process::Signal::INT);
    run.ends().exits(130).says("cancelled");
    assert_eq!(stack.read("undone.txt"), "tidied\nundone\n", "gently, then the roll-back");
}

#[test]
fn steps_have_an_environment_of_their_own_and_secrets_stay_secret() {
    let stack = Stack::new(
        r#"
        env { LEVEL "info"; TOKEN "s3cret-token" secret=#true }
        task "show" {
            succeeds-with 7
            step "one" { env { LEVEL "debug"; KEY "s3cret-key" secret=#true }; shell "echo $LEVEL ${#TOKEN} ${#KEY}; exit 7" }
            step "two" { shell "echo $LEVEL-$KEY; mkdir -p bin; cp /bin/true bin/made" }
            step "three" { run "./bin/made" }
        }
        "#,
    );
    stack.run("run show").exits(0).says("debug 12 10").says("info-");
    for file in [".stackrun/runs/show", ".stackrun/ledger", ".stackrun/logs/show.log"] {
        let text = stack.read(file);
        assert!(!text.contains("s3cret"), "{file}: {text}");
    }
    assert!(!stack.read(".stackrun/runs/show").is_empty());
    stack.run("run show more").exits(2).says("takes no arguments");
}

#[test]
fn keep_leaves_the_newest_and_what_lies_elsewhere() {
    let stack = Stack::new(
        r#"
        task "backup" {
            step "dump" { run "echo new"; stdout "backups/{{now}}.sql" }
            keep "backups/*.sql" newest=3
        }
        task "broken" {
            step "dump" { run "false" }
            keep "backups/*.sql" newest=1
        }
        "#,
    );
    let elsewhere = Stack::new("");
    elsewhere.put("precious.sql", "precious");
    for day in 1..=5 {
        stack.put(&format!("backups/2001010{day}-000000.sql"), "old");
        let file = fs::File::options()
            .append(true)
            .open(stack.path(&format!("backups/2001010{day}-000000.sql")));
        let time =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000 + day);
        file.expect("a file").set_modified(time).expect("a time");
    }
    std::os::unix::fs::symlink(elsewhere.path("precious.sql"), stack.path("backups/0.sql"))
        .expect("a link");
    stack.run("run broken").exits(1);
    assert_eq!(files(&stack, "backups").len(), 6, "nothing goes after a failure");
    stack.run("run backup").exits(0);
    let left = files(&stack, "backups");
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[..3], ["0.sql", "20010104-000000.sql", "20010105-000000.sql"]);
    assert_eq!(elsewhere.read("precious.sql"), "precious");
}
