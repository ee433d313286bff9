//! Starting a unit: from what the supervisor asked for to a process.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    limits::Limited,
    logs::Output,
    protocol::{SpawnSpec, UnitId},
    units::{
        Origin, OutputPipe, Record, Unit,
        notify::{self, Notify},
    },
};
use crate::{
    event::{Place, Tick},
    model::{io_error_text, path_text},
    platform::{
        self, Cgroup, CgroupLimits, Fifo, FileId, FolderLock, HOLDS, KernelTag, Launch, MARK, Pty,
        SpawnError, StackPaths, Stage,
    },
};

/// What a start brings: the unit, and the outputs for the log thread.
pub(super) struct Started {
    pub(super) unit: Unit,
    pub(super) outputs: Vec<Output>,
    /// Its terminal, and the output that comes from there.
    pub(super) terminal: Option<(u64, OwnedFd)>,
}

/// What a start is made ready with.
pub(super) struct Start<'a> {
    pub(super) paths: &'a StackPaths,
    pub(super) environment: &'a Environment,
    /// Different at each start.
    pub(super) stamp: u64,
    /// Where its output will begin.
    pub(super) log: Place,
    pub(super) now: Tick,
}

/// What all processes that this keeper starts have in common.
pub(super) struct SpawnContext {
    /// Held by a start, too, until it executes its program: who takes over from us waits for that.
    pub(super) lock: Arc<FolderLock>,
}

/// What the environments of all starts have in common, as the system wants it, by name.
#[derive(Debug, Default)]
pub(super) struct Environment(Vec<(String, CString)>);

/// The texts of a start, as the system wants them.
struct Texts {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    dir: CString,
}

/// One output: where it is, which it is, its two ends, its log, and its number.
struct Made {
    path: PathBuf,
    id: FileId,
    reader: OwnedFd,
    writer: OwnedFd,
    log: PathBuf,
    key: u64,
    /// A terminal has another use than to be read from.
    terminal: Option<OwnedFd>,
}

/// A start about to be made: everything it needs is there, and nothing runs yet.
pub(super) struct Prepared<'a> {
    spec: &'a SpawnSpec,
    origin: Origin,
    texts: Texts,
    made: Vec<Made>,
    notify: Option<Notify>,
    stdin: OwnedFd,
    input: Option<OwnedFd>,
    group: Option<Cgroup>,
    /// Limits that are not in force, and why.
    pub(super) refusals: Vec<String>,
}

