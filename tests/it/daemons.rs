//! Programs that put themselves into the background: told as that, asked to end, and never left.

use std::fs;

use crate::support::{Process, Stack, eventually, get, have, listening};

/// The living processes of a stack whose command holds this.
fn living(stack: &Stack, command: &str) -> Vec<Process> {
    stack.left().into_iter().filter(|process| process.command.contains(command)).collect()
}

const NGINX: &str = "worker_processes 2; pid nginx.pid; error_log stderr; events {}
http { access_log off; client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t;
uwsgi_temp_path t; scgi_temp_path t;
server { listen 127.0.0.1:@0; location / { return 200 'one'; } } }";

#[test]
fn a_crash_loop_leaves_no_daemon_behind() {
    if !have(&["redis-server", "bash"]) {
        return;
    }
    // Each has a session of its own, nothing on its first three descriptors, and shows a title
    // where its environment was. The other service may have made it as well, for all that these
    // tell.
    let stack = Stack::new(
        r#"
        service "other" { run "@testbed lock other.lock" }
        service "a" {
            shell "redis-server --port 0 --unixsocket \"$PWD/$$.sock\" --save '' --daemonize yes; until test -S $$.sock; do sleep 0.02; done; echo . >>starts; exit 1" with="bash"
            restart tries=4 delay="10ms"
        }
        "#,
    );
    let _up_for_a_moment = stack.run("up");
    stack.reaches("a", "failed");
    assert!(stack.read("starts").lines().count() >= 5, "it was tried again");
    let left = living(&stack, "redis");
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(stack.state("other"), "ready");
    assert_eq!(stack.read("other.lock.violations"), "");
    stack.down();
}

