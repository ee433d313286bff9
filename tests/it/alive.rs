//! The watchdog: what hangs, grows or is killed is restarted, and not for ever.

use rustix::process::Signal;

use crate::support::{Stack, alive, eventually, get, have};

#[test]
fn a_frozen_server_is_restarted_once_a_cooldown() {
    if !have(&["python3"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "web" {
            run "python3 -m http.server --bind 127.0.0.1 {{port}}"
            port @0
            ready { http "/" }
            alive every="100ms" timeout="2s" failures=2 cooldown="10m" { http "/" }
        }
        "#,
    );
    stack.up();
    let frozen = stack.process("web");
    frozen.signal(Signal::STOP);
    eventually("another process", || {
        let node = stack.node("web");
        node["state"] == "ready" && node["pid"] != frozen.pid
    });
    assert!(!frozen.lives());
    stack.run("events").exits(0).says("no answer within 2s");

    // Within the cooldown it is told, and left alone.
    let frozen = stack.process("web");
    frozen.signal(Signal::STOP);
    stack.reaches("web", "unhealthy");
    stack.run("wait web --for ready --timeout 1s").exits(124);
    assert_eq!(stack.pid("web"), frozen.pid);
    for command in ["status", "why web"] {
        stack.run(command).says("its restart is held back by the cooldown, due in ");
    }
    stack.run("why web").exits(0).says("raise the `timeout` (2s) or the `failures` (2) of `alive`");
    frozen.signal(Signal::CONT);
    stack.reaches("web", "ready");
    assert_eq!(stack.pid("web"), frozen.pid);
    stack.run("events").exits(0).says("web healthy again, after ");
}

#[test]
fn a_late_dependent_waits_for_a_database_that_restarts() {
    if !have(&["redis-server", "redis-cli"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "redis" {
            run "redis-server --port {{port}} --save ''"
            port @0
            ready { shell "test ! -e slow && redis-cli -p {{port}} ping" }
            restart delay="10ms"
        }
        service "early" { needs "redis"; run "@testbed" }
        service "late"  { needs "redis"; run "@testbed expect @0"; autostart #false }
        "#,
    );
    stack.up();
    let early = stack.pid("early");
    stack.put("slow", "");
    stack.process("redis").kill();
    stack.reaches("redis", "starting");
    let up = stack.start("up late");
    stack.reaches("late", "waiting");
    std::fs::remove_file(stack.path("slow")).expect("the file");
    up.ends().exits(0);
    assert_eq!(stack.read("violations.txt"), "");
    assert_eq!(stack.pid("early"), early, "a need that is lost stops nobody");
}

#[test]
fn a_memory_hog_is_restarted_and_the_reason_names_its_size() {
    if !have(&["python3"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "hog" {
            run "python3 hog.py"
            memory max="500MiB"
        }
        "#,
    );
    stack.put(
        "hog.py",
        "import os, time\nif not os.path.exists('full'):\n    open('full', 'w').close()\n    \
         food = [bytearray(b'x' * (1 << 20)) for _ in range(560)]\ntime.sleep(600)\n",
    );
    stack.up();
    let first = stack.pid("hog");
    eventually("a restart", || stack.node("hog")["restarts"] == 1);
    stack.reaches("hog", "ready");
    assert!(!alive(first));
    let events = stack.run("events").exits(0).out;
    let sizes = events.split("its processes use ").skip(1);
    let sizes = sizes.filter_map(|rest| rest.split(' ').next());
    let size = sizes.filter_map(|size| size.parse::<u64>().ok()).max();
    assert!(size.is_some_and(|size| (500..1000).contains(&size)), "{events}");
}

#[test]
fn five_restarts_within_a_second_make_one() {
    if !have(&["node"]) {
        return;
    }
    let stack =
        Stack::new(r#"service "a" { run "node server.js {{port}}"; port @0; ready { http "/" } }"#);
    stack.put(
        "server.js",
        "const fs = require('fs')\n\
         fs.appendFileSync('.starts', '.')\n\
         const end = () => fs.existsSync('go') ? process.exit(0) : setTimeout(end, 10)\n\
         process.on('SIGTERM', end)\n\
         require('http').createServer((_, answer) => answer.end('fine')).listen(process.argv[2])\n",
    );
    stack.up();
    let restarts: Vec<_> = (0..5).map(|_| stack.start("restart a")).collect();
    // Whoever is about to connect has noted when it was asked.
    for restart in &restarts {
        eventually("its connection", || has_socket(restart.pid()));
    }
    stack.put("go", "");
    for restart in restarts {
        restart.ends().exits(0);
    }
    assert_eq!(stack.read(".starts").len(), 2, "one start, and one for all the restarts");
    assert!(get(stack.port(0), "/").is_some());
}

fn has_socket(pid: u32) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = descriptors.filter_map(|descriptor| descriptor.path().read_link().ok());
    targets.any(|target| target.to_string_lossy().starts_with("socket:"))
}

#[test]
fn a_limit_of_open_files_holds() {
    let stack = Stack::new(
        r#"
        service "a" { shell "ulimit -n > limit.txt; exec @testbed"; limit open-files=123 }
        "#,
    );
    stack.up();
    eventually("the limit", || stack.read("limit.txt").trim() == "123");
}

#[test]
fn root_may_run_a_service_as_somebody_else_with_all_groups() {
    if !rustix::process::geteuid().is_root() {
        // Anybody else is told that only root can.
        let stack = Stack::new(r#"service "a" { run "@testbed"; user "daemon"; restart "never" }"#);
        stack.run("up").exits(1).says("cannot become user `daemon`");
        stack.run("exec a -- true").exits(125).says("only root");
        return;
    }
    let groups = std::fs::read_to_string("/etc/group").expect("/etc/group");
    let mut rows = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let member = rows.find_map(|row| {
        let member = row.get(3)?.split(',').find(|member| !member.is_empty())?;
        Some((member.to_owned(), row.get(2)?.to_string()))
    });
    let Some((user, group)) = member else { return };
    let stack = Stack::new(&format!(
        r#"
        service "a" {{
            shell "id -u -n; id -G; echo home $HOME; exec sleep 600"
            user "{user}"
            ready {{ prints "^home" }}
        }}
        "#
    ));
    open_to_all(&stack);
    stack.up();
    let log = stack.run("logs a --raw").exits(0).out;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], user);
    assert!(lines[1].split(' ').any(|number| number == group), "{log}");
    assert_ne!(lines[2], "home /root");
    // Commands too, whether it runs or not.
    let who = |stack: &Stack| stack.run("exec a -- id -u -n").exits(0).out.trim().to_owned();
    assert_eq!(who(&stack), user);
    assert_ne!(stack.run("exec a -- printenv HOME").exits(0).out.trim(), "/root");
    stack.down();
    assert_eq!(who(&stack), user);
}

#[test]
fn checks_and_hooks_run_where_the_service_runs_and_as_whom_it_does() {
    let root = rustix::process::geteuid().is_root();
    let user = if root { r#"user "nobody""# } else { "" };
    let stack = Stack::new(&format!(
        r#"
        service "a" {{
            {user}
            dir "inner"
            env {{ WORD "own" }}
            before-start {{ shell "echo before $(id -un) $(pwd) $WORD >> said.txt" }}
            shell "echo main $(id -un) $(pwd) $WORD >> said.txt; exec @testbed"
            ready {{ shell "echo ready $(id -un) $(pwd) $WORD >> said.txt" }}
            alive every="50ms" {{ shell "echo alive $(id -un) $(pwd) $WORD $HOME >> said.txt" }}
            after-ready {{ shell "echo after $(id -un) $(pwd) $WORD >> said.txt" }}
        }}
        "#
    ));
    stack.put("inner/said.txt", "");
    open_to_all(&stack);
    for path in ["inner", "inner/said.txt"] {
        use std::os::unix::fs::PermissionsExt;
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(stack.path(path), all).expect("its permissions");
    }
    stack.up();
    let said = || stack.read("inner/said.txt");
    eventually("all of them", || said().contains("alive ") && said().contains("after "));
    let me = stackrun::platform::user_name(rustix::process::geteuid().as_raw());
    let me = if root { "nobody" } else { &me };
    let folder = stack.path("inner").display().to_string();
    for line in said().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[1..4], [me, &folder, "own"], "{line}");
        assert!(words.get(4).is_none_or(|home| *home != "/root"), "{line}");
    }
}

fn open_to_all(stack: &Stack) {
    use std::os::unix::fs::PermissionsExt;
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(stack.folder(), all).expect("its permissions");
}
