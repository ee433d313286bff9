//! Whole trees: signals, ends, and what is left.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use stackrun::{
    keeper::protocol::{FromKeeper, ToKeeper},
    model::{Exit, Signal},
    platform::RunAs,
};

use crate::world::{World, lives, living_with, skip, until};

pub(crate) fn a_stopped_process_gets_the_signal() {
    let mut world = World::new();
    let (unit, pid) = world.run("a", "trap 'echo asked; exit 5' TERM; echo up; kill -STOP $$");
    until("the stop", || {
        stackrun::platform::Entry::read(pid).is_some_and(|entry| entry.state == 'T')
    });
    world.signal(&unit, Signal::TERM, true);
    assert_eq!(world.exited(&unit), (Exit::Code(5), 0));
}

pub(crate) fn a_stop_is_asked_for_once() {
    let mut world = World::new();
    let script =
        "trap 'echo asked' TERM; trap 'echo more' URG; echo up; while :; do sleep 0.01; done";
    let urgent = Signal::from_name("URG").unwrap();
    for (name, tree) in [("alone", false), ("together", true)] {
        let (unit, _) = world.run(name, script);
        let stop = ToKeeper::Stop { unit: unit.clone(), signal: Signal::TERM, tree };
        world.said(name, "up");
        world.ask(&stop);
        world.said(name, "asked");
        // By one that does not know, and where the keeper is another one, too.
        world.ask(&stop);
        world.replace_keeper();
        world.hello();
        world.ask(&stop);
        world.signal(&unit, urgent, tree);
        world.said(name, "more");
        assert_eq!(world.log(name).matches("asked").count(), 1, "{name}");
        world.kill(&unit);
        world.gone(&unit);
    }
}

pub(crate) fn an_escapee_is_killed() {
    let mut world = World::new();
    // Two forks, a session of its own, no parent, no output, no environment.
    let script =
        "(setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &)
        sleep 1000";
    let (unit, _) = world.run("a", script);
    let escapee = world.pid_in("pid");
    // It is a child of the keeper by now, and nothing tells whose it was, unless it was seen
    // before: with its pipe it is found.
    let script = "(setsid env -i sh -c 'echo $$ > pid2; exec sleep 1000' &) ; sleep 1000";
    let (other, _) = world.run("b", script);
    let with_pipe = world.pid_in("pid2");
    world.kill(&other);
    world.exited(&other);
    world.gone(&other);
    assert!(!lives(with_pipe));
    world.kill(&unit);
    world.gone(&unit);
    assert_eq!(world.finish(), (vec![], true));
    assert!(!lives(escapee));
}

pub(crate) fn who_was_seen_before_is_remembered() {
    let mut world = World::new();
    // It keeps nothing but its parent, and loses that.
    let script = "setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &
        sleep 1000";
    let (unit, _) = world.run("a", script);
    let escapee = world.pid_in("pid");
    // Any signal to the tree has everybody looked at first.
    world.signal(&unit, Signal::from_name("URG").unwrap(), true);
    world.signal(&unit, Signal::KILL, false);
    world.exited(&unit);
    world.kill(&unit);
    world.gone(&unit);
    until("its end", || !lives(escapee));
}

pub(crate) fn leftovers_of_a_crash_are_swept() {
    let mut world = World::new();
    let (unit, pid) = world.run("a", "sleep 1000 & setsid sleep 1000 & echo up; wait");
    world.said("a", "up");
    until("both children", || {
        stackrun::platform::Table::read()
            .unwrap()
            .entries()
            .iter()
            .filter(|e| e.parent == pid)
            .count()
            == 2
    });
    world.signal(&unit, Signal::KILL, false);
    assert_eq!(world.exited(&unit), (Exit::Signal(Signal::KILL), 2));
    world.kill(&unit);
    assert_eq!(world.gone(&unit), 2);
}