#[test]
fn a_server_that_goes_into_the_background_is_told_as_that_and_how_to_write_it() {
    if !have(&["redis-server"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "cache" { run "redis-server" "--port" "{{port}}" "--dbfilename" "kept.rdb" "--daemonize" "yes"; port @0 }
        service "api" { needs "cache"; run "@testbed" }
        "#,
    );
    let up = stack.run("up").exits(1);
    assert!(!up.err.contains("cache ready"), "it never was: {}", up.err);
    let left = "it put itself into the background (pid";
    let instead = "leave out `--daemonize yes`";
    let up = up.says(left).says("redis-server").says(instead);
    assert!(up.err.contains("api") && stack.node("api")["pid"].is_null());
    stack.run("status").exits(3).says(left).says(instead);
    stack.run("why api").exits(0).says(left).says(instead);
    assert_eq!(stack.state("cache"), "failed");
    assert_eq!(stack.node("cache")["restarts"], 0, "another start would do the same");
    assert!(living(&stack, "redis").is_empty() && !listening(stack.port(0)));
    // What is advised works.
    stack.edit(r#" "--daemonize" "yes""#, "");
    stack.up();
    assert_eq!(stack.state("cache"), "ready");
}

#[test]
fn nginx_in_the_background_is_told_how_to_stay_in_the_foreground() {
    if !have(&["nginx"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        env { PATH "{{env.PATH}}:/usr/sbin" }
        service "web" { run "nginx" "-p" "{{dir}}" "-c" "nginx.conf"; port @0; ready { http "/" } }
        "#,
    );
    let port = stack.port(0);
    stack.put("nginx.conf", &NGINX.replace("@0", &port.to_string()));
    stack.run("up").exits(1).says("it put itself into the background").says("daemon off;");
    eventually("the end of its workers", || living(&stack, "nginx").is_empty());
    assert!(!listening(port));
    stack.edit(r#""-c" "nginx.conf""#, r#""-c" "nginx.conf" "-g" "daemon off;""#);
    stack.up();
    assert_eq!(get(port, "/"), Some((200, "one".to_owned())));
}

#[test]
fn a_database_started_by_its_starter_is_not_ready_and_ends_cleanly() {
    if !have(&["postgres", "initdb", "pg_ctl"]) {
        return;
    }
    let user = if rustix::process::geteuid().is_root() { r#"user "nobody""# } else { "" };
    let stack = Stack::new(&format!(
        r#"
        env {{
            PATH "{{{{env.PATH}}}}:/usr/lib/postgresql/18/bin:/usr/lib/postgresql/17/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/15/bin:/usr/lib/postgresql/14/bin"
        }}
        service "db" {{
            {user}
            before-start {{ shell "test -s pg/PG_VERSION || initdb -D pg -U shop --auth=trust --no-sync" }}
            run "pg_ctl" "-D" "pg" "-w" "-l" "pg.log" "-o" "-p @0 -h 127.0.0.1 -k '' -F" "start"
            port @0
        }}
        "#
    ));
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(stack.folder(), all).expect("its permissions");
    let up = stack.start("up").patience(120).ends().exits(1);
    assert!(!up.err.contains("db ready"), "{}", up.err);
    up.says("it put itself into the background").says("`postgres -D pg`");
    assert!(!listening(stack.port(0)));
    let log = stack.read("pg.log");
    assert!(log.contains("database system is shut down"), "it was asked to end: {log}");
    stack.down();
}

#[test]
fn an_ampersand_at_the_end_is_told_as_one() {
    let stack = Stack::new(r#"service "a" { shell "@testbed lock a.lock &"; restart "always" }"#);
    let _ready_for_a_moment = stack.run("up");
    stack.reaches("a", "failed");
    stack.run("why a").exits(0).says("into the background").says("leave out the `&`");
    eventually("its end", || living(&stack, "a.lock").is_empty());
}

#[test]
fn who_ends_by_itself_after_a_good_end_is_in_no_background() {
    // A helper that notices the end of the main process, as those of many languages do.
    let stack = Stack::new(
        r#"
        service "a" { shell "mkfifo end; (exec <end; read x; sleep 0.02) & exec 3>end; sleep 0.8"; restart "never" }
        task "t" { shell "@testbed child 'after 20 exit 0' exit 0" }
        "#,
    );
    let _ended = stack.run("up");
    stack.reaches("a", "exited");
    let ran = stack.run("run t").exits(0);
    let events = stack.run("events").exits(0).out;
    assert!(!(ran.err + &events).contains("into the background"), "{events}");
}

#[test]
fn a_wrapper_that_waits_for_a_server_in_another_session_is_ready() {
    let stack =
        Stack::new(r#"service "a" { run "@testbed child 'setsid listen @0' after 100"; port @0 }"#);
    stack.up();
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn what_a_task_or_a_hook_leaves_is_named_and_ends_with_it() {
    if !have(&["redis-server"]) {
        return;
    }
    let server =
        r#""redis-server" "--port" "0" "--unixsocket" "{{dir}}/s" "--save" "" "--daemonize" "yes""#;
    let stack = Stack::new(&format!(
        r#"
        task "one" {{ run {server} }}
        task "steps" {{ step "begin" {{ run {server} }}; step "go-on" {{ shell "touch went-on" }} }}
        service "a" {{ before-start {{ run {server} }}; run "@testbed" }}
        "#
    ));
    stack.run("up a").exits(0).says("before-start: it put a process into the background");
    assert!(living(&stack, "redis").is_empty());
    for task in ["one", "steps"] {
        let ran = stack.run(&format!("run {task}")).exits(0);
        ran.says("it put a process into the background (pid").says("redis-server").says("service");
        stack.run(&format!("why {task}")).exits(0).says("it put a process into the background");
        assert!(living(&stack, "redis").is_empty());
    }
    assert!(stack.path("went-on").exists());
}

#[test]
fn what_nothing_tells_the_service_of_is_named_and_ends_with_the_last_that_may_have_left_it() {
    if !have(&["prlimit", "setsid"]) {
        return;
    }
    // It gives up parent, session, output, environment and limits.
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed" }
        service "b" {
            needs "a"
            shell "(setsid env -i prlimit --locks=unlimited:unlimited @testbed print stray </dev/null >/dev/null 2>&1 &); sleep 0.3; exit 3"
            restart "never"
        }
        "#,
    );
    let _up_for_a_moment = stack.run("up");
    stack.reaches("b", "failed");
    let stray = living(&stack, "stray").into_iter().next().expect("it is left");
    let named = format!("pid {} ", stray.pid);
    stack.run("status").says(&named).says("was left behind by `a` or `b`");
    stack.run("events").exits(0).says(&named);
    assert!(stray.lives(), "it may be a part of `a`");
    // The next supervisor knows as well.
    stack.supervisor().kill();
    stack.run("status").says(&named);
    stack.run("down a").exits(0);
    assert!(!stray.lives());
}
