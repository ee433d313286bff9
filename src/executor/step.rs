//! `stackrun step`: carries out the steps of a task or the commands of a hook, one after the
//! other, as a process of its own that outlives the supervisor.
//!
//! It reads what to do from descriptor 3, writes to its own stdout and stderr, and exits with the
//! status of the step that failed. What it does it also writes to the run's journal.
//! duct starts the programs. SIGTERM goes to the whole tree: the step that runs may end in its
//! own way, and no other one begins.

#![expect(clippy::print_stderr, reason = "its stderr is the task's log")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    journal::{Entry, Writer},
    launch::{self, Launcher, Resolved},
    output_file::Target,
};
use crate::{
    model::{self, Exit, ExitPattern, StepCommand, path_text},
    platform::{self, ProgramError, Refused, SignalPipe, UserPath},
    printable,
    secrets::Masker,
};

/// Statuses of a step that could not be run at all, as `env` and `timeout` have them.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
/// A file that could not be read or written, as a shell has it.
const NO_FILE: u8 = 1;

/// Everything to do.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) steps: Vec<Step>,
    /// Ends of a step that are no failure, besides status 0.
    pub(super) succeeds_with: Vec<ExitPattern>,
    /// The stack's folder.
    #[serde(with = "crate::model::path_text", default)]
    pub(super) stack: PathBuf,
    /// Where in it to write down what happens; a hook of a service has no journal.
    #[serde(with = "crate::model::path_text::optional", default)]
    pub(super) journal: Option<PathBuf>,
    pub(super) generation: u64,
    pub(super) on_failure: bool,
    /// What is masked in what it says and writes down itself.
    pub(super) secrets: Vec<String>,
}

/// One step, with everything filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    name: String,
    /// Programs and their arguments, each one's output the next one's input.
    pipe: Vec<Member>,
    #[serde(with = "crate::model::path_text")]
    dir: PathBuf,
    env: BTreeMap<String, String>,
    #[serde(with = "crate::model::path_text::optional", default)]
    stdin: Option<PathBuf>,
    #[serde(with = "crate::model::path_text::optional", default)]
    stdout: Option<PathBuf>,
}

/// One program of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    /// Where it is; none if it was not there before the first step (which may make it).
    #[serde(with = "crate::model::path_text::optional", default)]
    program: Option<PathBuf>,
    argv: Vec<String>,
}

/// How a step failed.
struct Failure {
    exit: Exit,
    /// In a few words.
    text: String,
}

impl Step {
    /// A step of one command.
    pub(super) fn plain(
        name: &str,
        command: Resolved,
        env: &BTreeMap<String, String>,
        dir: &Path,
    ) -> Self {
        Self {
            name: name.into(),
            pipe: vec![Member { program: Some(command.program), argv: command.argv }],
            dir: dir.to_owned(),
            env: env.clone(),
            stdin: None,
            stdout: None,
        }
    }

    /// A declared step with its values filled in and its programs found.
    pub(super) fn resolve(
        launcher: &Launcher<'_>,
        step: &model::Step,
        task_env: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let env = launcher.laid_over(task_env.clone(), &step.env);
        let commands = match &step.command {
            StepCommand::Command(command) => std::slice::from_ref(command),
            StepCommand::Pipe(commands) => commands.as_slice(),
        };
        let member = |command| {
            let argv = launcher.argv(command, &[]);
            Member { program: launch::find_program(&argv[0], &env, &step.dir).ok(), argv }
        };
        Ok(Self {
            name: step.name.clone(),
            pipe: commands.iter().map(member).collect(),
            dir: step.dir.clone(),
            stdin: step.stdin.as_ref().map(|text| launcher.render(text).into()),
            stdout: step.stdout.as_ref().map(|text| launcher.render(text).into()),
            env,
        })
    }

    /// Runs the step.
    fn run(&self, stack: &Path, good: &[ExitPattern], journal: &mut Writer) -> Result<(), Failure> {
        let input = self.stdin.as_deref().map(|path| {
            let open = UserPath::find(path, stack).and_then(|place| place.open_read());
            open.map_err(|error| Failure::file(path, &error))
        });
        let mut input = input.transpose()?;
        let target = self.stdout.as_deref().map(|path| {
            let open = Target::open(path, stack, |path| journal.write(Entry::Aside { path }));
            open.map_err(|error| Failure::file(path, &error))
        });
        let target = target.transpose()?;
        let mut output = match &target {
            Some(target) => Some(target.writer().map_err(|error| target.failure(&error))?),
            None => None,
        };
        let mut members = Vec::new();
        let mut trouble = None;
        for (place, member) in self.pipe.iter().enumerate() {
            let last = place + 1 == self.pipe.len();
            let started = if last {
                self.start(member, input.take(), output.take()).map(|handle| (handle, None))
            } else {
                io::pipe().map_err(|error| Failure::own(CANNOT_RUN, error.to_string())).and_then(
                    |(reader, writer)| {
                        let writer = File::from(OwnedFd::from(writer));
                        let handle = self.start(member, input.take(), Some(writer))?;
                        Ok((handle, Some(File::from(OwnedFd::from(reader)))))
                    },
                )
            };
            match started {
                Ok((handle, reader)) => {
                    members.push((member, handle));
                    input = reader;
                }
                Err(failure) => {
                    // Those before it find nobody to write to.
                    input = None;
                    trouble = Some(failure);
                    break;
                }
            }
        }
        drop(input);
        let mut ends = Vec::new();
        for (member, handle) in members {
            let exit = match handle.wait() {
                Ok(output) => platform::exit_of(output.status),
                Err(error) => return Err(Failure::own(CANNOT_RUN, error.to_string())),
            };
            ends.push((member, exit));
        }
        if let Some(failure) = trouble.or_else(|| failure_of(&ends, good)) {
            return Err(failure);
        }
        match target {
            Some(target) => target.keep().map_err(|(path, error)| Failure::file(&path, &error)),
            None => Ok(()),
        }
    }