pub(crate) fn leftovers_that_end_by_themselves_are_gone_once() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "mkfifo fifo; (read x < fifo) & echo up; exit 3");
    assert_eq!(world.exited(&unit), (Exit::Code(3), 1));
    std::fs::write(world.dir.path().join("fifo"), "\n").unwrap();
    assert_eq!(world.gone(&unit), 0);
    world.kill(&unit);
    world.finish();
    assert!(!world.has(|message| matches!(message, FromKeeper::Gone { .. })));
}

pub(crate) fn one_who_ignores_the_signal_is_killed() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "trap 'echo asked' TERM; echo up; while :; do sleep 0.01; done");
    world.said("a", "up");
    world.signal(&unit, Signal::TERM, false);
    world.said("a", "asked");
    world.kill(&unit);
    assert_eq!(world.exited(&unit).0, Exit::Signal(Signal::KILL));
    world.gone(&unit);
}

pub(crate) fn a_storm_of_forks_is_killed() {
    let mut world = World::new();
    let mark = format!("storm-{}", std::process::id());
    // Twenty that each start their own successor in a new session and end.
    let script = format!(
        "cat > storm <<'END'
        echo >> storms; sleep 0.01; setsid sh storm {mark} &
        sleep 0.02
END
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do setsid sh storm {mark} & done
        echo up; sleep 1000"
    );
    let (unit, _) = world.run("a", &script);
    world.said("a", "up");
    // Those who live now are too quick for a busy machine to count.
    let storms = world.dir.path().join("storms");
    until("the storm", || std::fs::read(&storms).is_ok_and(|storms| storms.len() > 60));
    world.kill(&unit);
    world.gone(&unit);
    assert_eq!(world.finish(), (vec![], true));
    assert_eq!(living_with(&mark), [0; 0]);
}

pub(crate) fn a_grandchild_that_holds_stdout_delays_nothing() {
    let mut world = World::new();
    // Longer than any answer is waited for here.
    let (unit, _) = world.run("a", "sleep 1000 & exit 4");
    assert_eq!(world.exited(&unit), (Exit::Code(4), 1));
    world.kill(&unit);
    assert_eq!(world.gone(&unit), 1);
}

pub(crate) fn finish_kills_what_nothing_claims() {
    let mut world = World::new();
    let script =
        "(setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &)";
    let (unit, _) = world.run("a", script);
    world.exited(&unit);
    let stray = world.pid_in("pid");
    assert_eq!(world.finish(), (vec![], true));
    assert!(!lives(stray));
}

pub(crate) fn a_signal_reaches_those_who_left_the_group() {
    let mut world = World::new();
    let script =
        "setsid sh -c 'trap \"echo got it; exit\" TERM; echo ready; while :; do sleep 0.01; done' &
        wait; wait";
    let (unit, _) = world.run("a", script);
    world.said("a", "ready");
    world.signal(&unit, Signal::TERM, true);
    world.gone(&unit);
    assert!(world.log("a").contains("got it"));
}

/// The children of a PostgreSQL server have sessions and environments of their own.
pub(crate) fn orphans_of_a_killed_database_are_found() {
    let nobody = 65534;
    let mut world = World::new();
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    std::fs::set_permissions(world.dir.path(), mode(0o777)).unwrap();
    // Debian keeps PostgreSQL's programs in a folder for each version.
    let mut spec = world.script(
        "db",
        "for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done
        command -v initdb postgres >/dev/null || exit 42
        initdb -D db -A trust -N >/dev/null && exec postgres -D db -k \"$PWD\" -h ''",
    );
    // PostgreSQL refuses root.
    spec.user = (stackrun::platform::own_uid() == 0).then(|| RunAs {
        uid: nobody,
        gid: nobody,
        groups: vec![nobody],
        name: "nobody".to_owned(),
        home: "/".to_owned(),
    });
    spec.env.push(("HOME".to_owned(), "/tmp".to_owned()));
    let (unit, pid) = world.spawn(spec);
    let children = || {
        let table = stackrun::platform::Table::read().unwrap();
        let children = table.entries().iter().filter(|entry| entry.parent == pid);
        children.map(|entry| entry.id.pid).collect::<Vec<_>>()
    };
    until("a database, or that there is none here", || {
        !lives(pid) || world.log("db").contains("ready to accept connections")
    });
    if !lives(pid) {
        let (exit, _) = world.exited(&unit);
        assert_eq!(exit, Exit::Code(42), "{}", world.log("db"));
        skip("tree::orphans_of_a_killed_database_are_found", "PostgreSQL is not installed");
        return;
    }
    let orphans = children();
    assert!(orphans.len() >= 3, "{orphans:?}");
    world.signal(&unit, Signal::KILL, false);
    world.exited(&unit);
    world.kill(&unit);
    world.gone(&unit);
    assert_eq!(orphans.into_iter().filter(|&pid| lives(pid)).collect::<Vec<_>>(), [0; 0]);
}

