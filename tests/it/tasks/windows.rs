//! Exclusive windows: whatever happens in between, what was up is up again, once.

use rustix::process::Signal;

use crate::support::{Process, Stack, eventually, wait_for};

/// A task that holds the lock of the service that it runs without, until it may go on.
const WINDOW: &str = r#"
    service "db"    { run "@testbed lock db.lock" }
    service "api"   { needs "db"; run "@testbed counted api.starts"; watch ".touch" debounce="20ms" }
    service "idle"  { autostart #false; needs "db"; run "@testbed" }
    service "other" { run "@testbed" }
    task "restore" {
        without "db"
        step "one" { shell "echo x >> began.txt; @testbed lock db.lock unless go after 60000 & while ! test -e go; do sleep 0.02; done; kill $!" }
        step "two" { shell "exit $(cat code 2>/dev/null || echo 0)" }
        on-failure { step "undo" { shell "echo undone >> undone.txt" } }
    }
    task "copy" { without "api"; shell "echo copied >> copied.txt" }
"#;

fn open(stack: &Stack) {
    stack.up();
    stack.reaches("restore", "idle");
}

/// Once the task runs.
fn began(stack: &Stack, times: usize) {
    eventually("the task", || stack.read("began.txt").lines().count() == times);
}

#[track_caller]
fn is_restored(stack: &Stack, starts: usize) {
    for name in ["db", "api", "other"] {
        stack.reaches(name, "ready");
    }
    assert_eq!(stack.state("idle"), "idle");
    assert_eq!(stack.read("api.starts").len(), starts, "once");
    assert_eq!(stack.read("db.lock.violations"), "");
}

#[test]
fn a_window_names_its_task_and_refuses_to_start_what_it_holds() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let other = stack.pid("other");
    let run = stack.start("run restore");
    began(&stack, 1);
    stack.run("status").says("held by task restore").says("step one (1 of 2)");
    stack.run("why api").says("held by task restore").says("restore");
    for line in ["up api", "up", "restart db", "restart", "up idle"] {
        stack.run(line).exits(1).says("held down by the task `restore`");
    }
    // What has nothing to do with it is free.
    stack.run("restart other").exits(0);
    assert_ne!(stack.pid("other"), other);
    stack.put(".touch", "");
    eventually("a notice", || {
        stack.run("events").out.contains("not acted upon: held by task restore")
    });
    stack.put("go", "");
    run.ends().exits(0);
    is_restored(&stack, 2);
}

#[test]
fn what_is_taken_down_meanwhile_stays_down() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let run = stack.start("run restore");
    began(&stack, 1);
    stack.run("down api").exits(0);
    stack.put("go", "");
    run.ends().exits(0);
    stack.reaches("db", "ready");
    assert_eq!(stack.state("api"), "idle");
}

#[test]
fn a_down_of_everything_ends_the_run_and_rolls_back() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let run = stack.start("run restore");
    began(&stack, 1);
    stack.run("down").exits(0).says("0 processes");
    assert_ne!(run.ends().code, 0);
    assert_eq!(stack.read("undone.txt"), "undone\n");
}

#[test]
fn a_skipped_task_stops_nobody() {
    let stack = Stack::new(
        r#"
        service "api" { run "@testbed counted api.starts" }
        task "build" { without "api"; inputs "src/*"; run "@testbed counted built.txt exit 0" }
        "#,
    );
    stack.put("src/a", "1");
    stack.up();
    stack.run("run build").exits(0);
    assert_eq!(stack.read("api.starts"), "..");
    let pid = stack.pid("api");
    stack.run("run build").exits(0).says("have not changed");
    assert_eq!(stack.pid("api"), pid);
    assert_eq!(stack.read("built.txt"), ".");
    stack.put("src/a", "2");
    stack.run("run build").exits(0);
    assert_eq!((stack.read("api.starts"), stack.read("built.txt")), ("...".into(), "..".into()));
}

#[test]
fn windows_that_overlap_run_one_after_the_other() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let first = stack.start("run restore");
    began(&stack, 1);
    let second = stack.start("run copy");
    stack.reaches("copy", "waiting");
    let reason = stack.node("copy")["reason"].as_str().expect("a reason").to_owned();
    assert_eq!(reason, "waiting for restore");
    assert_eq!(stack.read("copied.txt"), "");
    // The same task again queues, too.
    let third = stack.start("run restore");
    stack.put("go", "");
    first.ends().exits(0);
    second.ends().exits(0);
    third.ends().exits(0);
    assert_eq!(stack.read("copied.txt"), "copied\n");
    assert_eq!(stack.read("began.txt").lines().count(), 2);
    for name in ["db", "api"] {
        stack.reaches(name, "ready");
    }
    assert_eq!(stack.read("db.lock.violations"), "");
}

#[test]
fn ctrl_c_rolls_back_and_then_restores() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let mut run = stack.start("run restore");
    began(&stack, 1);
    run.signal(Signal::INT);
    run.ends().exits(130);
    assert_eq!(stack.read("undone.txt"), "undone\n");
    is_restored(&stack, 2);
}

#[test]
fn who_is_not_ready_again_is_told() {
    let stack = Stack::new(
        r#"
        service "api" { run "@testbed absent broken listen {{port}}"; port @0; restart "never" }
        task "break" { without "api"; shell "touch broken" }
        "#,
    );
    stack.up();
    stack.run("run break").exits(1).says("api is not ready again");
}

#[test]
fn the_run_goes_on_when_the_supervisor_is_killed_and_its_command_follows_it() {
    let stack = Stack::new(WINDOW);
    stack.put("code", "6");
    open(&stack);
    let run = stack.start("run restore");
    began(&stack, 1);
    stack.supervisor().kill();
    stack.put("go", "");
    run.ends().exits(6).says("step `two`: exit 6");
    assert_eq!(stack.read("undone.txt"), "undone\n");
    is_restored(&stack, 2);
}

#[test]
fn the_window_is_restored_when_keeper_and_supervisor_are_killed() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    for (round, both) in [false, true].into_iter().enumerate() {
        let run = stack.start("run restore");
        began(&stack, round + 1);
        let supervisor = stack.supervisor();
        let keeper = supervisor.parent().expect("the keeper");
        keeper.kill();
        if both {
            supervisor.kill();
        }
        stack.put("go", "");
        run.ends().exits(0);
        wait_for("a keeper", || stack.keeper_by_lock().filter(|pid| *pid != keeper.pid));
        is_restored(&stack, round + 2);
        assert_eq!(stack.state("restore"), "done");
        std::fs::remove_file(stack.path("go")).expect("the file");
    }
    assert_eq!(stack.read("undone.txt"), "");
}

#[test]
fn an_end_that_nobody_saw_is_known_and_restores() {
    let stack = Stack::new(WINDOW);
    open(&stack);
    let mut run = stack.start("run restore");
    began(&stack, 1);
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let helper = stack.left().into_iter().find(|process| process.command.ends_with(" step"));
    let helper = helper.expect("`stackrun step`").pid;
    // Everybody who could see it, and who would start them again.
    run.signal(Signal::KILL);
    supervisor.kill();
    keeper.kill();
    stack.put("go", "");
    eventually("its end", || Process::get(helper).is_none());
    let _ended = run.ends();
    stack.reaches("restore", "done");
    is_restored(&stack, 2);
    assert_eq!(stack.read("undone.txt"), "");
}
