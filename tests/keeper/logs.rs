//! Output.

use std::collections::HashMap;

use stackrun::{
    keeper::protocol::FromKeeper,
    logs::{
        Lines, Log,
        files::{compressed, index_path, numbered},
        timestamps::Stamp,
    },
    platform::Subfolder,
};

use crate::world::{World, until};

/// Writes lines `WRITER NUMBER`.
const WRITE: &str =
    r#"awk -v who="$1" -v count="$2" 'BEGIN { for (i = 1; i <= count; i++) print who, i }'"#;

fn a_log(world: &World) -> Log {
    Log::new(&Subfolder::at(&world.places.logs()).unwrap(), "a")
}

/// The numbers of its rotated files.
fn numbers(world: &World) -> Vec<u64> {
    let log = a_log(world);
    stackrun::logs::files::numbers(&log.folder, &log.file)
}

/// Each writer's numbers have to be all there, in order.
fn assert_complete(log: &str, writers: usize, lines: usize) {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for line in log.lines() {
        let (writer, number) = line.split_once(' ').unwrap_or_else(|| panic!("cut: {line}"));
        let last = last.entry(writer).or_default();
        *last += 1;
        assert_eq!(number.parse(), Ok(*last), "of writer {writer}");
    }
    assert_eq!(last.len(), writers);
    assert!(last.values().all(|&last| last == lines), "{last:?}");
}

pub(crate) fn every_line_of_one_writer_is_there() {
    let mut world = World::new();
    let (unit, _) = world.run("a", &format!("set -- w 200000; {WRITE}"));
    world.gone(&unit);
    assert_complete(&world.log("a"), 1, 200_000);
}

pub(crate) fn every_line_of_many_writers_is_there() {
    let mut world = World::new();
    let script = format!(
        "write() {{ {WRITE}; }}
        for who in a b c d e f g h i j k l m n o p q r s t; do write $who 10000 & done; wait"
    );
    // awk writes whole buffers; lines are cut where those end, unless it writes by line.
    let script = script.replace("print who, i", "{ print who, i; fflush() }");
    let (unit, _) = world.run("a", &script);
    world.gone(&unit);
    assert_complete(&world.log("a"), 20, 10_000);
}

pub(crate) fn a_last_line_without_newline_is_kept() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "printf 'first\nlast words'; kill -KILL $$");
    world.exited(&unit);
    assert_eq!(world.log("a"), "first\nlast words");
}

pub(crate) fn the_log_is_complete_when_the_end_is_told() {
    let mut world = World::new();
    for round in 0..50 {
        let name = format!("a{round}");
        let (unit, _) = world.run(&name, "sleep 1000 & echo one; echo two >&2; exit 1");
        world.exited(&unit);
        assert_eq!(world.log(&name), "one\ntwo\n");
        world.kill(&unit);
        world.gone(&unit);
    }
}

pub(crate) fn times_are_beside_the_log() {
    let mut world = World::new();
    // What comes within a hundredth of a second shares a time.
    let script = "echo one; while [ ! -e go ]; do sleep 0.01; done; sleep 0.02; echo two";
    let (unit, _) = world.run("a", script);
    world.said("a", "one");
    let between = stackrun::platform::wall_nanos();
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    world.gone(&unit);
    let log = world.places.log("a");
    let bytes = std::fs::read(index_path(&log)).unwrap();
    let stamps: Vec<Stamp> = Stamp::all(&bytes).collect();
    assert_eq!(stamps.iter().map(|stamp| stamp.offset).collect::<Vec<_>>(), [0, 4]);
    let times: Vec<_> = stamps.iter().map(|stamp| stamp.nanos).collect();
    assert!(times[0] <= between && between <= times[1], "{between} between {times:?}");
}

pub(crate) fn a_log_that_was_removed_begins_anew() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "echo one; while [ ! -e go ]; do sleep 0.01; done; echo two");
    world.said("a", "one");
    std::fs::remove_file(world.places.log("a")).unwrap();
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    world.gone(&unit);
    until("the new log", || world.log("a") == "two\n");
}

pub(crate) fn a_log_is_rotated_at_the_end_of_a_line() {
    let mut world = World::new();
    let mut spec = world.script("a", &format!("set -- w 20000; {WRITE}; printf 'the end'"));
    spec.log_policy.max_size = 20_000;
    spec.log_policy.keep = 100;
    // Which would begin in the midst of this where the machine is slow.
    spec.log_policy.compress = false;
    let (unit, _) = world.spawn(spec);
    world.gone(&unit);
    let log = world.places.log("a");
    let old = numbers(&world);
    assert!(old.len() > 1, "{old:?}");
    let mut all = String::new();
    for path in old.iter().map(|number| numbered(&log, *number)) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{} is cut", path.display());
        assert!((20_000..20_020).contains(&text.len()), "{}", text.len());
        let index = std::fs::read(index_path(&path)).unwrap();
        assert_eq!(Stamp::all(&index).next().unwrap().offset, 0);
        all += &text;
    }
    all += &world.log("a");
    assert_complete(all.strip_suffix("the end").unwrap(), 1, 20_000);
}

pub(crate) fn what_was_rotated_is_compressed_in_the_end() {
    let mut world = World::new();
    let mut spec = world.script("a", &format!("set -- w 20000; {WRITE}"));
    spec.log_policy.max_size = 20_000;
    spec.log_policy.keep = 3;
    let (unit, _) = world.spawn(spec);
    world.gone(&unit);
    let log = a_log(&world);
    let text = || -> Vec<Vec<u8>> { Lines::all(&log).map(|line| line.text.to_vec()).collect() };
    let before = text();
    assert!(before.len() > 5_000 && before.last().unwrap() == b"w 20000");
    let old = numbers(&world);
    assert_eq!(old.len(), 3);
    for file in old.iter().map(|number| numbered(&log.path(), *number)) {
        until("compression", || compressed(&file).exists() && !file.exists());
    }
    assert!(text() == before);
}

pub(crate) fn a_log_that_cannot_be_written_stops_no_service() {
    let mut world = World::new();
    // A link there is not followed, and a pipe is not waited for.
    std::os::unix::fs::symlink("/dev/null", world.places.log("a")).unwrap();
    let (unit, _) = world.run("a", &format!("set -- w 200000; {WRITE}; exit 7"));
    assert_eq!(world.exited(&unit), (stackrun::model::Exit::Code(7), 0));
    world.gone(&unit);
    let text = world.wait("Trouble", |message| match message {
        FromKeeper::Trouble { text } => Some(text.clone()),
        _ => None,
    });
    assert!(text.contains("is a link") && text.contains("dropping output"), "{text}");
    assert!(!world.has(|message| matches!(message, FromKeeper::Trouble { .. })), "said twice");
}

pub(crate) fn stderr_may_be_apart() {
    let mut world = World::new();
    let mut spec = world.script("a", "echo out; echo err >&2");
    spec.log_policy.split = true;
    let (unit, _) = world.spawn(spec);
    world.gone(&unit);
    assert_eq!(world.log("a"), "out\n");
    let apart = world.places.logs().join("a.err.log");
    assert_eq!(std::fs::read_to_string(apart).unwrap(), "err\n");
}

pub(crate) fn a_flood_starves_nobody() {
    let mut world = World::new();
    let (flood, _) = world.run("flood", "exec yes");
    for number in 0..20 {
        let name = format!("a{number}");
        let (unit, _) = world.run(&name, "echo hello");
        world.exited(&unit);
        assert_eq!(world.log(&name), "hello\n");
    }
    world.kill(&flood);
    world.gone(&flood);
}
