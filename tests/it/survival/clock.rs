//! Clocks: a machine that has slept.

use std::process::Command;

use crate::support::{Running, Stack, may_make_clocks};

/// After an hour's sleep the clock that counts it is an hour ahead of the one that does not, in
/// the process table too. A time namespace (time_namespaces(7)) makes that without the sleep.
fn after_an_hour_of_sleep(stack: &Stack, line: &str) -> Running {
    let inner = stack.command(line);
    let mut command = Command::new("unshare");
    command.args(["--time", "--boottime", "3600", "--fork", "--"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(stack.folder());
    command.env_clear().envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Running::start(format!("{line}, after an hour of sleep"), command)
}

#[test]
fn as_root_an_hour_of_sleep_is_no_hour_of_waiting() {
    if !may_make_clocks() {
        return;
    }
    let stack = Stack::new(
        r#"
        service "a" {
            run "@testbed lock a.lock listen {{port}}"
            port @0
            ready within="30s" { http "/" }
            alive every="100ms" failures=2 { http "/health" }
        }
        service "b" { needs "a"; run "@testbed lock b.lock" }
        "#,
    );
    after_an_hour_of_sleep(&stack, "up").ends().exits(0);
    let before = ["a", "b"].map(|name| stack.pid(name));
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    let since = stack.node("a");
    // Both are succeeded by processes with a clock like that.
    keeper.kill();
    supervisor.kill();
    after_an_hour_of_sleep(&stack, "status").ends().exits(0);
    assert_eq!(["a", "b"].map(|name| stack.pid(name)), before, "since {since:#}");
    assert_eq!(stack.node("a")["restarts"], 0);
    // How long somebody holds a port is told without the sleep.
    after_an_hour_of_sleep(&stack, "restart").ends().exits(0);
    stack.down();
    let stranger = stack.stranger(&["listen", &stack.port(0).to_string()], &[]);
    crate::support::eventually("the stranger", || crate::support::listening(stack.port(0)));
    let refused = after_an_hour_of_sleep(&stack, "up").ends();
    assert!(refused.code != 0 && refused.err.contains(&stranger.pid().to_string()), "{refused:#?}");
    assert!(!refused.err.contains("for 1h") && !refused.err.contains("for 60m"), "{refused:#?}");
}