pub(crate) fn a_thousand_ends_cost_little() {
    let mut world = World::new();
    let count = 300;
    for number in 0..count {
        let mut spec = world.script(&format!("s{number}"), "");
        spec.program = "/bin/sleep".into();
        spec.argv = vec!["sleep".to_owned(), "1000".to_owned()];
        world.ask(&ToKeeper::Spawn(Box::new(spec)));
    }
    let mut started = Vec::new();
    while started.len() < count {
        started.push(world.wait("Spawned", |message| match message {
            FromKeeper::Spawned { unit, .. } => Some(unit.clone()),
            _ => None,
        }));
    }
    let before = processor_time(world.keeper);
    for unit in &started {
        world.signal(unit, Signal::TERM, true);
    }
    for unit in &started {
        world.gone(unit);
    }
    let took = processor_time(world.keeper) - before;
    assert!(took < Duration::from_secs(5), "{took:?} of the processor");
}

/// How long a process has used the processor: others may keep it from it for as long as they like.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// A process in a frozen group of the first kind (cgroups(7)) cannot be killed until it is thawed.
pub(crate) fn as_root_who_survives_is_named() {
    let group = PathBuf::from(format!("/sys/fs/cgroup/freezer/stackrun-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir(&group) {
        #[expect(clippy::print_stderr, reason = "a skip is to be seen")]
        {
            eprintln!("SKIPPED tree::as_root_who_survives_is_named: {}: {error}", group.display());
        }
        return;
    }
    let mut world = World::new();
    let (unit, pid) = world.run("a", "sleep 1000");
    std::fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
    std::fs::write(group.join("freezer.state"), "FROZEN").unwrap();
    until("the frost", || {
        std::fs::read_to_string(group.join("freezer.state")).unwrap() == "FROZEN\n"
    });
    world.kill(&unit);
    let processes = world.wait("Stuck", |message| match message {
        FromKeeper::Stuck { processes, .. } => Some(processes.clone()),
        _ => None,
    });
    std::fs::write(group.join("freezer.state"), "THAWED").unwrap();
    assert_eq!(
        processes,
        [format!("{pid} /bin/sh -c sleep 1000 (state D)").replace("/bin/sh", "sh")]
    );
    assert_eq!(world.exited(&unit), (Exit::Signal(Signal::KILL), 0));
    world.gone(&unit);
    assert!(!world.has(|message| matches!(message, FromKeeper::Stuck { .. })), "said twice");
    std::fs::remove_dir(group).unwrap();
}

pub(crate) fn an_idle_keeper_sleeps() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "echo up; sleep 1000");
    world.said("a", "up");
    let switches = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = switches(world.keeper);
    let began = Instant::now();
    until("some idle time", || began.elapsed() > Duration::from_secs(3));
    let woken = switches(world.keeper) - before;
    assert!(woken < 20, "{woken} times in three seconds");
    world.kill(&unit);
    world.gone(&unit);
}

/// Starts a process that keeps nothing of what its unit has, and writes its number to `pid`.
fn stray(prefix: &str) -> String {
    format!(
        "(setsid env -i {prefix} sh -c 'echo $$ > pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &)"
    )
}

