//! The supervisor comes and goes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::{
        fd::FromRawFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, ExitCode},
};

use stackrun::{
    keeper::{
        self, Launched,
        handle::{CONNECTION, CONTROL, Decoder, encode},
        protocol::{FromKeeper, ToKeeper},
    },
    model::{Exit, Signal},
    platform::{Entry, Places, ProcId, Process},
};

use crate::world::{World, lives, until};

pub(crate) fn ends_are_kept_while_it_is_away() {
    let mut world = World::new();
    let (lasting, lasting_pid) = world.run("lasting", "sleep 1000");
    let (ended, ended_pid) = world.run("ended", "while [ ! -e go ]; do sleep 0.01; done; exit 9");
    let (left, _) =
        world.run("left", "while [ ! -e go ]; do sleep 0.01; done; sleep 1000 & exit 8");
    world.ask(&ToKeeper::Note { note: "remember".to_owned() });
    world.run("marker", "sleep 1000");
    world.hang_up();
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    until("the end of one", || !lives(ended_pid));
    world.reconnect();
    let (units, note) = world.hello();
    assert_eq!(note, "remember");
    let report = |name: &str| units.iter().find(|unit| unit.unit.name == name).unwrap();
    assert_eq!((report("lasting").pid, report("lasting").exit), (lasting_pid, None));
    // Told in Hello, or just after it.
    for (unit, exit) in [(&ended, Exit::Code(9)), (&left, Exit::Code(8))] {
        match report(&unit.name).exit {
            Some(told) => assert_eq!(told, exit),
            None => assert_eq!(world.exited(unit).0, exit),
        }
    }
    if !report("ended").gone {
        world.gone(&ended);
    }
    world.ask(&ToKeeper::Forget { unit: ended.clone() });
    world.ask(&ToKeeper::Forget { unit: lasting.clone() });
    world.kill(&left);
    world.gone(&left);
    world.hang_up();
    world.reconnect();
    let names: Vec<String> = world.hello().0.into_iter().map(|unit| unit.unit.name).collect();
    assert_eq!(names, ["lasting", "left", "marker"], "one that lives cannot be forgotten");
}

pub(crate) fn a_second_keeper_is_told_that_the_stack_is_held() {
    let world = World::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("keeper").arg(world.dir.path()).arg(world.dir.path().join("other"));
    assert_eq!(keeper::launch_as(command).unwrap(), Launched::Held);
}

pub(crate) fn a_signal_to_the_keeper_asks_for_an_orderly_end() {
    let mut world = World::new();
    let keeper = ProcId::of(world.keeper).unwrap();
    let keeper = Process::open(keeper).unwrap();
    keeper.signal(Signal::TERM).unwrap();
    world.wait("Shutdown", |message| (*message == FromKeeper::Shutdown).then_some(()));
}

pub(crate) fn nothing_is_left_behind() {
    let mut world = World::new();
    assert!(world.places.socket().exists());
    world.run("a", "trap '' TERM HUP INT; sleep 1000");
    assert_eq!(world.finish(), (vec![], true));
    let (keeper, runtime) = (world.keeper, world.places.runtime.clone());
    assert!(lives(keeper), "it waits for the supervisor to hang up");
    world.hang_up();
    until("the keeper's end", || !lives(keeper));
    assert!(!runtime.exists());
    assert_eq!(std::fs::read_to_string(world.places.state.join(".gitignore")).unwrap(), "*\n");
}

pub(crate) fn another_keeper_takes_over() {
    let mut world = World::new();
    let count = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo w $i; done; sleep 1000";
    world.ask(&ToKeeper::Note { note: "remember".to_owned() });
    let (writer, pid) = world.run("writer", count);
    let (left, left_pid) =
        world.run("left", "setsid sleep 1000 & while [ ! -e go ]; do sleep 0.01; done");
    let (seen, _) = world.run("seen", "while [ ! -e go2 ]; do sleep 0.01; done; exit 6");
    world.said("writer", "w 1000");
    for _ in 0..3 {
        world.replace_keeper();
        let (units, note) = world.hello();
        assert_eq!(note, "remember");
        let report = units.iter().find(|report| report.unit == writer).unwrap();
        assert_eq!((report.pid, report.exit), (pid, None));
    }
    assert!(lives(pid));
    // One ends while there is no keeper, one while it is watched by somebody not its parent.
    let keeper = world.keeper;
    std::fs::write(world.dir.path().join("go2"), "").unwrap();
    let exit = world.exited(&seen).0;
    assert!([Exit::Code(6), Exit::UNKNOWN].contains(&exit), "{exit}");
    world.gone(&seen);
    let process = ProcId::of(keeper).unwrap();
    Process::open(process).unwrap().signal(Signal::KILL).unwrap();
    until("the keeper's end", || !lives(keeper));
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    until("the end of one", || !lives(left_pid));
    world.start_again();
    assert_eq!(world.ended(&left), Exit::UNKNOWN);
    world.kill(&left);
    assert_eq!(world.gone(&left), 1);
    world.said("writer", "w 200000\n");
    world.kill(&writer);
    // Known where the kernel tells others than the parent, and the parent has taken note.
    let exit = world.exited(&writer).0;
    assert!([Exit::Signal(Signal::KILL), Exit::UNKNOWN].contains(&exit), "{exit}");
    world.gone(&writer);
    assert_eq!(world.finish(), (vec![], false), "not proved: they were not its children");
    let log = world.log("writer");
    let expected: String = (1..=200_000).map(|number| format!("w {number}\n")).collect();
    assert!(log == expected, "{} lines", log.lines().count());
}

