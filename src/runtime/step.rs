//! `stackrun step`: carries out the steps of a task or the commands of a hook, one after the
//! other, as a process of its own that outlives the supervisor.
//!
//! It reads what to do from descriptor 3, writes to its own stdout and stderr, and exits with the
//! status of the step that failed. duct runs the pipes and redirections.

#![expect(clippy::print_stderr, reason = "its stderr is the task's log")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

use super::launch::{Launcher, Resolved};
use crate::{
    model::{self, StepCommand},
    platform,
};

/// The exit status of a step that could not be run at all, as `env` and `timeout` have it.
const CANNOT_RUN: u8 = 126;

/// Everything to do.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    steps: Vec<Step>,
    on_failure: Vec<Step>,
}

/// One step, with everything filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    name: String,
    /// Programs and their arguments, each one's output the next one's input.
    pipe: Vec<(PathBuf, Vec<String>)>,
    dir: PathBuf,
    env: BTreeMap<String, String>,
    stdin: Option<PathBuf>,
    stdout: Option<PathBuf>,
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
            pipe: vec![(command.program, command.argv)],
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
        let env = launcher.laid_over(task_env.clone(), &step.env)?;
        let commands = match &step.command {
            StepCommand::Command(command) => std::slice::from_ref(command),
            StepCommand::Pipe(commands) => commands.as_slice(),
        };
        let resolve = |command| {
            let resolved = launcher.resolve(command, &env, &step.dir, &[]);
            resolved.map(|found| (found.program, found.argv))
        };
        let pipe = commands.iter().map(resolve).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            name: step.name.clone(),
            pipe: pipe.map_err(|error| format!("step `{}`: {error}", step.name))?,
            dir: step.dir.clone(),
            stdin: step.stdin.as_ref().map(|text| launcher.render(text).into()),
            stdout: step.stdout.as_ref().map(|text| launcher.render(text).into()),
            env,
        })
    }

    /// Runs the step; an `Err` is the exit status to end with.
    fn run(&self) -> Result<(), u8> {
        let (output, target) = match &self.stdout {
            None => (None, None),
            Some(path) => {
                let aside = aside(path).map_err(|error| self.report(path, &error))?;
                let file = aside.reopen().map_err(|error| self.report(path, &error))?;
                (Some(file), Some((aside, path)))
            }
        };
        let result = self
            .expression(output)
            .map_err(|error| self.report(self.stdin.as_deref().unwrap_or(&self.dir), &error))?;
        let status = match result.run() {
            Ok(output) => output.status,
            Err(error) => return Err(self.report(&self.pipe[0].0, &error)),
        };
        if !status.success() {
            return Err(u8::try_from(platform::exit_of(status).shell_status()).unwrap_or(1));
        }
        if let Some((aside, path)) = target {
            let kept = aside
                .as_file()
                .sync_all()
                .and_then(|()| aside.persist(path).map(drop).map_err(|error| error.error));
            kept.map_err(|error| self.report(path, &error))?;
        }
        Ok(())
    }

    fn expression(&self, output: Option<File>) -> io::Result<duct::Expression> {
        let mut commands = self.pipe.iter().map(|(program, argv)| {
            // `argv[0]` is not kept: duct names the program by its path.
            duct::cmd(program, &argv[1..]).dir(&self.dir).full_env(&self.env)
        });
        let first = commands.next().ok_or(io::ErrorKind::InvalidInput)?;
        let mut whole = commands.fold(first, |pipe, next| pipe.pipe(next)).unchecked();
        whole = match &self.stdin {
            Some(path) => whole.stdin_file(File::open(path)?),
            None => whole.stdin_null(),
        };
        Ok(match output {
            Some(file) => whole.stdout_file(file),
            None => whole,
        })
    }

    fn report(&self, path: &Path, error: &io::Error) -> u8 {
        let error = super::text::os_error(error);
        eprintln!("stackrun: step `{}`: {}: {error}", self.name, path.display());
        CANNOT_RUN
    }
}

/// A file beside `path`, to be renamed into its place.
fn aside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder)
}

/// What the helper reads from its descriptor 3.
pub(super) fn encode(steps: &[Step], on_failure: &[Step]) -> String {
    let work = Work { steps: steps.to_vec(), on_failure: on_failure.to_vec() };
    serde_json::to_string(&work).unwrap_or_default()
}

/// The role itself: `stackrun step`.
pub fn run() -> ExitCode {
    let mut json = String::new();
    let work = platform::inherited(3).and_then(|descriptor| {
        let mut file = File::from(descriptor);
        file.read_to_string(&mut json)?;
        Ok(serde_json::from_str::<Work>(&json)?)
    });
    let work = match work {
        Ok(work) => work,
        Err(error) => {
            eprintln!("stackrun step: this is run by stackrun itself: {error}");
            return ExitCode::from(2);
        }
    };
    match run_all(&work.steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            // The first failure is the one that counts, whatever becomes of the roll-back.
            let _ = run_all(&work.on_failure);
            ExitCode::from(status)
        }
    }
}

fn run_all(steps: &[Step]) -> Result<(), u8> {
    for step in steps {
        if steps.len() > 1 {
            eprintln!("── {}", step.name);
        }
        step.run().inspect_err(|status| {
            if steps.len() > 1 {
                eprintln!("── {} failed (exit {status})", step.name);
            }
        })?;
    }
    Ok(())
}
