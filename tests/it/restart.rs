//! What happens when a service ends by itself, and what a restart waits for.

use crate::support::{Stack, alive, eventually, get, listening};

#[test]
fn a_killed_service_is_back_by_itself() {
    let stack = Stack::new(r#"service "a" { run "@testbed listen {{port}}"; port @0 }"#);
    stack.up();
    let process = stack.process("a");
    process.kill();
    eventually("another process", || {
        let node = stack.node("a");
        node["state"] == "ready" && node["generation"] == 2
    });
    let node = stack.node("a");
    assert_eq!(node["restarts"], 1);
    assert_eq!(node["generation"], 2);
    assert_eq!(node["exit"]["signal"], "SIGKILL");
    stack.run("events").exits(0).says("SIGKILL");
}

#[test]
fn a_crash_loop_ends_with_a_reason() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted starts.txt print 'cannot open the door' exit 7"
            ready { delay "30s" }
            restart "on-failure" tries=3 within="60s" delay="10ms"
        }
        "#,
    );
    stack.run("up").exits(1).says("cannot open the door");
    assert_eq!(stack.state("a"), "failed");
    assert_eq!(stack.node("a")["exit"]["code"], 7);
    let starts = stack.read("starts.txt").len();
    assert!((3..=4).contains(&starts), "{starts} starts for 3 tries");
    let cause = "cannot open the door: exit 7, 4 times in ";
    stack.run("status").exits(3).says(cause);
    stack.run("why a").exits(0).says(cause).says("failed ").says("stackrun restart a");
}

#[test]
fn what_fails_while_others_are_waited_for_is_no_success() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted starts.txt exit 7"; restart tries=1 delay="10ms" }
        service "slow" { run "@testbed"; ready { shell "test -s failed.txt" } }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "failed");
    stack.put("failed.txt", "x");
    up.ends().exits(1).says("a failed");
    stack.run("wait a --timeout 10s").exits(1).says("a has failed").says("stackrun why a");
}

#[test]
fn somebody_asking_resets_the_budget() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed fail-until 1 mended.txt print up"
            ready { prints "^up$" }
            restart tries=2 delay="10ms"
        }
        "#,
    );
    stack.run("up").exits(1);
    stack.put("mended.txt", "x");
    stack.up();
    assert_eq!(stack.state("a"), "ready");
}

#[test]
fn a_service_that_fails_at_first_gets_there() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted starts.txt fail-until 3 starts.txt print up"
            ready { prints "^up$" }
            restart delay="10ms"
        }
        "#,
    );
    stack.up();
    assert_eq!(stack.read("starts.txt"), "...");
}

#[test]
fn never_means_never_and_always_means_always() {
    let stack = Stack::new(
        r#"
        service "once"  { run "@testbed after 700 counted once.txt exit 3"; restart "never" }
        service "fine"  { run "@testbed after 700 exit 0" }
        service "again" {
            run "@testbed counted again.txt after 700 exit 0"
            restart "always" tries=2 delay="10ms" max-delay="10ms"
        }
        "#,
    );
    let _ = stack.run("up");
    stack.reaches("once", "failed");
    stack.reaches("fine", "exited");
    // An end that is no failure is no try: there may be any number of them.
    eventually("more starts", || stack.read("again.txt").len() >= 6);
    assert_ne!(stack.state("again"), "failed");
    assert_eq!(stack.read("once.txt"), ".");
}

#[test]
fn an_end_that_counts_as_success_is_no_failure() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed after 700 exit 42"
            succeeds-with 42
        }
        "#,
    );
    let _ = stack.run("up");
    stack.reaches("a", "exited");
    assert_eq!(stack.node("a")["exit"]["code"], 42);
}

#[test]
fn the_end_is_noticed_though_a_grandchild_holds_the_output() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed child stubborn after 300 exit 5"; restart "never" }"#,
    );
    let _ = stack.run("up");
    stack.reaches("a", "failed");
    assert_eq!(stack.node("a")["exit"]["code"], 5);
    eventually("the grandchild's end", || stack.node("a")["processes"] == 0);
}

#[test]
fn a_restart_waits_for_the_whole_tree_and_the_port() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed child 'listen @0 lock a.lock slow-stop 300'"
            port @0
        }
        "#,
    );
    stack.up();
    let before = stack.left().len();
    for _ in 0..3 {
        let pid = stack.pid("a");
        stack.run("restart a").exits(0);
        assert!(!alive(pid));
        assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    }
    assert_eq!(stack.read("a.lock.violations"), "");
    assert_eq!(stack.left().len(), before);
    stack.down();
    assert!(!listening(stack.port(0)));
}

