//! Real servers, as people run them.

use std::fs;

use rustix::process::Signal;

use crate::support::{Process, Stack, alive, eventually, get, have, listening};

/// PostgreSQL on `@0`; as root by another user, since it refuses root.
fn postgres() -> Option<(Stack, String)> {
    if !have(&["postgres", "initdb", "pg_isready"]) {
        return None;
    }
    let root = rustix::process::geteuid().is_root();
    let user = if root { r#"user "nobody""# } else { "" };
    let text = format!(
        r#"
        env {{
            PATH "{{{{env.PATH}}}}:/usr/lib/postgresql/18/bin:/usr/lib/postgresql/17/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/15/bin:/usr/lib/postgresql/14/bin"
        }}
        service "postgres" {{
            {user}
            before-start {{ shell "test -s pg/PG_VERSION || initdb -D pg -U shop --auth=trust --no-sync" }}
            run "postgres" "-D" "pg" "-p" "{{{{port}}}}" "-h" "127.0.0.1" "-k" "" "-F"
            port @0
            ready {{ run "pg_isready -h 127.0.0.1 -p {{{{port}}}} -U shop" }}
            stop signal="SIGINT" grace="20s"
            restart delay="10ms"
        }}
        "#
    );
    let stack = Stack::new(&text);
    if root {
        use std::os::unix::fs::PermissionsExt;
        let all = fs::Permissions::from_mode(0o777);
        fs::set_permissions(stack.folder(), all).expect("its permissions");
    }
    Some((stack, text))
}

#[test]
fn postgresql_restarts_under_a_running_api_and_a_late_dependent_waits() {
    let Some((stack, text)) = postgres() else { return };
    stack.write(&format!(
        r#"{text}
        service "api"  {{ needs "postgres"; run "@testbed expect @0" }}
        service "late" {{ needs "postgres"; run "@testbed expect @0"; autostart #false }}
        "#
    ));
    stack.start("up").patience(120).ends().exits(0);
    let (postmaster, api) = (stack.process("postgres"), stack.pid("api"));
    postmaster.kill();
    // Before its end is heard of, nobody can know that it is not there.
    eventually("its end being known", || {
        let node = stack.node("postgres");
        node["state"] != "ready" || node["pid"] != postmaster.pid
    });
    let late = stack.start("up late").patience(120);
    late.ends().exits(0);
    stack.reaches("postgres", "ready");
    assert_ne!(stack.pid("postgres"), postmaster.pid);
    assert_eq!(stack.pid("api"), api);
    assert_eq!(stack.read("violations.txt"), "");
}

#[test]
fn a_leftover_of_a_wrapper_is_cleared_by_the_next_start() {
    if !have(&["node", "npm"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        service "web" {
            run "npm run dev"
            port @0
        }
        "#,
    );
    stack.put("package.json", r#"{"scripts":{"dev":"node server.js"}}"#);
    stack.put(
        "server.js",
        "require('http').createServer((_, answer) => answer.end('fine\\n'))\
         .listen(process.env.PORT, '127.0.0.1')",
    );
    stack.start("up").patience(120).ends().exits(0);
    // The wrapper alone is killed: what really serves is left behind, and holds the port.
    let wrapper = stack.process("web");
    let server = stack.left().into_iter().find(|process| process.command == "node server.js");
    let server = server.expect("node");
    assert_ne!(server.pid, wrapper.pid);
    wrapper.kill();
    eventually("a new server", || {
        let node = stack.node("web");
        node["state"] == "ready" && node["pid"] != wrapper.pid
    });
    assert!(!server.lives());
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
    stack.down();
    assert!(!listening(stack.port(0)));
}

#[test]
fn a_leftover_node_of_npx_holds_the_port_and_the_next_up_clears_it() {
    if !have(&["node", "npx"]) {
        return;
    }
    // As `npx vite` does: npx starts a shell, which starts the program's own wrapper, which starts
    // what serves.
    let stack = Stack::new(
        r#"service "web" { run "npx --no-install devserver"; port @0; stop grace="1s" }"#,
    );
    stack.put("package.json", r#"{"name":"web","private":true}"#);
    stack.put_program(
        "node_modules/.bin/devserver",
        "#!/usr/bin/env node\n\
         require('child_process').spawn('node', ['server.js'], { stdio: 'inherit' })\n\
         setInterval(() => {}, 1000)\n",
    );
    stack.put(
        "server.js",
        "process.on('SIGTERM', () => {})\n\
         require('http').createServer((_, answer) => answer.end('fine\\n'))\
         .listen(process.env.PORT, '127.0.0.1')",
    );
    stack.start("up").patience(120).ends().exits(0);
    // Everything dies at once but the one that serves: the stack's own processes, too.
    let keeper = stack.keeper_by_lock().and_then(Process::get).expect("a keeper");
    let (supervisor, all) = (stack.supervisor(), stack.left());
    let is_server = |process: &&Process| process.command == "node server.js";
    let server = all.iter().find(is_server).expect("what serves").clone();
    keeper.kill();
    supervisor.kill();
    all.iter().filter(|process| !is_server(process)).for_each(Process::kill);
    assert!(server.lives() && listening(stack.port(0)));
    stack.start("up").patience(120).ends().exits(0);
    assert!(!server.lives());
    assert_eq!(get(stack.port(0), "/"), Some((200, "fine\n".to_owned())));
}

#[test]
fn nginx_serves_reloads_and_takes_all_its_workers_along() {
    if !have(&["nginx"]) {
        return;
    }
    let stack = Stack::new(
        r#"
        env { PATH "{{env.PATH}}:/usr/sbin" }
        service "nginx" {
            run "nginx" "-p" "{{dir}}" "-c" "nginx.conf" "-g" "daemon off;"
            port @0
            ready { http "/" }
            alive every="100ms" { http "/" }
            watch "nginx.conf" signal="SIGHUP" debounce="50ms"
            stop signal="SIGQUIT"
        }
        "#,
    );
    let port = stack.port(0);
    // Without folders of its own it wants those of the system, which only root may make.
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {kind};")).join(" ");
    let configure = |answer: &str| {
        let text = format!(
            "worker_processes 2; pid nginx.pid; error_log stderr; events {{}}\n\
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; \
             location / {{ return 200 '{answer}'; }} }} }}\n"
        );
        stack.put("nginx.conf", &text);
    };
    configure("one");
    stack.up();
    let master = stack.pid("nginx");
    assert_eq!(get(port, "/"), Some((200, "one".to_owned())));
    configure("two");
    eventually("the new configuration", || get(port, "/") == Some((200, "two".to_owned())));
    assert_eq!(stack.pid("nginx"), master);
    // Killed, it leaves its workers behind with the socket: they go before the next one starts.
    stack.process("nginx").signal(Signal::KILL);
    eventually("another master", || {
        let node = stack.node("nginx");
        node["state"] == "ready" && node["pid"] != master
    });
    assert!(!alive(master));
    stack.down();
    assert!(!listening(port));
}

#[test]
fn a_thousand_files_are_watched() {
    let stack = Stack::new(
        r#"
        service "a" { run "@testbed counted .starts"; watch "src/**/*.js" debounce="50ms" }
        "#,
    );
    for number in 0..1000 {
        stack.put(&format!("src/{}/{number}.js", number % 50), "1");
    }
    stack.up();
    eventually("the start", || stack.read(".starts").len() == 1);
    stack.put("src/49/999.js", "2");
    eventually("a restart", || stack.read(".starts").len() > 1);
}
