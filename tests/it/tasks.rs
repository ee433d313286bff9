//! Commands that end: when they run, what they pass on, what they need to be down.

mod steps;
mod windows;

use crate::support::{Stack, eventually};

#[test]
fn a_failing_task_fails_up_and_shows_its_last_lines() {
    let stack = Stack::new(
        r#"
        task "migrate" { run "@testbed print 'no such table' exit 4" }
        service "api"  { needs "migrate"; run "@testbed counted started.txt" }
        service "other" { run "@testbed" }
        "#,
    );
    stack.run("up").exits(1).says("no such table");
    assert_eq!(stack.state("migrate"), "failed");
    assert_eq!(stack.node("migrate")["exit"]["code"], 4);
    assert_eq!(stack.state("other"), "ready");
    assert_eq!(stack.read("started.txt"), "");
}

#[test]
fn a_task_runs_between_what_it_needs_and_what_needs_it() {
    let stack = Stack::new(
        r#"
        service "db"   { run "@testbed after 50 listen {{port}}"; port @0 }
        task "migrate" { needs "db"; run "@testbed expect @0 counted migrated.txt exit 0" }
        service "api"  { needs "migrate"; run "@testbed fail-until 1 migrated.txt"; restart "never" }
        "#,
    );
    stack.up();
    assert_eq!(stack.state("migrate"), "done");
    stack.up();
    stack.run("restart api").exits(0);
    assert_eq!(stack.read("migrated.txt"), ".", "once an `up` that starts something");
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn run_passes_output_arguments_and_exit_status_on() {
    let stack = Stack::new(
        r#"
        service "db"  { run "@testbed" }
        task "greet"  { needs "db"; run "@testbed print hello" }
        task "args"   { shell "echo got $1 and $2; exit $3" }
        task "absent" { run "no-such-program-anywhere" }
        task "killed" { shell "kill -9 $$" }
        "#,
    );
    stack.run("run args one two 7").exits(7).says("got one and two");
    stack.run("run greet exit 0").exits(0).says("hello");
    assert_eq!(stack.state("db"), "ready");
    stack.run("run absent").exits(127).says("no-such-program-anywhere");
    stack.run("run killed").exits(137);
    stack.run("run nobody").says("nobody");
}

#[test]
fn a_task_with_unchanged_inputs_is_skipped() {
    let stack = Stack::new(
        r#"
        task "build" {
            shell "cat src/*.txt > out.txt; echo built >> times.txt"
            inputs "src/*.txt"
            outputs "out.txt"
        }
        "#,
    );
    stack.put("src/a.txt", "a");
    let times = || stack.read("times.txt").lines().count();
    stack.run("run build").exits(0);
    stack.run("run build").exits(0);
    assert_eq!(times(), 1);
    stack.put("src/a.txt", "a");
    stack.run("run build").exits(0);
    assert_eq!(times(), 1, "the same bytes are no change");
    stack.put("src/b.txt", "b");
    stack.run("run build").exits(0);
    assert_eq!(times(), 2);
    std::fs::remove_file(stack.path("out.txt")).expect("the output");
    stack.run("run build").exits(0);
    assert_eq!(times(), 3);
    stack.run("run build --force").exits(0);
    assert_eq!(times(), 4);
}

#[test]
fn steps_run_in_order_and_the_first_failure_ends_them() {
    let stack = Stack::new(
        r#"
        task "release" {
            step "one"   { shell "echo one >> done.txt" }
            step "two"   { pipe { run "echo a line"; run "tr a-z A-Z"; }; stdout "two.txt" }
            step "three" { shell "echo three >> done.txt; exit 6" }
            step "four"  { shell "echo four >> done.txt" }
            on-failure { step "back" { shell "echo back >> done.txt" } }
        }
        task "half" {
            step "write" { shell "echo half; exit 1"; stdout "kept.txt" }
        }
        "#,
    );
    stack.run("run release").exits(6);
    assert_eq!(stack.read("done.txt"), "one\nthree\nback\n");
    assert_eq!(stack.read("two.txt"), "A LINE\n");
    stack.put("kept.txt", "the good one");
    stack.run("run half").exits(1);
    assert_eq!(stack.read("kept.txt"), "the good one");
}

const WINDOW: &str = r#"
    service "db"    { run "@testbed lock db.lock" }
    service "api"   { needs "db"; run "@testbed" }
    service "idle"  { autostart #false; needs "db"; run "@testbed" }
    service "other" { run "@testbed" }
    task "restore" {
        without "db"
        shell "echo x >> began.txt; while ! test -e go; do sleep 0.02; done; @testbed lock db.lock exit $CODE"
    }
"#;

#[test]
fn an_exclusive_window_stops_and_restores_exactly_what_was_up() {
    let stack = Stack::new(&WINDOW.replace("$CODE", "0"));
    stack.up();
    let other = stack.pid("other");
    let run = stack.start("run restore");
    eventually("the task", || !stack.read("began.txt").is_empty());
    assert!(stack.node("db")["pid"].is_null() && stack.node("api")["pid"].is_null());
    stack.run("up db").says("restore");
    stack.put("go", "");
    run.ends().exits(0);
    assert_eq!(stack.read("db.lock.violations"), "");
    for (name, state) in [("db", "ready"), ("api", "ready"), ("idle", "idle")] {
        assert_eq!(stack.state(name), state);
    }
    assert_eq!(stack.pid("other"), other);
}

#[test]
fn the_window_is_restored_after_a_failure_and_after_a_kill_of_the_command() {
    let stack = Stack::new(&WINDOW.replace("$CODE", "5"));
    stack.up();
    let mut run = stack.start("run restore");
    eventually("the task", || !stack.read("began.txt").is_empty());
    run.signal(rustix::process::Signal::KILL);
    run.ends().exits(137);
    assert!(stack.node("api")["pid"].is_null(), "the window belongs to the run");
    stack.put("go", "");
    stack.reaches("api", "ready");
    stack.run("run restore").exits(5);
    assert_eq!(stack.state("api"), "ready");
}

#[test]
fn a_question_needs_a_person_or_a_yes() {
    let stack = Stack::new(
        r#"task "wipe" { confirm "This deletes everything."; run "@testbed counted wiped.txt exit 0" }"#,
    );
    stack.run("run wipe").exits(125).says("This deletes everything.").says("--yes");
    assert_eq!(stack.read("wiped.txt"), "");
    let mut terminal = stack.on_terminal("run wipe");
    terminal.has_shown("This deletes everything. [y/N]");
    terminal.press(b"n\r");
    assert_eq!(terminal.ends(), Some(125));
    assert_eq!(stack.read("wiped.txt"), "");
    let mut terminal = stack.on_terminal("run wipe");
    terminal.has_shown("[y/N]");
    terminal.press(b"y\r");
    assert_eq!(terminal.ends(), Some(0));
    stack.run("run wipe --yes").exits(0);
    assert_eq!(stack.read("wiped.txt"), "..");
    stack.run("up wipe").exits(1).says("This deletes everything.");
    assert_eq!(stack.read("wiped.txt"), "..");
    stack.run("up wipe --yes").exits(0);
    assert_eq!(stack.read("wiped.txt"), "...");
}

#[test]
fn the_same_task_asked_for_twice_runs_twice_one_after_the_other() {
    let stack = Stack::new(
        r#"
        task "once" {
            shell "flock --nonblock once.lock -c 'printf . >> began.txt; until test -e go; do sleep 0.01; done' || echo two >> violations.txt"
        }
        "#,
    );
    let first = stack.start("run once");
    eventually("its first run", || stack.read("began.txt") == ".");
    let second = stack.start("run once");
    eventually("a word about the other", || second.err().contains("this run follows that one"));
    stack.put("go", "");
    first.ends().exits(0);
    second.ends().exits(0);
    assert_eq!(stack.read("began.txt"), "..");
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn a_task_with_inputs_runs_again_for_a_restart_when_they_changed() {
    let stack = Stack::new(
        r#"
        task "build" { inputs "src.txt"; run "@testbed counted built.txt exit 0" }
        task "flaky" { run "@testbed counted tried.txt fail-until 2 tried.txt exit 0" }
        service "api" { needs "build" "flaky"; run "@testbed" }
        "#,
    );
    stack.put("src.txt", "1");
    stack.run("up").exits(1);
    stack.up();
    assert_eq!((stack.read("built.txt"), stack.read("tried.txt")), (".".into(), "..".into()));
    stack.run("restart api").exits(0);
    assert_eq!((stack.read("built.txt"), stack.read("tried.txt")), (".".into(), "..".into()));
    stack.put("src.txt", "2");
    stack.run("restart api").exits(0);
    assert_eq!((stack.read("built.txt"), stack.read("tried.txt")), ("..".into(), "..".into()));
    stack.put("src.txt", "3");
    stack.process("api").kill();
    eventually("a build", || stack.read("built.txt") == "...");
    stack.reaches("api", "ready");
}

#[test]
fn a_task_that_takes_too_long_is_ended_with_its_children() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        task "slow" { run "@testbed child 'setsid stubborn' stubborn"; timeout "300ms" }
        "#,
    );
    stack.up();
    let before = stack.left().len();
    let ran = stack.run("run slow");
    assert_ne!(ran.code, 0);
    eventually("its processes' end", || stack.left().len() == before);
}