/// A record that names a process which is another one by now.
pub(crate) fn a_forged_record_harms_nobody() {
    let mut world = World::new();
    let (unit, pid) = world.run("a", "sleep 1000");
    let mut victim = younger_than(pid);
    let keeper = ProcId::of(world.keeper).unwrap();
    let journal = world.places.units();
    let read = || std::fs::read_to_string(&journal).unwrap();
    let recorded = format!("\"pid\":{pid},");
    until("the record", || read().contains(&recorded));
    Process::open(keeper).unwrap().signal(Signal::KILL).unwrap();
    until("the keeper's end", || !lives(world.keeper));
    let forged = read().replace(&recorded, &format!("\"pid\":{},", victim.id()));
    std::fs::write(&journal, forged + "{\"unit\":{\"un").unwrap();
    world.start_again();
    assert_eq!(world.ended(&unit), Exit::UNKNOWN);
    // What has its pipe is found nevertheless.
    world.signal(&unit, Signal::KILL, true);
    world.kill(&unit);
    world.gone(&unit);
    assert!(!lives(pid));
    assert!(lives(victim.id()), "a stranger was killed");
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// A process that started later, as far as the system's clock of starts tells.
fn younger_than(pid: u32) -> Child {
    let start = |pid| ProcId::of(pid).unwrap().start;
    loop {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        if start(child.id()) > start(pid) {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Holds a stack as the real program does: with itself as the supervisor.
pub(crate) fn be_keeper_alone(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let held = keeper::run(Path::new(&arguments.next().expect("a folder")));
    ExitCode::from(u8::from(held.is_err()))
}

/// A supervisor that answers its first client with its process id, and takes one word from it:
/// whether the stack is finished.
pub(crate) fn be_supervisor(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    assert_eq!(arguments[0], "--dir");
    // SAFETY: the keeper has put them there for us.
    let (mut keeper, control) =
        unsafe { (UnixStream::from_raw_fd(CONNECTION), UnixListener::from_raw_fd(CONTROL)) };
    control.set_nonblocking(false).unwrap();
    let mut first = [0; 4096];
    let count = keeper.read(&mut first).unwrap();
    let hello = Decoder::<FromKeeper>::default().push(&first[..count]);
    assert!(matches!(hello[..], [Ok(FromKeeper::Hello { .. })]));
    let (mut client, _) = control.accept().unwrap();
    writeln!(client, "{}", std::process::id()).unwrap();
    let mut word = [0; 6];
    client.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"finish");
    keeper.write_all(&encode(&ToKeeper::Finish)).unwrap();
    let count = keeper.read(&mut first).unwrap();
    let empty = Decoder::<FromKeeper>::default().push(&first[..count]);
    let proved =
        matches!(&empty[..], [Ok(FromKeeper::Empty { left, proved: true })] if left.is_empty());
    writeln!(client, "{proved}").unwrap();
    ExitCode::SUCCESS
}

pub(crate) fn it_is_started_again_with_its_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let places = Places::of(dir.path()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("keeper-alone").arg(dir.path());
    assert_eq!(keeper::launch_as(command).unwrap(), Launched::Ready);
    let ask = || {
        let mut client = BufReader::new(UnixStream::connect(places.socket()).unwrap());
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        (client, line.trim().parse::<u32>().unwrap())
    };
    let (_, first) = ask();
    let process = Process::open(ProcId::of(first).unwrap()).unwrap();
    process.signal(Signal::KILL).unwrap();
    // This client waits until the next supervisor is there.
    let (mut client, second) = ask();
    assert_ne!(first, second);
    let keeper = Entry::read(second).unwrap().parent;
    client.get_mut().write_all(b"finish").unwrap();
    let mut proved = String::new();
    client.read_line(&mut proved).unwrap();
    assert_eq!(proved, "true\n", "though the supervisor itself is a child of the keeper");
    until("the keeper's end", || !lives(keeper));
    assert!(!places.runtime.exists());
}