impl Start<'_> {
    /// Gets everything ready, or says in one line for a person what failed.
    pub(super) fn prepare<'a>(&self, spec: &'a SpawnSpec) -> Result<Prepared<'a>, String> {
        let mark = self.mark(&spec.unit);
        let notify = spec.notify.then(|| self.notify(spec)).transpose();
        let notify = notify.map_err(said("cannot make its NOTIFY_SOCKET"))?;
        let texts = Texts::of(spec, self.environment, &mark, notify.as_ref())?;
        let stdin = self.stdin(spec).map_err(said("cannot make its stdin"))?;
        let input = spec.input.as_deref();
        let input = input.map(|text| platform::input_file(text, &self.place("in"))).transpose();
        let input = input.map_err(said("cannot make its descriptor 3"))?;
        let made = self.outputs(spec)?;
        let limited = spec.limits.as_ref().map(|limits| self.limited(&spec.unit, limits));
        let Limited { group, refusals } = limited.unwrap_or_default();
        let origin = Origin {
            unit: spec.unit.clone(),
            started: self.now,
            log: self.log,
            log_policy: spec.log_policy.clone(),
            outputs: made.iter().map(Made::pipe).collect(),
            mark,
            cgroup: group.as_ref().map(|group| group.folder().to_owned()),
            found: false,
        };
        Ok(Prepared { spec, origin, texts, made, notify, stdin, input, group, refusals })
    }

    /// One pipe for both outputs, which keeps their order; two if they are to be apart. A
    /// terminal is always one.
    fn outputs(&self, spec: &SpawnSpec) -> Result<Vec<Made>, String> {
        if spec.tty {
            return Ok(vec![self.terminal(spec).map_err(said("cannot make its terminal"))?]);
        }
        let mut logs = vec![spec.log.clone()];
        if spec.log_policy.split {
            logs.push(spec.log.with_extension("err.log"));
        }
        let make = |(number, log): (u64, PathBuf)| {
            let key = self.stamp + number;
            let name = platform::output_name(key, &spec.unit.to_string());
            let path = self.paths.fifo(&name);
            let (fifo, writer) = Fifo::create(path, spec.user.as_ref())
                .map_err(said("cannot make the pipe of its log"))?;
            let Fifo { path, id, reader } = fifo;
            Ok(Made { path, id, reader, writer, log, key, terminal: None })
        };
        (0..).zip(logs).map(make).collect()
    }

    fn terminal(&self, spec: &SpawnSpec) -> io::Result<Made> {
        let (pty, writer) = Pty::create(spec.user.as_ref())?;
        Ok(Made {
            path: self.place("tty"),
            id: pty.id,
            reader: pty.master.try_clone()?,
            writer,
            log: spec.log.clone(),
            key: self.stamp,
            terminal: Some(pty.master),
        })
    }

    fn limited(&self, unit: &UnitId, limits: &CgroupLimits) -> Limited {
        Limited::make(&self.paths.id.to_string(), unit, limits)
    }

    fn notify(&self, spec: &SpawnSpec) -> io::Result<Notify> {
        let stack = self.paths.id;
        let user = spec.user.as_ref().map_or_else(platform::own_uid, |person| person.uid);
        Notify::create(&format!("stackrun/{stack}/{:x}", self.stamp), user)
    }

    fn stdin(&self, spec: &SpawnSpec) -> io::Result<OwnedFd> {
        if spec.stdin_open {
            platform::endless_stdin(self.place("stdin"))
        } else {
            platform::null()
        }
    }

    /// A path that is free for a moment.
    fn place(&self, kind: &str) -> PathBuf {
        self.paths.fifo(&format!("{:x}.{kind}", self.stamp))
    }

    /// What tells its processes from all others, of other stacks and other starts too.
    fn mark(&self, unit: &UnitId) -> String {
        let stack = self.paths.id;
        format!("{MARK}={stack}:{:x}:{unit}", self.stamp)
    }
}

impl Prepared<'_> {
    /// What is known of it before it runs.
    pub(super) fn record(&self) -> Record {
        self.origin.record(self.notify.as_ref().map(Notify::record))
    }

    /// Starts it, or says in one line for a person what failed.
    pub(super) fn start(self, context: &SpawnContext) -> Result<Started, String> {
        let Prepared { spec, origin, texts, made, stdin, input, group, .. } = &self;
        let entrance = group.as_ref().map(Cgroup::entrance).transpose();
        let entrance = entrance.map_err(said("cannot enter its cgroup"))?;
        let mut fds: Vec<(BorrowedFd<'_>, i32)> = vec![
            (if spec.tty { made[0].writer.as_fd() } else { stdin.as_fd() }, 0),
            (made[0].writer.as_fd(), 1),
            (made.last().map_or(stdin.as_fd(), |made| made.writer.as_fd()), 2),
        ];
        fds.extend(input.iter().map(|input| (input.as_fd(), 3)));
        let launch = Launch {
            program: &texts.program,
            argv: &texts.argv,
            env: &texts.env,
            dir: Some(&texts.dir),
            fds: &fds,
            held: Some(context.lock.as_fd()),
            open_files: spec.open_files,
            terminal: spec.tty,
            cgroup: entrance.as_ref().map(AsFd::as_fd),
            user: spec.user.as_ref(),
            tag: Some(KernelTag::of_mark(origin.mark.as_bytes())),
        };
        match platform::spawn(&launch) {
            Ok(spawned) => Ok(self.started(spawned.process)),
            Err(failed) => {
                for made in made {
                    let _gone_already = std::fs::remove_file(&made.path);
                }
                group.iter().for_each(Cgroup::remove);
                Err(explain(&failed, spec))
            }
        }
    }

    fn started(self, main: platform::Process) -> Started {
        let Prepared { spec, origin, made, notify, group, .. } = self;
        let unit = Unit::started(origin, main, notify, group);
        let (mut outputs, mut terminal) = (Vec::new(), None);
        for Made { key, reader: pipe, log: path, terminal: own, .. } in made {
            terminal = terminal.or(own.map(|own| (key, own)));
            outputs.push(Output { key, pipe, path, policy: spec.log_policy.clone() });
        }
        Started { unit, outputs, terminal }
    }
}

