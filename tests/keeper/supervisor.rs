//! The supervisor comes and goes.

use std::{
    io::{BufRead, BufReader, Write},
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
        framing::{CONNECTION, CONTROL, Decoder, encode},
        protocol::{Checkpoint, CheckpointPart, FromKeeper, ToKeeper, UnitReport},
    },
    model::{Exit, Signal},
    platform::{Entry, ProcId, Process, Reached, StackPaths, reach},
};

use tempfile::TempDir;

use crate::world::{PATIENCE, World, lives, skip, spec, until};

pub(crate) fn ends_are_kept_while_it_is_away() {
    let mut world = World::new();
    let (lasting, lasting_pid) = world.run("lasting", "sleep 1000");
    let (ended, ended_pid) = world.run("ended", "while [ ! -e go ]; do sleep 0.01; done; exit 9");
    let (left, _) =
        world.run("left", "while [ ! -e go ]; do sleep 0.01; done; sleep 1000 & exit 8");
    world.keep(CheckpointPart::Note, "remember");
    world.keep(CheckpointPart::Secrets, "hunter2");
    world.run("marker", "sleep 1000");
    world.hang_up();
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    until("the end of one", || !lives(ended_pid));
    world.reconnect();
    let (units, checkpoint) = world.hello();
    assert_eq!(checkpoint[&CheckpointPart::Note], "remember");
    assert_eq!(checkpoint[&CheckpointPart::Secrets], "hunter2");
    let report = |name: &str| units.iter().find(|unit| unit.unit.owner == name).unwrap();
    assert_eq!((report("lasting").pid, report("lasting").exit), (lasting_pid, None));
    // Told in Hello, or just after it.
    for (unit, exit) in [(&ended, Exit::Code(9)), (&left, Exit::Code(8))] {
        match report(&unit.owner).exit {
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
    let names: Vec<String> = world.hello().0.into_iter().map(|unit| unit.unit.owner).collect();
    assert_eq!(names, ["lasting", "left", "marker"], "one that lives cannot be forgotten");
}

/// Its clients may have been told of it already.
pub(crate) fn all_that_a_supervisor_said_before_its_end_is_heard() {
    let mut world = World::new();
    let Some(held) = HeldThread::main_of(world.keeper) else { return };
    // More than the keeper reads at once, and less than fits into the socket.
    let note = "x".repeat(150_000);
    world.keep(CheckpointPart::Note, &note);
    world.hang_up();
    world.reconnect();
    // By now the next supervisor is there, and not a byte of this one has been read.
    until("the next supervisor", || world.supervisors() == 2);
    drop(held);
    let (_, checkpoint) = world.hello();
    assert!(checkpoint.get(&CheckpointPart::Note) == Some(&note), "not all of it was received");
}

/// The first thread of a process, stopped while all others run (ptrace(2)).
struct HeldThread(libc::pid_t);

impl HeldThread {
    /// `None` where this may not be done.
    fn main_of(process: u32) -> Option<Self> {
        let pid = libc::pid_t::try_from(process).unwrap();
        // SAFETY: system calls on a number.
        let is_held = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0) == 0
        };
        if !is_held {
            let test = "supervisor::all_that_a_supervisor_said_before_its_end_is_heard";
            skip(test, "no process may be traced here");
            return None;
        }
        // Not by waiting, which the thread that launched the keeper does, too.
        until("its stop", || Entry::read(process).is_some_and(|it| it.state == 't'));
        Some(Self(pid))
    }
}

impl Drop for HeldThread {
    fn drop(&mut self) {
        // SAFETY: a system call on a number.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) };
    }
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
    let places = StackPaths::of(world.dir.path()).unwrap();
    assert!(places.runtime.exists());
    world.run("a", "trap '' TERM HUP INT; sleep 1000");
    assert_eq!(world.finish(), (vec![], true));
    let (keeper, runtime) = (world.keeper, places.runtime);
    assert!(lives(keeper), "it waits for the supervisor to hang up");
    world.hang_up();
    until("the keeper's end", || !lives(keeper));
    assert!(!runtime.exists());
    assert_eq!(std::fs::read_to_string(world.places.state.join(".gitignore")).unwrap(), "*\n");
}

pub(crate) fn what_comes_after_the_end_is_refused() {
    let mut world = World::new();
    world.run("a", "sleep 1000");
    assert_eq!(world.finish(), (vec![], true));
    let spec = world.script("b", "echo > started; sleep 1000");
    assert_eq!(world.spawn_error(spec), "the stack is being ended");
    let keeper = world.keeper;
    world.hang_up();
    until("the keeper's end", || !lives(keeper));
    assert!(!world.places.folder.join("started").exists());
}

