//! Starting.

use std::collections::BTreeSet;

use stackrun::{
    keeper::protocol::{FromKeeper, ToKeeper},
    model::{Exit, Signal},
};

use crate::world::World;

pub(crate) fn exits_are_exact() {
    let mut world = World::new();
    for (script, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 77", Exit::Code(77)),
        ("kill -SEGV $$", Exit::Signal(Signal::from_number(11))),
        ("kill -KILL $$", Exit::Signal(Signal::KILL)),
    ] {
        let (unit, _) = world.run(&script.replace(' ', "-"), script);
        assert_eq!(world.exited(&unit), (exit, 0));
        assert_eq!(world.gone(&unit), 0);
    }
}

pub(crate) fn what_cannot_start_says_why() {
    let mut world = World::new();
    let file = world.dir.path().join("plain.txt");
    std::fs::write(&file, "hello").unwrap();
    let script = world.dir.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();

    let mut spec = world.script("a", "");
    spec.program = "/no/such/program".into();
    let error = world.spawn_error(spec);
    assert_eq!(error, "cannot execute /no/such/program: No such file or directory");

    let mut spec = world.script("a", "");
    spec.dir = "/no/such/dir".into();
    let error = world.spawn_error(spec);
    assert_eq!(error, "cannot enter /no/such/dir: No such file or directory");

    let mut spec = world.script("a", "");
    spec.program.clone_from(&file);
    let error = world.spawn_error(spec);
    assert!(error.ends_with("Permission denied (is it executable?)"), "{error}");

    let mut spec = world.script("a", "");
    spec.program = script;
    let error = world.spawn_error(spec);
    assert!(error.contains("the interpreter or loader it asks for is not"), "{error}");

    let pipes = std::fs::read_dir(&world.places.runtime).unwrap().flatten();
    let pipes = pipes.filter(|file| file.file_name().to_string_lossy().ends_with(".pipe"));
    assert_eq!(pipes.count(), 0, "what failed leaves nothing behind");
}

pub(crate) fn it_runs_as_asked() {
    let mut world = World::new();
    let script = r#"
        echo "variable: $A"
        echo "folder: $(pwd)"
        echo "open files: $(ulimit -n)"
        echo "session: $(ps -o sid= -p $$ | tr -d ' ')"
        echo "input: $(cat <&3)"
        echo "mark: $STACKRUN_ID"
        for fd in 4 5 6 7 8 9 10 11 12; do [ -e /dev/fd/$fd ] && others="$others $fd"; done
        echo "other descriptors:$others"
        trap '' INT
        echo "ignored SIGPIPE: $(trap | grep -c PIPE)"
        read line || echo "stdin: ended"
        echo "stdout: opened again" > /dev/stdout"#;
    let mut spec = world.script("a", script);
    spec.env.push(("A".to_owned(), "b c".to_owned()));
    spec.open_files = Some(123);
    spec.input = Some("input\n".to_owned());
    let (unit, pid) = world.spawn(spec);
    world.exited(&unit);
    let log = world.log("a");
    let found = |what: &str| -> &str {
        let mut lines = log.lines().filter_map(|line| line.split_once(':'));
        let line = lines.find(|(name, _)| *name == what);
        line.unwrap_or_else(|| panic!("no `{what}` in:\n{log}")).1.trim_start()
    };
    let mark = found("mark");
    assert!(mark.ends_with(":a:1"), "mark: {mark}");
    for (what, expected) in [
        ("variable", "b c"),
        ("folder", &world.places.folder.display().to_string()),
        ("open files", "123"),
        ("session", &pid.to_string()),
        ("input", "input"),
        ("other descriptors", ""),
        ("ignored SIGPIPE", "0"),
        ("stdin", "ended"),
        ("stdout", "opened again"),
    ] {
        assert_eq!(found(what), expected, "{what}");
    }
}

pub(crate) fn the_same_unit_is_not_started_twice() {
    let mut world = World::new();
    let spec = world.script("a", "sleep 1000");
    world.spawn(spec.clone());
    assert_eq!(world.spawn_error(spec), "it has been started already");
}

pub(crate) fn starts_asked_for_together_are_told_in_order_and_are_children_of_one_thread() {
    let mut world = World::new();
    let mut specs: Vec<_> =
        (0..40).map(|index| world.script(&format!("s{index}"), "exec sleep 1000")).collect();
    specs[7].program = "/no/such/program".into();
    // The log of the second one begins where that of the first has ended: it waits for it.
    let mut again = specs[0].clone();
    again.unit.generation += 1;
    specs.push(again);
    let starts: Vec<_> = specs.iter().cloned().map(Box::new).map(ToKeeper::Spawn).collect();
    world.ask_at_once(&starts);
    let mut pids = BTreeSet::new();
    for (index, spec) in specs.iter().enumerate() {
        let (unit, pid) = world.wait("a start", |message| match message {
            FromKeeper::Spawned { unit, pid, .. } => Some((unit.clone(), Some(*pid))),
            FromKeeper::SpawnFailed { unit, .. } => Some((unit.clone(), None)),
            _ => None,
        });
        assert_eq!((unit, pid.is_some()), (spec.unit.clone(), index != 7));
        pids.extend(pid);
    }
    assert_eq!(pids.len(), 40, "each has a process of its own");
    #[cfg(target_os = "linux")]
    {
        let children = format!("/proc/{0}/task/{0}/children", world.keeper);
        let children = std::fs::read_to_string(children).unwrap();
        let children = children.split_ascii_whitespace().map(|pid| pid.parse().unwrap());
        assert_eq!(children.collect::<BTreeSet<u32>>(), pids, "the kernel can prove their end");
    }
    assert_eq!(world.finish(), (Vec::new(), true));
}
