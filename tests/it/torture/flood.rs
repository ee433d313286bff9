//! Output without measure.

use std::time::{Duration, Instant};

use crate::support::{Process, Stack, eventually};

use super::rounds;

#[test]
fn while_fifty_services_flood_their_logs_commands_stay_quick() {
    let mut text = String::from("defaults { log max-size=\"1MiB\" keep=2 }\n");
    for flood in 0..50 {
        // Not for ever at full speed: it is the writing that is to be borne, not the processor's
        // use by others.
        text += &format!(
            "service \"f{flood}\" {{ shell \"while :; do @testbed flood 5000 exit 0; sleep 0.5; \
             done\" }}\n"
        );
    }
    text += "service \"calm\" { needs \"f0\"; run \"@testbed listen {{port}}\"; port @0 }\n";
    let stack = Stack::new(&text);
    stack.up();
    stack.has_logged("f7", "line 0");
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds(5) {
        for line in ["status", "restart calm", "logs f7 -n 3 --raw", "why calm"] {
            let began = Instant::now();
            let ran = stack.run(line).exits(0);
            slowest = slowest.max(began.elapsed());
            assert!(!line.starts_with("logs") || ran.out.contains("line 0"), "{ran:#?}");
        }
    }
    println!("the slowest command took {slowest:?}");
    assert!(slowest < Duration::from_secs(15), "{slowest:?}");
    let keeper = stack.supervisor().parent().expect("the keeper");
    let used = crate::support::anonymous_kib(keeper.pid);
    assert!(used < 64 << 10, "the keeper uses {used} KiB");
    stack.down();
}

/// How much a process has of its own.
fn memory(process: &Process) -> u64 {
    crate::support::anonymous_kib(process.pid)
}

#[test]
fn a_line_of_a_hundred_megabytes_fills_the_log_and_nobodys_memory() {
    const LENGTH: usize = 100 << 20;
    let stack = Stack::new(
        r#"
        service "a" {
            shell "head -c 104857600 /dev/zero | tr '\\0' x; echo; echo done; exec @testbed"
            log max-size="1GiB"
        }
        service "b" { run "@testbed" }
        "#,
    );
    let up = stack.start("up");
    let mut most = 0;
    eventually("the last line", || {
        let supervisor = stack.supervisor();
        most = most.max(memory(&supervisor));
        most = most.max(memory(&supervisor.parent().expect("the keeper")));
        stack.run("logs a -n 1 --raw").exits(0).out == "done\n"
    });
    up.ends().exits(0);
    assert!(most < 64 << 10, "{most} KiB");
    stack.run("restart b").exits(0);
    let log = stack.path(".stackrun/logs/a.log");
    let bytes = std::fs::read(log).expect("the log");
    assert_eq!(bytes.iter().filter(|byte| **byte == b'x').count(), LENGTH);
    assert!(bytes.ends_with(b"x\ndone\n"));
}
