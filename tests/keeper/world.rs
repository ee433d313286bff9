//! A stack's folder, a keeper that holds it, and the test in the supervisor's place.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use stackrun::{
    keeper::{
        self, Launched,
        framing::{Decoder, encode},
        protocol::{
            Checkpoint, CheckpointPart, FromKeeper, SpawnSpec, ToKeeper, UnitId, UnitReport,
        },
    },
    model::{Exit, LogPolicy, Signal},
    platform::{StackPaths, Table},
};
use tempfile::TempDir;

/// No answer takes longer, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The file that says how many supervisors have connected to a keeper.
const CONNECTED: &str = "connected";

/// Holds a stack; its supervisor is the one that connects to the socket named.
pub(crate) fn be_keeper(arguments: &[String]) -> ExitCode {
    let (dir, socket) = (PathBuf::from(&arguments[0]), PathBuf::from(&arguments[1]));
    let _first_keeper = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(socket);
    let (count, mut connected) = (dir.join(CONNECTED), 0);
    let held = keeper::run_with(&dir, None, move |_places, _control, offer| {
        let listener = listener.as_ref().map_err(|error| std::io::Error::from(error.kind()))?;
        let (stream, _) = listener.accept()?;
        offer.connect(stream);
        connected += 1;
        std::fs::write(&count, connected.to_string())
    });
    ExitCode::from(u8::from(held.is_err()))
}

/// A keeper and the connection to it.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) places: StackPaths,
    pub(crate) keeper: u32,
    stream: UnixStream,
    decoder: Decoder<FromKeeper>,
    /// What came and was not asked for yet.
    inbox: Vec<FromKeeper>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = StackPaths::of(dir.path()).unwrap();
        launch(&dir);
        let stream = connect(&dir);
        let decoder = Decoder::default();
        let mut world = Self { dir, places, keeper: 0, stream, decoder, inbox: Vec::new() };
        assert_eq!(world.hello(), ([].into(), Checkpoint::new()));
        world
    }

    /// Takes the keeper's first message.
    pub(crate) fn hello(&mut self) -> (Vec<UnitReport>, Checkpoint) {
        let (pid, units, checkpoint) = self.wait("Hello", |message| match message {
            FromKeeper::Hello { pid, units, checkpoint, .. } => {
                Some((*pid, units.clone(), checkpoint.clone()))
            }
            _ => None,
        });
        self.keeper = pid;
        (units, checkpoint)
    }

    /// Kills the keeper, and starts another one.
    pub(crate) fn replace_keeper(&mut self) {
        let keeper = stackrun::platform::ProcId::of(self.keeper).unwrap();
        stackrun::platform::Process::open(keeper).unwrap().signal(Signal::KILL).unwrap();
        until("the keeper's end", || !lives(self.keeper));
        self.start_again();
    }

    /// Starts a keeper where one was.
    pub(crate) fn start_again(&mut self) {
        launch(&self.dir);
        self.reconnect();
    }

    /// Hangs up without a message, as one that was killed.
    pub(crate) fn hang_up(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// How many supervisors this keeper has had.
    pub(crate) fn supervisors(&self) -> usize {
        let text = std::fs::read_to_string(self.dir.path().join(CONNECTED));
        text.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Connects again.
    pub(crate) fn reconnect(&mut self) {
        self.stream = connect(&self.dir);
        self.decoder = Decoder::default();
        self.inbox.clear();
    }

    pub(crate) fn ask(&mut self, message: &ToKeeper) {
        self.stream.write_all(&encode(message)).unwrap();
    }

    /// All of them together.
    pub(crate) fn ask_at_once(&mut self, messages: &[ToKeeper]) {
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        self.stream.write_all(&bytes).unwrap();
    }

    /// Gives it something to keep.
    pub(crate) fn keep(&mut self, part: CheckpointPart, text: &str) {
        self.ask(&ToKeeper::Keep { part, text: text.to_owned() });
    }

    /// What is to be started for a shell script.
    pub(crate) fn script(&self, name: &str, script: &str) -> SpawnSpec {
        spec(&self.places, name, script)
    }

    /// Starts it; its unit and pid.
    pub(crate) fn spawn(&mut self, spec: SpawnSpec) -> (UnitId, u32) {
        let unit = spec.unit.clone();
        self.ask(&ToKeeper::Spawn(Box::new(spec)));
        let pid = self.wait("Spawned", |message| match message {
            FromKeeper::Spawned { unit: of, pid, .. } if *of == unit => Some(*pid),
            FromKeeper::SpawnFailed { unit: of, error } if *of == unit => panic!("{error}"),
            _ => None,
        });
        (unit, pid)
    }

    /// Starts a shell script.
    pub(crate) fn run(&mut self, name: &str, script: &str) -> (UnitId, u32) {
        self.spawn(self.script(name, script))
    }

    /// Why it could not be started.
    pub(crate) fn spawn_error(&mut self, spec: SpawnSpec) -> String {
        let unit = spec.unit.clone();
        self.ask(&ToKeeper::Spawn(Box::new(spec)));
        self.wait("SpawnFailed", |message| match message {
            FromKeeper::SpawnFailed { unit: of, error } if *of == unit => Some(error.clone()),
            _ => None,
        })
    }

    pub(crate) fn signal(&mut self, unit: &UnitId, signal: Signal, tree: bool) {
        self.ask(&ToKeeper::Signal { unit: unit.clone(), signal, tree });
    }

    pub(crate) fn kill(&mut self, unit: &UnitId) {
        self.ask(&ToKeeper::Kill { unit: unit.clone() });
    }

    /// How the main process ended, and how many it left.
    pub(crate) fn exited(&mut self, unit: &UnitId) -> (Exit, usize) {
        self.wait("Exited", |message| match message {
            FromKeeper::Exited { unit: of, exit, left, .. } if of == unit => Some((*exit, *left)),
            _ => None,
        })
    }

    /// How it ended, as a new supervisor is told: in `Hello` or after it.
    pub(crate) fn ended(&mut self, unit: &UnitId) -> Exit {
        let (units, _) = self.hello();
        let report = units.iter().find(|report| report.unit == *unit).unwrap();
        report.exit.unwrap_or_else(|| self.exited(unit).0)
    }

    /// Waits until nothing is left of it; how many were swept.
    pub(crate) fn gone(&mut self, unit: &UnitId) -> usize {
        self.wait("Gone", |message| match message {
            FromKeeper::Gone { unit: of, swept } if of == unit => Some(*swept),
            _ => None,
        })
    }

    /// Ends everything; who is left, and whether the kernel says so.
    pub(crate) fn finish(&mut self) -> (Vec<String>, bool) {
        self.ask(&ToKeeper::Finish);
        self.wait("Empty", |message| match message {
            FromKeeper::Empty { proved, .. } => Some((Vec::new(), *proved)),
            FromKeeper::Left { processes, gave_up: true } => Some((processes.clone(), false)),
            _ => None,
        })
    }

    /// Waits for the first message that `wanted` makes something of; keeps the others.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&FromKeeper) -> Option<T>,
    ) -> T {
        let until = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            while let Some(message) = self.inbox.get(seen) {
                if let Some(found) = wanted(message) {
                    self.inbox.remove(seen);
                    return found;
                }
                seen += 1;
            }
            assert!(Instant::now() < until, "no {what}; got {:?}", self.inbox);
            self.read();
        }
    }

    /// Whether such a message has come, of those that have been read.
    pub(crate) fn has(&self, wanted: impl Fn(&FromKeeper) -> bool) -> bool {
        self.inbox.iter().any(wanted)
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        self.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the keeper hung up; got {:?}", self.inbox),
            Ok(count) => {
                self.inbox
                    .extend(self.decoder.push(&buffer[..count]).into_iter().map(Result::unwrap));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.places.log(name)).unwrap_or_default()
    }

    /// Waits until a script has written a word to its log.
    pub(crate) fn said(&self, name: &str, word: &str) {
        until(&format!("`{word}` in the log of {name}"), || self.log(name).contains(word));
    }

    /// A file in the stack's folder that holds a process id.
    pub(crate) fn pid_in(&self, file: &str) -> u32 {
        let path = self.dir.path().join(file);
        until(&format!("a pid in {file}"), || {
            std::fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))
        });
        std::fs::read_to_string(&path).unwrap().trim().parse().unwrap()
    }
}