impl Made {
    fn pipe(&self) -> OutputPipe {
        OutputPipe {
            key: self.key,
            path: self.path.clone(),
            id: self.id,
            log: self.log.clone(),
            terminal: self.terminal.as_ref().map(AsRawFd::as_raw_fd),
        }
    }
}

impl Environment {
    /// Takes names and values, or says in one line for a person what is wrong with them.
    pub(super) fn of(variables: Vec<(String, String)>) -> Result<Self, String> {
        let variables = variables.into_iter().filter(|(name, _)| !is_own(name));
        let texts = variables.map(|(name, value)| {
            let text = variable(&name, &value)?;
            Ok((name, text))
        });
        texts.collect::<Result<_, _>>().map(Self)
    }

    /// What a start has of it.
    fn beside(&self, spec: &SpawnSpec) -> impl Iterator<Item = CString> {
        let replaced = |name: &String| spec.env.iter().any(|(own, _)| own == name);
        let kept =
            self.0.iter().filter(move |(name, _)| !replaced(name) && !spec.unset.contains(name));
        kept.map(|(_, text)| text.clone())
    }
}

/// One that the caller has got is the caller's alone.
fn is_own(name: &str) -> bool {
    [MARK, HOLDS, notify::VARIABLE].contains(&name)
}

fn variable(name: &str, value: &str) -> Result<CString, String> {
    let mut bytes = path_text::decode_text(name).into_vec();
    bytes.push(b'=');
    bytes.extend(path_text::decode_text(value).into_vec());
    text(name, bytes)
}

fn text(what: &str, bytes: impl Into<Vec<u8>>) -> Result<CString, String> {
    CString::new(bytes).map_err(|_| format!("{what} holds a zero byte"))
}

impl Texts {
    fn of(
        spec: &SpawnSpec,
        common: &Environment,
        mark: &str,
        notify: Option<&Notify>,
    ) -> Result<Self, String> {
        let mut env: Vec<CString> = common.beside(spec).collect();
        for (name, value) in spec.env.iter().filter(|(name, _)| !is_own(name)) {
            env.push(variable(name, value)?);
        }
        env.push(text(MARK, mark.as_bytes())?);
        if let Some(notify) = notify {
            env.push(text(notify::VARIABLE, notify.assignment().as_bytes())?);
        }
        Ok(Self {
            program: text("the program's path", spec.program.as_os_str().as_bytes())?,
            argv: spec
                .argv
                .iter()
                .map(|word| text("an argument", path_text::decode_text(word).into_vec()))
                .collect::<Result<_, _>>()?,
            env,
            dir: text("the directory's path", spec.dir.as_os_str().as_bytes())?,
        })
    }
}

fn said(what: &str) -> impl Fn(io::Error) -> String {
    move |error| format!("{what}: {}", io_error_text(&error))
}

/// What failed, in one line.
fn explain(failed: &SpawnError, spec: &SpawnSpec) -> String {
    let error = io_error_text(&failed.error);
    let program = spec.program.display();
    match failed.stage {
        Stage::Fork => format!("cannot make a process: {error}"),
        Stage::Session => format!("cannot make a session: {error}"),
        Stage::Descriptors => format!("cannot arrange its descriptors: {error}"),
        Stage::Cgroup => format!("cannot enter its cgroup: {error}"),
        Stage::Limits => format!("cannot set its limit of open files: {error}"),
        Stage::User => {
            let name = spec.user.as_ref().map_or("?", |person| &person.name);
            format!("cannot become user `{name}`: {error} (only root can)")
        }
        Stage::Directory => format!("cannot enter {}: {error}", spec.dir.display()),
        Stage::Execute => {
            let hint = hint(&failed.error, &spec.program);
            format!("cannot execute {program}: {error}{hint}")
        }
    }
}

/// What the system's error leaves in the dark.
fn hint(error: &io::Error, program: &Path) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound if program.exists() => {
            " (the file is there: the interpreter or loader it asks for is not)"
        }
        io::ErrorKind::PermissionDenied if program.is_file() => " (is it executable?)",
        io::ErrorKind::PermissionDenied if program.is_dir() => " (it is a directory)",
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            " (neither a program for this machine nor a script with a `#!` line)"
        }
        _ => "",
    }
}
