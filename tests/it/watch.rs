//! `watch`: what counts as a change, and what follows from it.

use std::{fs, thread, time::Duration};

use crate::support::{Stack, eventually, have};

/// How often a service that says `counted .starts` was started.
fn starts(stack: &Stack) -> usize {
    stack.read(".starts").len()
}

/// Brings the stack up, and waits until `a` has started.
#[track_caller]
fn started(stack: &Stack) {
    stack.up();
    eventually("the start", || starts(stack) == 1);
}

/// What this does restarts `a`; once more on a machine so busy that the `debounce` runs out
/// between two of the system's events.
#[track_caller]
fn restarts(stack: &Stack, change: impl FnOnce()) {
    let before = starts(stack);
    change();
    eventually("a restart", || starts(stack) > before);
    stack.reaches("a", "ready");
}

#[test]
fn a_signal_file_touched_ten_times_quickly_restarts_once() {
    if !have(&["node"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "a" {
            run "node server.js {{port}}"
            port @0
            ready { http "/" }
            watch ".restart" debounce="1s"
        }
        "#,
    );
    stack.put(
        "server.js",
        "require('fs').appendFileSync('.starts', '.')\n\
         require('http').createServer((_, answer) => answer.end('fine')).listen(process.argv[2])\n",
    );
    started(&stack);
    for _ in 0..10 {
        stack.put(".restart", "");
        thread::sleep(Duration::from_millis(10));
    }
    eventually("a restart", || starts(&stack) == 2);
    stack.reaches("a", "ready");
    // Whatever was still to come would have come before this one.
    stack.put(".restart", "again");
    eventually("another restart", || starts(&stack) == 3);
    stack.run("events").exits(0).says(".restart");
}

#[test]
fn a_file_saved_by_renaming_counts() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted .starts"; watch "src/*.js" debounce="50ms" }
        "#,
    );
    stack.put("src/a.js", "1");
    started(&stack);
    // As vim and many others do: a new file beside it, renamed into its place.
    for _ in 0..2 {
        restarts(&stack, || {
            stack.put("src/.a.js.swp", "editing");
            stack.put("src/4913~", "new");
            fs::rename(stack.path("src/4913~"), stack.path("src/a.js")).expect("a rename");
        });
    }
}

#[test]
fn a_service_that_changes_what_it_watches_is_told_and_left_alone() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "echo . >> made.txt; exec @testbed"
            watch "*.txt" debounce="20ms"
        }
        "#,
    );
    stack.up();
    eventually("the notice", || stack.run("events").out.contains("leave the file out with"));
    stack.reaches("a", "ready");
    let pid = stack.pid("a");
    stack.run("wait a --for down --timeout 3500ms").exits(124);
    assert_eq!(stack.pid("a"), pid);
    for command in ["status", "status --json", "why a"] {
        stack.run(command).exits(0).says("(*.txt) after each start: that watch is paused");
    }
    // It has been up for so long that this is somebody else.
    stack.put("other.txt", "");
    eventually("a restart", || {
        stack.run("events").exits(0).out.contains("a stops  (other.txt changed)")
    });
}

#[test]
fn a_watched_folder_may_be_a_link() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted .starts"; watch "shared" "src/*.js" debounce="20ms" }
        "#,
    );
    let elsewhere = tempfile::tempdir().expect("a folder");
    for name in ["shared", "src"] {
        let folder = elsewhere.path().join(name);
        fs::create_dir_all(folder.join("deep")).expect("a folder");
        std::os::unix::fs::symlink(folder, stack.path(name)).expect("a link");
    }
    started(&stack);
    let write = |file: &str| fs::write(elsewhere.path().join(file), "x").expect("a file");
    restarts(&stack, || write("shared/conf.toml"));
    restarts(&stack, || write("shared/deep/conf.toml"));
    restarts(&stack, || write("src/a.js"));
}

/// Makes the link lead there, in one step.
fn point(stack: &Stack, link: &str, to: &str) {
    let aside = stack.path("aside");
    std::os::unix::fs::symlink(stack.path(to), &aside).expect("a link");
    fs::rename(aside, stack.path(link)).expect("its place");
}

#[test]
fn a_watched_folder_that_is_a_link_may_come_to_lead_elsewhere() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            // The folder that it leads to is watched by its own name, too.
            watch "current/*.js" "v2/*.ts" "signal" debounce="20ms"
        }
        "#,
    );
    stack.put("v1/a.js", "1");
    stack.put("v2/a.js", "1");
    point(&stack, "current", "v1");
    started(&stack);
    restarts(&stack, || stack.put("v1/a.js", "2"));
    restarts(&stack, || point(&stack, "current", "v2"));
    restarts(&stack, || stack.put("v2/a.js", "2"));
    restarts(&stack, || stack.put("v2/a.ts", "1"));
    // What it led to counts no more.
    stack.put("v1/late.js", "3");
    restarts(&stack, || stack.put("signal", ""));
    let events = stack.run("events").exits(0);
    assert!(!events.out.contains("late.js"), "{}", events.out);
}

#[test]
fn a_watched_file_that_is_a_link_is_watched_where_it_leads() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            watch "app.toml" "conf/*.ini" debounce="20ms"
        }
        "#,
    );
    for file in ["shared/one.toml", "shared/two.toml", "shared/x.ini", "conf/plain.ini"] {
        stack.put(file, "1");
    }
    point(&stack, "app.toml", "shared/one.toml");
    point(&stack, "conf/x.ini", "shared/x.ini");
    started(&stack);
    restarts(&stack, || stack.put("shared/one.toml", "2"));
    restarts(&stack, || stack.put("shared/x.ini", "2"));
    restarts(&stack, || point(&stack, "app.toml", "shared/two.toml"));
    restarts(&stack, || stack.put("shared/two.toml", "2"));
    restarts(&stack, || fs::remove_file(stack.path("shared/two.toml")).expect("the file"));
    restarts(&stack, || stack.put("shared/two.toml", "3"));
}

#[test]
fn only_folders_that_may_have_matches_are_watched() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            watch ".restart" "src/*.js" debounce="20ms"
        }
        "#,
    );
    for number in 0..30 {
        stack.put(&format!("library/{number}/deep/a.js"), "1");
        stack.put(&format!("src/{number}/deep/a.js"), "1");
    }
    stack.up();
    let watches = watches(&stack);
    assert!((2..=10).contains(&watches), "{watches} watches");
    restarts(&stack, || stack.put("src/a.js", "1"));
    restarts(&stack, || {
        fs::rename(stack.path("src"), stack.path("old")).expect("the folder");
        stack.put("src/a.js", "2");
    });
    restarts(&stack, || {
        fs::remove_dir_all(stack.path("src")).expect("the folder");
        stack.put("src/a.js", "3");
    });
    restarts(&stack, || stack.put("src/b.js", "3"));
}

#[test]
fn a_folder_that_is_named_means_all_that_is_in_it() {
    let stack = Stack::new(
        r#"service "a" { run "@testbed counted .starts"; watch "shared" debounce="20ms" }"#,
    );
    stack.put("shared/.gitignore", "*.log");
    started(&stack);
    restarts(&stack, || stack.put("shared/deep/conf.toml", "1"));
    restarts(&stack, || stack.put("shared/deep/conf.toml", "2"));
    let before = starts(&stack);
    stack.put("shared/a.log", "1");
    restarts(&stack, || stack.put("shared/b.txt", "1"));
    assert_eq!(starts(&stack), before + 1, "what git ignores does not count");
}

#[test]
fn changes_while_a_task_runs_ask_for_one_more_run() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed"; watch "*.txt" task="build" debounce="10ms" }
        task "build" { shell "echo . >> runs; cat gate > /dev/null" }
        "#,
    );
    let gate = stack.path("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().expect("mkfifo");
    assert!(made.success());
    stack.up();
    let runs = || stack.read("runs").lines().count();
    stack.put("a.txt", "0");
    eventually("the first run", || runs() == 1);
    for round in 1..=5 {
        stack.put("a.txt", &round.to_string());
        thread::sleep(Duration::from_millis(50));
    }
    // Whoever opens it for writing and closes it lets one run go on.
    let go_on = || drop(fs::OpenOptions::new().write(true).open(&gate).expect("a run that waits"));
    go_on();
    eventually("the second run", || runs() == 2);
    go_on();
    // As long as it runs, `status` has an exit status of its own for that.
    eventually("an end", || stack.run("status").out.contains("done"));
    assert_eq!(runs(), 2);
}

#[test]
fn a_change_may_send_a_signal_or_run_a_task_instead() {
    let stack = Stack::new(
        r#"
        service "nginx" {
            shell "trap 'echo reloaded >> signals.txt' HUP; touch up; while :; do sleep 0.02; done"
            ready { shell "test -e up" }
            watch "*.conf" signal="SIGHUP" debounce="20ms"
        }
        service "api" { run "@testbed"; watch "schema.sql" task="migrate" debounce="20ms" }
        task "migrate" { run "@testbed counted runs.txt exit 0" }
        "#,
    );
    stack.up();
    let pids = (stack.pid("nginx"), stack.pid("api"));
    stack.put("site.conf", "");
    stack.put("schema.sql", "");
    eventually("the signal", || stack.read("signals.txt").contains("reloaded"));
    eventually("the task", || stack.read("runs.txt").starts_with('.'));
    assert_eq!((stack.pid("nginx"), stack.pid("api")), pids);
}

#[test]
fn a_change_starts_what_has_failed_and_nothing_that_is_down() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "cat broken && exit 1; echo . >> .starts; exec @testbed print works"
            watch "broken" debounce="20ms"
            ready { prints "works" }
            restart tries=1 delay="1ms"
        }
        service "b" { run "@testbed counted .others"; watch "broken" debounce="20ms" }
        "#,
    );
    stack.put("broken", "a syntax error");
    stack.run("up").exits(1);
    stack.reaches("a", "failed");
    fs::remove_file(stack.path("broken")).expect("mended");
    stack.reaches("a", "ready");
    assert_eq!(stack.read(".starts"), ".\n");

    stack.run("down a").exits(0);
    let others = stack.read(".others").len();
    stack.put("broken", "again");
    eventually("a restart of the other one", || stack.read(".others").len() > others);
    assert_eq!(stack.state("a"), "idle");
}

#[test]
fn what_git_ignores_does_not_count_though_it_is_made_later() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted .starts"; watch "**/*.js" debounce="20ms" }
        "#,
    );
    stack.put(".gitignore", "node_modules/\n*.gen.js\n");
    started(&stack);
    for number in 0..50 {
        stack.put(&format!("node_modules/{number}/index.js"), "");
    }
    stack.put("src/made.gen.js", "");
    stack.run("wait a --for down --timeout 500ms").exits(124);
    assert_eq!(starts(&stack), 1);
    restarts(&stack, || stack.put("src/a.js", ""));
}