impl Drop for World {
    /// Whatever happened, nothing of it is left.
    fn drop(&mut self) {
        let _finished_already = self.stream.write_all(&encode(&ToKeeper::Finish));
        let mut buffer = [0; 4096];
        let _hung_up = self.stream.set_read_timeout(Some(PATIENCE));
        let mut rest = Vec::new();
        while let Ok(count @ 1..) = self.stream.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..count]);
            if rest.windows(7).any(|bytes| bytes == b"\"empty\"") {
                break;
            }
        }
    }
}

fn launch(dir: &TempDir) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("keeper").arg(dir.path()).arg(dir.path().join("supervisor"));
    assert_eq!(keeper::launch_as(command).unwrap(), Launched::Ready);
}

fn connect(dir: &TempDir) -> UnixStream {
    let path = dir.path().join("supervisor");
    let mut connected = None;
    until("the keeper's socket", || {
        connected = UnixStream::connect(&path).ok();
        connected.is_some()
    });
    connected.unwrap()
}

/// Waits for a condition, looking often.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says that a test cannot be run here, and why; in CI it fails.
#[expect(clippy::print_stderr, reason = "a skip is to be seen")]
pub(crate) fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether a process lives: it is there, and no zombie.
pub(crate) fn lives(pid: u32) -> bool {
    stackrun::platform::Entry::read(pid).is_some_and(|entry| !entry.is_dead())
}

/// Every living process that has this text in its command line.
pub(crate) fn living_with(text: &str) -> Vec<u32> {
    let table = Table::read().unwrap();
    let living = table.entries().iter().filter(|entry| !entry.is_dead());
    let has =
        |pid: &u32| stackrun::platform::command_line(*pid).is_some_and(|line| line.contains(text));
    living.map(|entry| entry.id.pid).filter(has).collect()
}

/// What is to be started for a shell script.
pub(crate) fn spec(places: &StackPaths, name: &str, script: &str) -> SpawnSpec {
    SpawnSpec {
        unit: format!("{name}:1").parse().unwrap(),
        program: "/bin/sh".into(),
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
        unset: Vec::new(),
        dir: places.folder.clone(),
        log: places.log(name),
        log_policy: LogPolicy::default(),
        stdin_open: false,
        tty: false,
        open_files: None,
        limits: None,
        user: None,
        notify: false,
        input: None,
    }
}
