//! A back end that is there after everything that ends others.

use std::fs;

use crate::support::{Process, Stack, eventually, get, have, listening, post, wait_for};

/// Waits for another process than this one, which answers; its pid.
fn back(stack: &Stack, before: u32) -> u32 {
    wait_for("another process", || {
        let node = stack.node("api");
        let pid = node["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.filter(|pid| *pid != before && node["state"] == "ready")?;
        get(stack.port(0), "/health").filter(|(status, _)| *status == 200).map(|_| pid)
    })
}

#[test]
fn always_on() {
    if !have(&["node", "npm", "curl"]) {
        return;
    }
    let stack = Stack::example("always-on");
    // Whatever starts things on this machine is left alone.
    stack.has_crontab_alone();
    stack.follow_readme_where(|shell| stack.on_machine(shell));
    assert_eq!(stack.crontab(), [""; 0], "`boot disable` leaves nothing");
    assert!(!listening(stack.port(0)));

    let mut terminal = stack.on_terminal("up --profile test");
    assert_eq!(terminal.ends(), Some(0), "{}", terminal.shown());
    let pid = stack.pid("api");
    terminal.close();
    assert_eq!(stack.pid("api"), pid);

    what_ails_it_is_noticed(&stack);
    logs_are_kept_within_bounds(&stack);
    it_is_back_after_a_reboot(&stack);
    fifty_restarts_a_minute_are_enough(&stack);
    stack.down();
    assert!(!listening(stack.port(0)));
}

fn what_ails_it_is_noticed(stack: &Stack) {
    let port = stack.port(0);
    let pid = stack.pid("api");
    assert_eq!(post(port, "/crash"), Some((200, "as you wish\n".to_owned())));
    let pid = back(stack, pid);

    for _ in 0..6 {
        // By the last one it may be on its way out.
        let _ = post(port, "/leak/100");
    }
    let pid = back(stack, pid);
    stack.run("events").says("500 MiB are allowed");

    let hung = std::thread::scope(|scope| {
        // Never answered: it ends with the process.
        scope.spawn(|| post(port, "/hang"));
        back(stack, pid)
    });
    stack.run("events").says("unhealthy");
    assert_eq!(stack.node("api")["restarts"], 3, "one for each; {hung} is the fourth");
}

fn logs_are_kept_within_bounds(stack: &Stack) {
    let port = stack.port(0);
    for _ in 0..40 {
        assert_eq!(post(port, "/chatter/1000"), Some((200, "said\n".to_owned())));
    }
    assert_eq!(post(port, "/chatter/7"), Some((200, "said\n".to_owned())));
    eventually("the last line", || {
        stack.run("logs api --raw -n 1").exits(0).out == "line 7 of many\n"
    });
    let files = || {
        let files = fs::read_dir(stack.path(".stackrun/logs")).expect("logs").flatten();
        let name = |file: fs::DirEntry| file.file_name().to_string_lossy().into_owned();
        let names =
            files.map(name).filter(|name| name.starts_with("api.log") && !name.ends_with(".idx"));
        names.collect::<Vec<_>>()
    };
    // The one that is written to, and `keep=3`.
    eventually("four files", || files().len() == 4);
    let size = |name: String| {
        stack.path(&format!(".stackrun/logs/{name}")).metadata().map(|file| file.len())
    };
    let total: u64 = files().into_iter().flat_map(size).sum();
    assert!(total <= 5 * 64 * 1024, "{total} bytes in {:?}", files());
    let kept = stack.run("logs api --raw").exits(0).out;
    assert!(kept.lines().count() > 1000, "the rotated ones are shown too");
}

fn it_is_back_after_a_reboot(stack: &Stack) {
    stack.run_on_machine("boot enable").exits(0);
    let line = stack.crontab().into_iter().find(|line| line.starts_with("@reboot "));
    let line = line.expect("a line for the start of the machine");
    // The power goes: everything ends at once.
    let before = stack.pid("api");
    let all = stack.left();
    for process in &all {
        process.kill();
    }
    eventually("the end of everything", || !all.iter().any(Process::lives));
    // The machine has nothing but that line, and an empty environment.
    stack.run_as_cron(&line).exits(0);
    assert_ne!(stack.pid("api"), before);
    assert_eq!(get(stack.port(0), "/"), Some((200, "at your service\n".to_owned())));
    let again = stack.pid("api");
    stack.run_as_cron(&line).exits(0);
    assert_eq!(stack.pid("api"), again, "it is safe to say twice");
    stack.run_on_machine("boot disable").exits(0);
    assert_eq!(stack.crontab(), [""; 0]);
    stack.run("up --profile test").exits(0);
}

fn fifty_restarts_a_minute_are_enough(stack: &Stack) {
    let server = stack.read("server.js");
    stack.put("server.js", "throw new Error('a bug that is always there')");
    stack.process("api").kill();
    stack.reaches("api", "failed");
    stack.run("status").exits(3).says("failed");
    let starts = stack.run("events").exits(0).out;
    assert!(starts.contains("50 of 50"), "{starts}");
    stack.run("why api").says("a bug that is always there");
    eventually("the word of `on-failure`", || {
        stack.run("logs api").out.contains("the API is down for good")
    });
    stack.put("server.js", &server);
    stack.run("up --profile test").exits(0);
    assert_eq!(get(stack.port(0), "/"), Some((200, "at your service\n".to_owned())));
}