#[test]
fn cleanup_runs_once_the_last_process_is_gone_and_again_before_a_start() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed absent state.txt mark state.txt a slow-stop 200"
            cleanup "state.txt" "cache/"
        }
        "#,
    );
    stack.put("state.txt", "from long ago");
    stack.put("cache/file", "x");
    stack.up();
    eventually("its start", || stack.read("state.txt").starts_with("start a"));
    stack.run("restart a").exits(0);
    assert!(!stack.path("cache").exists());
    eventually("its second start", || stack.read("state.txt").starts_with("start a"));
    stack.down();
    assert!(!stack.path("state.txt").exists(), "its last words came after the cleanup");
}

#[test]
fn a_stop_beats_a_restart_that_is_due() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted starts.txt exit 1"
            ready { delay "30s" }
            restart delay="40s" max-delay="50s"
        }
        "#,
    );
    let up = stack.start("up");
    stack.reaches("a", "backoff");
    stack.run("down a").exits(0);
    assert_eq!(stack.state("a"), "idle");
    up.ends().exits(1);
    assert_eq!(stack.read("starts.txt"), ".");
}

#[test]
fn dependents_stay_up_unless_they_are_asked_for() {
    let stack = Stack::new(
        r#"
        service "db"  { run "@testbed" }
        service "api" { needs "db"; run "@testbed" }
        "#,
    );
    stack.up();
    let api = stack.pid("api");
    stack.run("restart db").exits(0);
    assert_eq!(stack.pid("api"), api);
    stack.run("restart db --with-dependents").exits(0);
    assert_ne!(stack.pid("api"), api);
}

#[test]
fn a_change_of_a_watched_file_restarts() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            watch "src/**/*.js" debounce="50ms" { ignore "src/made/**" }
        }
        "#,
    );
    stack.put("src/made/out.js", "1");
    stack.put("src/deep/in.js", "1");
    stack.up();
    let starts = || stack.read(".starts").len();
    eventually("the start", || starts() == 1);
    stack.put("src/made/out.js", "2");
    stack.put("src/notes.txt", "2");
    stack.run("wait a --for down --timeout 500ms").exits(124);
    assert_eq!(starts(), 1, "neither counts");
    stack.put("src/deep/in.js", "2");
    eventually("a restart", || starts() > 1);
    stack.reaches("a", "ready");
    // A new file in a new folder counts as well.
    let before = starts();
    stack.put("src/new/folder/more.js", "1");
    eventually("another restart", || starts() > before);
}

#[test]
fn a_tree_that_takes_too_much_memory_is_restarted() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted starts.txt child 'unless greedy.txt allocate 80'"
            memory max="60MiB"
        }
        "#,
    );
    stack.up();
    eventually("a restart", || {
        let starts = stack.read("starts.txt").len();
        if starts >= 2 {
            stack.put("greedy.txt", "no more");
        }
        starts >= 2
    });
    stack.reaches("a", "ready");
    stack.run("events").exits(0).says("memory");
}

#[test]
fn a_tree_that_always_takes_too_much_memory_fails_by_one_name() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed allocate 80"
            memory max="60MiB"
            restart tries=1 delay="10ms"
        }
        "#,
    );
    // It may have ended twice by then.
    let _either = stack.run("up");
    stack.reaches("a", "failed");
    stack.run("status").exits(3).says("memory above 60 MiB, 2 times in ");
    stack.run("why a").exits(0).says("memory above 60 MiB").says("`memory max` (60 MiB)");
}

#[test]
fn a_service_that_stops_answering_is_restarted() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted starts.txt toggle sick.txt listen {{port}}"
            port @0
            ready { http "/" }
            alive every="50ms" failures=2 cooldown="1s" { http "/health" }
        }
        "#,
    );
    stack.up();
    stack.put("sick.txt", "");
    eventually("a restart", || stack.read("starts.txt").len() >= 2);
    std::fs::remove_file(stack.path("sick.txt")).expect("the file");
    stack.reaches("a", "ready");
    stack.run("events").exits(0).says("503");
}

#[test]
fn restarts_count_crashes_and_not_what_somebody_asked_for() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed"
            ready { delay "10ms" }
            watch ".touch" debounce="20ms"
            env { LEVEL "1" }
        }
        "#,
    );
    stack.up();
    let restarts = || stack.node("a")["restarts"].as_u64().expect("a number");
    let comes_back = |generation: u64| {
        eventually("another start", || {
            let node = stack.node("a");
            node["state"] == "ready" && node["generation"] == generation
        });
    };
    stack.run("restart a").exits(0);
    stack.edit("LEVEL \"1\"", "LEVEL \"2\"");
    stack.run("up").exits(0);
    stack.put(".touch", "");
    comes_back(4);
    assert_eq!(restarts(), 0);
    stack.process("a").kill();
    comes_back(5);
    assert_eq!(restarts(), 1);
    stack.run("restart a").exits(0);
    assert_eq!(restarts(), 1, "it has crashed all the same");
    stack.run("status").exits(0).says("RESTARTS");
}