#[test]
fn a_folder_that_is_deleted_and_made_anew_is_watched_again() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted .starts"; watch "src/**/*.js" debounce="20ms" }
        "#,
    );
    stack.put("src/deep/a.js", "1");
    started(&stack);
    // As a change of branches does.
    restarts(&stack, || fs::remove_dir_all(stack.path("src/deep")).expect("the folder"));
    restarts(&stack, || stack.put("src/deep/a.js", "2"));
    restarts(&stack, || stack.put("src/deep/a.js", "3"));
}

#[test]
fn a_folder_that_is_not_there_yet_is_watched_once_it_is_made() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            watch "later/conf/app.toml" "other/**/*.js" debounce="20ms"
        }
        "#,
    );
    started(&stack);
    restarts(&stack, || stack.put("later/conf/app.toml", "1"));
    restarts(&stack, || stack.put("later/conf/app.toml", "2"));
    restarts(&stack, || stack.put("other/deep/a.js", "1"));
}

#[test]
fn folders_outside_of_the_stack_are_watched_once_they_are_made() {
    let outside = tempfile::tempdir().expect("a folder");
    let path = |file: &str| outside.path().join(file);
    let stack = Stack::new(&format!(
        r#"service "a" {{ run "@testbed counted .starts"; watch "{}/*.js" debounce="20ms" }}"#,
        path("later/src").display()
    ));
    started(&stack);
    restarts(&stack, || {
        fs::create_dir_all(path("later/src")).expect("a folder");
        fs::write(path("later/src/a.js"), "1").expect("a file");
    });
    restarts(&stack, || fs::write(path("later/src/a.js"), "2").expect("a file"));
}

