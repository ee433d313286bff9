//! A stack that another one has brought up: it is nobody's but its own.

use rustix::process::Signal;

use crate::support::{Process, Stack, eventually};

/// The inner stack: its folder goes where `@inner` stands in the outer one's text.
fn inner() -> Stack {
    Stack::new(
        r#"
        service "in" { run "@testbed lock in.lock" }
        service "too" { needs "in"; run "@testbed lock too.lock" }
        "#,
    )
}

fn outer(inner: &Stack, text: &str) -> Stack {
    Stack::new(&text.replace("@inner", &inner.folder().display().to_string()))
}

/// The keeper, supervisor and services of a stack that is up.
fn all_of(stack: &Stack) -> Vec<Process> {
    let supervisor = stack.supervisor();
    let keeper = supervisor.parent().expect("the keeper");
    vec![keeper, supervisor, stack.process("in"), stack.process("too")]
}

#[track_caller]
fn lives_on(stack: &Stack, before: &[Process]) {
    for process in before {
        assert!(process.lives(), "{process} was ended");
    }
    stack.run("status").exits(0);
    stack.run("restart in").exits(0);
    assert_eq!(stack.read("in.lock.violations") + &stack.read("too.lock.violations"), "");
    stack.run("down").exits(0).says("0 processes");
}

#[test]
fn whatever_has_brought_it_up_may_be_stopped() {
    for text in [
        // A task, whose end sweeps what it has left.
        r#"task "t" { shell "cd @inner && stackrun up" }
           service "a" { needs "t"; run "@testbed lock a.lock" }"#,
        // A service, of whose tree the keeper is part for as long as the command runs.
        r#"service "a" { shell "cd @inner && stackrun up && exec @testbed lock a.lock"
               ready within="100s" { shell "cd @inner && stackrun wait --timeout 100ms" } }"#,
        // Hooks before and beside a service.
        r#"service "a" { run "@testbed lock a.lock"
               before-start { shell "cd @inner && stackrun up" } }"#,
        r#"service "a" { run "@testbed lock a.lock"
               after-ready { shell "cd @inner && stackrun up" } }"#,
        // One that stays in the foreground of its command.
        r#"service "a" { shell "cd @inner && stackrun up -a"
               ready within="100s" { shell "cd @inner && stackrun wait --timeout 100ms" } }"#,
    ] {
        let inner = inner();
        let outer = outer(&inner, text);
        outer.run("up").exits(0);
        inner.reaches("too", "ready");
        let before = all_of(&inner);
        // By a signal, by a restart, by a stop, and by the end of all.
        outer.process("a").kill();
        eventually("its restart", || {
            outer.node("a")["restarts"] != 0 && outer.state("a") == "ready"
        });
        outer.run("restart a").exits(0);
        outer.run("down a").exits(0);
        assert!(before.iter().all(Process::lives), "{text}");
        outer.run("up").exits(0);
        let ran = outer.run("down").exits(0).says("0 processes, 0 ports");
        assert!(before.iter().all(Process::lives), "{text}\n{ran:#?}");
        assert_eq!(outer.keeper_by_lock(), None);
        assert_eq!(outer.read("a.lock.violations"), "");
        lives_on(&inner, &before);
    }
}

#[test]
fn it_is_told_from_afar_whoever_holds_it_is_killed() {
    for both in [false, true] {
        let inner = inner();
        let outer = outer(
            &inner,
            r#"task "t" { shell "cd @inner && stackrun up" }
               service "a" { needs "t"; run "@testbed" }"#,
        );
        outer.run("up").exits(0);
        inner.reaches("too", "ready");
        let before = all_of(&inner);
        let (keeper, supervisor) = (&before[0], &before[1]);
        let is_child =
            keeper.parent().is_some_and(|parent| Some(parent.pid) == outer.keeper_by_lock());
        assert!(is_child, "its keeper is a child of the other one's by now");
        // Its services are orphans then, and come to the other keeper.
        if both {
            supervisor.signal(Signal::STOP);
            keeper.kill();
            supervisor.kill();
            eventually("the end of both", || !keeper.lives() && !supervisor.lives());
        } else {
            keeper.kill();
            eventually("another keeper", || {
                inner.keeper_by_lock().is_some_and(|pid| pid != keeper.pid)
            });
        }
        outer.run("down").exits(0).says("0 processes");
        assert_eq!(outer.keeper_by_lock(), None);
        lives_on(&inner, &before[2..]);
    }
}

#[test]
fn two_below_one_another_are_left_alone() {
    let innermost = inner();
    let middle = outer(
        &innermost,
        r#"task "t" { shell "cd @inner && stackrun up" }
           service "a" { needs "t"; run "@testbed lock a.lock" }"#,
    );
    let outermost = outer(
        &middle,
        r#"task "t" { shell "cd @inner && stackrun up" }
           service "a" { needs "t"; run "@testbed lock a.lock" }"#,
    );
    outermost.run("up").exits(0);
    innermost.reaches("too", "ready");
    let (before, a) = (all_of(&innermost), middle.process("a"));
    // The one in the middle ends first, and its neighbour below comes to the one above.
    middle.run("down").exits(0);
    outermost.run("restart a").exits(0);
    assert!(!a.lives() && before.iter().all(Process::lives));
    middle.run("up").exits(0);
    let a = middle.process("a");
    outermost.run("down").exits(0);
    assert!(a.lives() && before.iter().all(Process::lives));
    middle.run("down").exits(0);
    lives_on(&innermost, &before);
}

#[test]
fn one_that_is_coming_up_is_there_as_a_whole_or_not_at_all() {
    let inner = inner();
    let outer = outer(&inner, r#"service "a" { shell "cd @inner && stackrun up; exec @testbed" }"#);
    for moment in 0..8 {
        outer.run("up").exits(0);
        // Later from time to time: its command runs, its keeper is there, it is up.
        eventually("that moment", || match moment % 4 {
            0 => true,
            1 => inner.path(".stackrun").exists(),
            2 => inner.keeper_by_lock().is_some(),
            _ => stackrun::platform::keeper_of(inner.places().id).is_some(),
        });
        outer.run("down").exits(0).says("0 processes");
        assert_eq!(outer.keeper_by_lock(), None);
        if inner.keeper_by_lock().is_some() {
            inner.run("up").exits(0);
            for name in ["in", "too"] {
                assert_eq!(inner.state(name), "ready");
            }
        }
        assert_eq!(inner.read("in.lock.violations") + &inner.read("too.lock.violations"), "");
        inner.run("down").exits(0);
    }
}

#[test]
fn who_merely_looks_like_a_keeper_is_ended() {
    let stack = Stack::new(
        r#"
        service "a" {
            shell "sh pretend.sh; exec @testbed"
        }
        "#,
    );
    // Their claims, a lock on a folder and the words of a real one, and no parent.
    stack.put(
        "pretend.sh",
        "mkdir -p d e
        pretend() {
            setsid env $1 bash -c 'exec -a stackrun flock $0 sleep 1000' $2 keeper --dir /x \\
                </dev/null >/dev/null 2>&1 &
        }
        pretend STACKRUN_ID=00ff:1a:x:1 d
        pretend STACKRUN_KEEPER=00ff:17 e
        ",
    );
    stack.up();
    eventually("both", || {
        stack.left().iter().filter(|process| process.command.contains("1000")).count() >= 4
    });
    stack.down().says("0 processes");
}