pub(crate) fn another_keeper_takes_over() {
    let mut world = World::new();
    let count = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo w $i; done; sleep 1000";
    world.keep(CheckpointPart::Note, "remember");
    world.keep(CheckpointPart::Secrets, "hunter2");
    let (writer, pid) = world.run("writer", count);
    let (left, left_pid) =
        world.run("left", "setsid sleep 1000 & while [ ! -e go ]; do sleep 0.01; done");
    let (seen, _) = world.run("seen", "while [ ! -e go2 ]; do sleep 0.01; done; exit 6");
    world.said("writer", "w 1000");
    for _ in 0..3 {
        world.replace_keeper();
        let (units, checkpoint) = world.hello();
        assert_eq!(checkpoint[&CheckpointPart::Note], "remember");
        assert_eq!(
            checkpoint.get(&CheckpointPart::Secrets),
            None,
            "they end with the keeper's process"
        );
        let report = units.iter().find(|report| report.unit == writer).unwrap();
        assert_eq!((report.pid, report.exit), (pid, None));
    }
    assert!(lives(pid));
    // One exits while there is no keeper, one while it is watched by a process not its parent.
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

pub(crate) fn another_keeper_finds_what_no_record_names() {
    let mut world = World::new();
    let count = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo w $i; done; sleep 1000";
    let (writer, pid) = world.run("writer", count);
    let mut hook =
        world.script("writer:after-ready", "echo hooked; setsid sleep 1000 & sleep 1000");
    hook.log = world.places.log("writer.after-ready");
    let (hook, hook_pid) = world.spawn(hook);
    world.said("writer", "w 1000");
    world.said("writer.after-ready", "hooked");
    let keeper = world.keeper;
    Process::open(ProcId::of(keeper).unwrap()).unwrap().signal(Signal::KILL).unwrap();
    until("the keeper's end", || !lives(keeper));
    // Of its pipes the names are gone, too.
    std::fs::remove_dir_all(&world.places.runtime).unwrap();
    world.start_again();
    let (units, _) = world.hello();
    let found: Vec<_> = units.iter().map(|unit| (&unit.unit, unit.pid, unit.found)).collect();
    assert_eq!(found, [(&writer, pid, true), (&hook, hook_pid, true)]);
    // What was written meanwhile has waited.
    world.said("writer", "w 200000\n");
    let log = world.log("writer");
    let expected: String = (1..=200_000).map(|number| format!("w {number}\n")).collect();
    assert!(log == expected, "{} lines", log.lines().count());
    // The next one knows it from this one.
    world.replace_keeper();
    let (units, _) = world.hello();
    assert!(units.iter().all(|unit| unit.found), "{units:?}");
    world.kill(&hook);
    world.gone(&hook);
    assert!(lives(pid));
    assert_eq!(world.finish(), (vec![], false));
    assert!(!lives(pid) && !lives(hook_pid));
}

/// A process with the stack's mark belongs to the stack, whichever process is its parent.
pub(crate) fn what_carries_the_mark_is_ended_though_its_unit_is_gone() {
    let mut world = World::new();
    let (unit, _) = world.run("a", "echo $STACKRUN_ID > mark; sleep 1000");
    until("its mark", || {
        std::fs::read_to_string(world.dir.path().join("mark")).is_ok_and(|it| it.ends_with('\n'))
    });
    let mark = std::fs::read_to_string(world.dir.path().join("mark")).unwrap();
    world.replace_keeper();
    world.hello();
    world.kill(&unit);
    world.gone(&unit);
    let mut marked = Command::new("sleep");
    let mut marked = marked.arg("1000").env("STACKRUN_ID", mark.trim()).spawn().unwrap();
    assert_eq!(world.finish(), (vec![], false));
    let end = marked.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&end), Some(9));
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
pub(crate) fn be_keeper_alone(arguments: &[String]) -> ExitCode {
    let held = match arguments {
        [_, dir] => keeper::run(Path::new(dir), None, false, &[]),
        [_, _, dir, _, resume] => {
            keeper::run(Path::new(dir), Some(resume.parse().unwrap()), false, &[])
        }
        _ => panic!("{arguments:?}"),
    };
    ExitCode::from(u8::from(held.is_err()))
}