#[test]
fn a_change_of_the_stack_file_is_told_by_status_and_not_applied() {
    let stack = Stack::new(r#"service "a" { run "@testbed env WORD"; env { WORD "one" } }"#);
    stack.up();
    let pid = stack.pid("a");
    stack.edit("one", "two");
    let ran = stack.run("status").exits(0);
    ran.says("stack.kdl has changed since it was applied").says("`stackrun up` applies it");
    assert_eq!(stack.pid("a"), pid);
    stack.up();
    assert_ne!(stack.pid("a"), pid);
    assert!(!stack.run("status").exits(0).err.contains("has changed"));
    let file = stack.folder().join("stack.kdl");
    fs::rename(&file, stack.folder().join("away.kdl")).expect("a file");
    stack.run("status").exits(0).says("stack.kdl is gone since it was applied");
}

#[test]
fn a_folder_that_is_ignored_is_so_with_all_that_is_in_it() {
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed counted .starts"
            watch "**/*.js" debounce="300ms" { ignore "node_modules" "src/gen" "made/" }
        }
        "#,
    );
    for number in 0..30 {
        stack.put(&format!("packages/x/node_modules/{number}/index.js"), "");
    }
    stack.put("src/gen/deep/a.js", "");
    stack.put("made/a.js", "");
    stack.put("src/a.js", "");
    started(&stack);
    let watches = watches(&stack);
    assert!(watches <= 8, "{watches} watches");
    for ignored in ["packages/x/node_modules/1/index.js", "src/gen/deep/a.js", "made/new.js"] {
        stack.put(ignored, "changed");
        stack.run("wait a --for down --timeout 600ms").exits(124);
        assert_eq!(starts(&stack), 1, "{ignored}");
    }
    restarts(&stack, || stack.put("src/a.js", "changed"));
}