    fn start(
        &self,
        member: &Member,
        input: Option<File>,
        output: Option<File>,
    ) -> Result<duct::Handle, Failure> {
        let program = match &member.program {
            Some(program) => program.clone(),
            None => launch::find_program(&member.argv[0], &self.env, &self.dir)
                .map_err(|error| Failure::own(status_of(&error), error.to_string()))?,
        };
        // `argv[0]` is not kept: duct names the program by its path.
        let arguments = member.argv[1..].iter().map(|argument| path_text::decode_text(argument));
        let env = super::io_errors::variables(&self.env);
        let mut command = duct::cmd(&program, arguments).dir(&self.dir).full_env(env).unchecked();
        command = match input {
            Some(file) => command.stdin_file(file),
            None => command.stdin_null(),
        };
        if let Some(file) = output {
            command = command.stdout_file(file);
        }
        command.start().map_err(|error| {
            let error = super::io_errors::os_error(&error);
            Failure::own(CANNOT_RUN, format!("{}: {error}", program.display()))
        })
    }
}

/// The exit status of a shell for a program that it cannot run.
fn status_of(error: &ProgramError) -> u8 {
    match error {
        ProgramError::NotInPath { .. } | ProgramError::NotThere(_) => NOT_FOUND,
        ProgramError::NotExecutable(_) => CANNOT_RUN,
    }
}

/// The failure of a pipe: every member that failed, but for those that only lost their reader;
/// the last one's status counts.
fn failure_of(ends: &[(&Member, Exit)], good: &[ExitPattern]) -> Option<Failure> {
    let failed: Vec<_> = ends.iter().filter(|(_, exit)| !exit.is_success(good)).collect();
    let (_, exit) = *failed.last()?;
    let lost_reader = |exit: &Exit| *exit == Exit::Signal(model::Signal::PIPE);
    let told = failed.iter().filter(|(_, end)| failed.len() == 1 || !lost_reader(end));
    let told: Vec<String> = match ends.len() {
        1 => vec![exit.to_string()],
        _ => told.map(|(member, exit)| format!("`{}` {exit}", name_of(&member.argv[0]))).collect(),
    };
    let text = if told.is_empty() { exit.to_string() } else { told.join(", ") };
    Some(Failure { exit: *exit, text })
}

fn name_of(program: &str) -> &str {
    Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program)
}

impl Failure {
    fn own(status: u8, text: String) -> Self {
        Self { exit: Exit::Code(i32::from(status)), text }
    }

    fn file(path: &Path, error: &io::Error) -> Self {
        let text = match Refused::of(error) {
            Some(refused) => refused.to_string(),
            None => format!("{}: {}", path.display(), super::io_errors::os_error(error)),
        };
        Self::own(NO_FILE, text)
    }
}

impl Target {
    fn failure(&self, error: &io::Error) -> Failure {
        Failure::file(&self.path(), error)
    }
}

impl Work {
    /// What the helper reads from its descriptor 3.
    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Runs the steps; an `Err` is the exit status to end with.
    fn run(&self, signals: &SignalPipe, journal: &mut Writer) -> Result<(), u8> {
        let masker = Masker::of_values(self.secrets.iter().map(String::as_str));
        let told = self.steps.len() > 1 || self.on_failure;
        for step in &self.steps {
            if let Some(signal) = signals.take().first() {
                return Err(128 + u8::try_from(*signal).unwrap_or(0));
            }
            let name = masker.text(&step.name).into_owned();
            if told {
                let of = if self.on_failure { " (on-failure)" } else { "" };
                say(&format!("── {name}{of}"));
            }
            journal.write(Entry::Began { step: name.clone() });
            let began = platform::now();
            let result = step.run(&self.stack, &self.succeeds_with, journal);
            let took = platform::now().since(began);
            let (exit, failed) = match result {
                Ok(()) => (Exit::SUCCESS, None),
                Err(Failure { exit, text }) => (exit, Some(masker.text(&text).into_owned())),
            };
            if let Some(text) = &failed {
                say(&format!("── {name} failed: {text}"));
            }
            let stop = failed.is_some();
            let after_ms = millis(took);
            journal.write(Entry::Ended { step: name, exit, after_ms, failed });
            if stop {
                return Err(exit.failure_code());
            }
        }
        // The last step went well although it was asked to end: then all is done.
        Ok(())
    }
}

/// Says something among the output of the steps: `run` passes that on to a terminal as it is.
fn say(text: &str) {
    eprintln!("{}", printable::finish(&printable::line(text)));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The role itself: `stackrun step`.
pub fn run() -> ExitCode {
    let mut json = String::new();
    let work = platform::inherited(3).and_then(|descriptor| {
        let mut file = File::from(descriptor);
        file.read_to_string(&mut json)?;
        Ok(serde_json::from_str::<Work>(&json)?)
    });
    let signals = SignalPipe::catch(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP]);
    let (work, signals) = match (work, signals) {
        (Ok(work), Ok(signals)) => (work, signals),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("stackrun step: this is run by stackrun itself: {error}"));
            return ExitCode::from(2);
        }
    };
    let mut journal = match work.journal.as_deref().and_then(Path::file_name) {
        Some(task) => Writer::open(&work.stack, Path::new(task), work.generation, work.on_failure),
        None => Writer::none(),
    };
    let status = work.run(&signals, &mut journal).err().unwrap_or(0);
    journal.write(Entry::Over { status });
    ExitCode::from(status)
}