/// Takes off the tag, too.
const UNTAGGED: &str = "prlimit --locks=unlimited:unlimited";

pub(crate) fn an_orphan_that_has_given_up_everything_is_known() {
    let mut world = World::new();
    let (other, _) = world.run("b", &format!("{}; sleep 1000", stray("").replace("pid", "pid-b")));
    let others = world.pid_in("pid-b");
    let (unit, _) =
        world.run("a", &format!("{}; until test -s pid; do :; done; exit 3", stray("")));
    assert_eq!(world.exited(&unit), (Exit::Code(3), 1));
    let orphan = world.pid_in("pid");
    world.kill(&unit);
    assert_eq!(world.gone(&unit), 1);
    assert!(!lives(orphan) && lives(others));
    // And by a keeper that was never its parent.
    world.replace_keeper();
    world.hello();
    world.kill(&other);
    world.gone(&other);
    assert!(!lives(others));
}

pub(crate) fn what_one_unit_alone_can_have_left_is_its_own() {
    let mut world = World::new();
    let script = format!("{}; until test -s pid; do :; done; exit 3", stray(UNTAGGED));
    let (unit, _) = world.run("a", &script);
    assert_eq!(world.exited(&unit), (Exit::Code(3), 1));
    let stray = world.pid_in("pid");
    // It cannot be of one that came later.
    let (later, _) = world.run("b", "sleep 1000");
    world.kill(&later);
    world.gone(&later);
    assert!(lives(stray));
    world.kill(&unit);
    assert_eq!(world.gone(&unit), 1);
    assert!(!lives(stray));
}

pub(crate) fn what_several_can_have_left_stays_until_the_last_has_ended() {
    let mut world = World::new();
    let (other, _) = world.run("b", "exec sleep 1000");
    let script = format!("{}; until test -s pid; do :; done; exit 3", stray(UNTAGGED));
    let (unit, _) = world.run("a", &script);
    assert_eq!(world.exited(&unit), (Exit::Code(3), 0));
    let stray = world.pid_in("pid");
    world.kill(&unit);
    assert_eq!(world.gone(&unit), 0);
    assert!(lives(stray), "it may be of the other");
    let strays = |message: &FromKeeper| match message {
        FromKeeper::Strays { processes } => Some(processes.clone()),
        _ => None,
    };
    let named = world.wait("Strays", strays).concat();
    assert!(named.contains(&format!("pid {stray} ")) && named.contains("`a` or `b`"), "{named}");
    world.kill(&other);
    assert_eq!(world.gone(&other), 1);
    assert!(!lives(stray));
    assert_eq!(world.wait("no more Strays", strays), Vec::<String>::new());
    assert_eq!(world.finish(), (vec![], true));
}

pub(crate) fn what_goes_on_after_a_good_end_is_named() {
    let mut world = World::new();
    let mut background = |name: &str, script: &str| {
        let (unit, _) = world.run(name, script);
        let told = world.wait("Exited", |message| match message {
            FromKeeper::Exited { unit: of, left, background, .. } if *of == unit => {
                Some((*left, background.clone()))
            }
            _ => None,
        });
        // Asked to end, they do: not only the main process, which has ended.
        world.ask(&ToKeeper::Stop { unit: unit.clone(), signal: Signal::TERM, tree: false });
        assert_eq!(world.gone(&unit), 0, "{name}");
        told
    };
    let (left, named) = background("session", "setsid sleep 1000 & sleep 0.1");
    assert_eq!((left, named.unwrap().command), (1, "sleep 1000".to_owned()));
    let (left, named) = background("job", "sleep 1000 &");
    assert_eq!((left, named.unwrap().command), (1, "sleep 1000".to_owned()));
    // A failure has other causes, and who ends by itself a moment later was none to stay.
    let (left, named) = background("failed", "sleep 1000 & exit 3");
    assert_eq!((left, named), (1, None));
    let (left, named) = background("late", "sleep 0.03 &");
    assert_eq!((left, named), (0, None));
}