#[test]
fn another_mode_is_no_change_and_a_touch_is_one() {
    use std::os::unix::fs::PermissionsExt;
    let stack = Stack::new(
        r#"service "a" { run "@testbed counted .starts"; watch "conf.toml" debounce="300ms" }"#,
    );
    stack.put("conf.toml", "1");
    let path = stack.path("conf.toml");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::open(&path).expect("it").set_modified(long_ago).expect("another time");
    started(&stack);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("another mode");
    stack.run("wait a --for down --timeout 600ms").exits(124);
    assert_eq!(starts(&stack), 1);
    let now = std::time::SystemTime::now();
    restarts(&stack, || fs::File::open(&path).expect("it").set_modified(now).expect("touched"));
}

#[test]
fn gits_rules_are_those_of_the_whole_repository() {
    let stack = Stack::called(
        "app",
        r#"service "a" { run "@testbed counted .starts"; watch "**/*.js" debounce="300ms" }"#,
    );
    stack.put("../.git/HEAD", "");
    stack.put("../.git/info/exclude", "*.mine.js\n");
    stack.put("../.gitignore", "build/\n");
    stack.put("../.ignore", "*.js\n");
    stack.put("build/a.js", "");
    started(&stack);
    for ignored in ["build/a.js", "src/a.mine.js", "build/deep/b.js"] {
        stack.put(ignored, "changed");
        stack.run("wait a --for down --timeout 600ms").exits(124);
        assert_eq!(starts(&stack), 1, "{ignored}");
    }
    restarts(&stack, || stack.put("src/a.js", "changed"));
}

#[test]
fn a_folder_may_be_called_anything() {
    for name in ["[old] {copy}", "what?*", "back\\slash", "spa ce"] {
        let stack = Stack::called(
            name,
            r#"
            service "a" {
                run "@testbed counted .starts"
                watch "src/*.js" ".restart" debounce="20ms"
                cleanup "tmp/*.pid"
            }
            "#,
        );
        for number in 0..30 {
            stack.put(&format!("library/{number}/a.js"), "");
        }
        stack.put("tmp/a.pid", "");
        stack.put("src/a.js", "");
        started(&stack);
        assert!(!stack.path("tmp/a.pid").exists(), "{name}");
        let watches = watches(&stack);
        assert!((2..=8).contains(&watches), "{name}: {watches} watches");
        restarts(&stack, || stack.put("src/a.js", "changed"));
        restarts(&stack, || stack.put(".restart", ""));
    }
}

/// How many folders the system watches for a stack.
fn watches(stack: &Stack) -> usize {
    let supervisor = stack.supervisor().pid;
    let descriptors = fs::read_dir(format!("/proc/{supervisor}/fdinfo")).expect("proc");
    let texts = descriptors.flatten().map(|file| fs::read_to_string(file.path()));
    texts.flatten().map(|text| text.matches("inotify wd:").count()).sum()
}

#[test]
fn a_named_pipe_among_gits_files_holds_up_nobody() {
    let stack = Stack::called(
        "app",
        r#"service "a" { run "@testbed counted .starts"; watch "src/*.js" debounce="20ms" }"#,
    );
    stack.put("../.git/HEAD", "");
    stack.put("src/a.js", "");
    for pipe in ["../.gitignore", "../.ignore", ".gitignore", ".ignore", "src/.gitignore"] {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            stack.path(pipe),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("a named pipe");
    }
    started(&stack);
    restarts(&stack, || stack.put("src/a.js", "changed"));
}