/// A supervisor that tells its first client its process id and what the keeper said first; hands
/// on what the client says, and the keeper's next word back.
pub(crate) fn be_supervisor() -> ExitCode {
    // SAFETY: the keeper has put them there for us.
    let (mut keeper, control) =
        unsafe { (UnixStream::from_raw_fd(CONNECTION), UnixListener::from_raw_fd(CONTROL)) };
    control.set_nonblocking(false).unwrap();
    let mut told = BufReader::new(keeper.try_clone().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let (mut client, _) = control.accept().unwrap();
    write!(client, "{}\n{line}", std::process::id()).unwrap();
    for asked in BufReader::new(client.try_clone().unwrap()).lines() {
        let asked = asked.unwrap();
        writeln!(keeper, "{asked}").unwrap();
        // Nothing is said to that.
        if asked.contains("secrets") {
            continue;
        }
        line.clear();
        if told.read_line(&mut line).unwrap() == 0 {
            break;
        }
        client.write_all(line.as_bytes()).unwrap();
    }
    ExitCode::SUCCESS
}

/// A client of that supervisor.
struct Client {
    stream: BufReader<UnixStream>,
    supervisor: u32,
    units: Vec<UnitReport>,
    checkpoint: Checkpoint,
}

impl Client {
    fn connect(places: &StackPaths) -> Self {
        let Reached::Keeper(stream, _) = reach(&places.control()) else { panic!("no keeper") };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = BufReader::new(stream);
        let mut client =
            Self { stream, supervisor: 0, units: Vec::new(), checkpoint: Checkpoint::new() };
        client.supervisor = client.read().trim().parse().unwrap();
        let FromKeeper::Hello { units, checkpoint, .. } = client.message() else {
            panic!("no Hello")
        };
        (client.units, client.checkpoint) = (units, checkpoint);
        client
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    fn message(&mut self) -> FromKeeper {
        let line = self.read();
        Decoder::default().push(line.as_bytes()).remove(0).unwrap()
    }

    fn ask(&mut self, message: &ToKeeper) {
        self.stream.get_mut().write_all(&encode(message)).unwrap();
    }
}

fn keeper_alone(dir: &TempDir) -> StackPaths {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("keeper-alone").arg(dir.path());
    assert_eq!(keeper::launch_as(command).unwrap(), Launched::Ready);
    StackPaths::of(dir.path()).unwrap()
}

pub(crate) fn it_is_started_again_with_its_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let places = keeper_alone(&dir);
    // It ends with its client: that one stays until it has been killed.
    let client = Client::connect(&places);
    let first = client.supervisor;
    let process = Process::open(ProcId::of(first).unwrap()).unwrap();
    process.signal(Signal::KILL).unwrap();
    drop(client);
    // This client waits until the next supervisor is there.
    let mut client = Client::connect(&places);
    assert_ne!(first, client.supervisor);
    let keeper = Entry::read(client.supervisor).unwrap().parent;
    client.ask(&ToKeeper::Finish);
    // Though the supervisor itself is a child of the keeper.
    assert_eq!(client.message(), FromKeeper::Empty { proved: true, unproved: vec![] });
    drop(client);
    until("the keeper's end", || !lives(keeper));
    assert!(!places.runtime.exists());
}

pub(crate) fn another_program_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let places = keeper_alone(&dir);
    let mut client = Client::connect(&places);
    let keeper = Entry::read(client.supervisor).unwrap().parent;
    let mut start = |name: &str, script: &str| {
        client.ask(&ToKeeper::Spawn(Box::new(spec(&places, name, script))));
        let FromKeeper::Spawned { pid, .. } = client.message() else { panic!("not started") };
        pid
    };
    let lasting = start("lasting", "ulimit -n > limit; exec sleep 1000");
    let ending = start("ending", "while [ ! -e go ]; do sleep 0.01; done; echo end; exit 5");
    client.ask(&ToKeeper::Upgrade { program: "/no/such/program".into() });
    assert!(matches!(client.message(), FromKeeper::UpgradeFailed { .. }));
    client.ask(&ToKeeper::Keep { part: CheckpointPart::Secrets, text: "hunter2".to_owned() });
    client.ask(&ToKeeper::Upgrade { program: std::env::current_exe().unwrap() });
    let old = client.supervisor;
    until("the old supervisor's end", || !lives(old));
    let mut client = Client::connect(&places);
    assert_eq!(Entry::read(client.supervisor).unwrap().parent, keeper, "the same process");
    let pids: Vec<u32> = client.units.iter().map(|unit| unit.pid).collect();
    assert_eq!(pids, [ending, lasting]);
    assert_eq!(client.checkpoint[&CheckpointPart::Secrets], "hunter2");
    std::fs::write(dir.path().join("go"), "").unwrap();
    // One asked for, one answered: ask for what changes nothing.
    client.ask(&ToKeeper::Keep { part: CheckpointPart::Note, text: String::new() });
    let FromKeeper::Exited { exit, .. } = client.message() else { panic!("no Exited") };
    assert_eq!(exit, Exit::Code(5), "known exactly: it still was its child");
    assert_eq!(std::fs::read_to_string(places.log("ending")).unwrap(), "end\n");
    client.ask(&ToKeeper::Finish);
    while !matches!(client.message(), FromKeeper::Gone { unit, .. } if unit.owner == "ending") {}
    assert!(lives(keeper));
    drop(client);
    until("the end of all", || !lives(lasting) && !lives(keeper));
}
