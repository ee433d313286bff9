//! From a service or task of the stack to what the keeper is to start: values filled in, the
//! environment merged, the program found.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{check_command::CheckCommand, ports::PortTable, step};
use crate::{
    keeper::protocol::{SpawnSpec, UnitId},
    model::{
        Check, Command, EnvValue, Hook, LogPolicy, Service, Task, TaskBody, Text, Values, path_text,
    },
    platform::{self, CgroupLimits, MARK, Mark, ProgramError, RunAs, StackPaths, Subfolder},
    secrets,
};

/// Everything that commands are filled in with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launcher<'a> {
    pub(super) places: &'a StackPaths,
    pub(super) logs: &'a Subfolder,
    pub(super) ports: &'a PortTable,
    /// The environment of the caller of the latest `up` or `restart`.
    pub(super) caller: &'a BTreeMap<String, String>,
    /// This program, for the steps of tasks.
    pub(super) own_program: &'a Path,
    /// The present time.
    pub(super) at: jiff::Timestamp,
    /// `{{now}}`, where it is not simply the present time: one value in the whole run of a task.
    pub(super) stamp: Option<&'a str>,
    pub(super) programs: &'a Programs,
    /// Whether there may be secrets whose values are lost.
    pub(super) any_lost: bool,
}

/// Where programs were found in this turn of the loop, by name, PATH and folder: a thousand
/// services that run the same one look for it once.
pub(super) type Programs = RefCell<HashMap<(String, Option<String>, PathBuf), PathBuf>>;

impl Values for Launcher<'_> {
    fn port(&self, service: &str, port: Option<&str>, declared: Option<u16>) -> Option<u16> {
        match declared {
            // The definition may be older than the stack in force.
            Some(number) => self.ports.moved(service, port).or(Some(number)),
            None => self.ports.number(service, port),
        }
    }

    fn now(&self) -> String {
        let zone = || platform::time_zone(self.caller.get("TZ").map(String::as_str));
        self.stamp.map_or_else(|| platform::stamp(self.at, zone()), str::to_owned)
    }

    fn replica(&self) -> u32 {
        1
    }
}

/// A program and its arguments, `argv[0]` first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) program: PathBuf,
    pub(super) argv: Vec<String>,
}

impl Launcher<'_> {
    /// A service's main process.
    pub(super) fn service(&self, service: &Service, unit: UnitId) -> Result<SpawnSpec, String> {
        self.all_known(service)?;
        let command = service.command.as_ref().ok_or("it has nothing to run")?;
        let mut env = self.environment(&service.env)?;
        let user = person_of(service, &mut env)?;
        if service.color {
            env.entry("CLICOLOR_FORCE".into()).or_insert_with(|| "1".into());
            env.entry("FORCE_COLOR".into()).or_insert_with(|| "1".into());
        }
        let resolved = self.resolve(command, &env, &service.dir, &[])?;
        let mut spec = self.spec(unit, resolved, env, &service.dir);
        spec.log_policy = service.log.clone();
        spec.stdin_open = service.stdin_open;
        spec.tty = service.tty;
        spec.notify = service.ready.checks.contains(&Check::Notify);
        spec.open_files = service.limits.open_files;
        spec.limits = cgroup_limits(service);
        spec.user = user;
        Ok(spec)
    }

    /// A run of a task.
    pub(super) fn task(
        &self,
        task: &Task,
        args: &[String],
        unit: UnitId,
    ) -> Result<SpawnSpec, String> {
        self.all_known(task)?;
        let env = self.environment(&task.env)?;
        let mut spec = match &task.body {
            TaskBody::Command(command) => {
                let resolved = self.resolve(command, &env, &task.dir, args)?;
                self.spec(unit, resolved, env, &task.dir)
            }
            TaskBody::Steps(steps) => self.steps(task, steps, false, unit, env)?,
        };
        spec.log_policy = task.log.clone();
        Ok(spec)
    }

    /// The `on-failure` of a task. Its output follows that of the run, which has ended.
    pub(super) fn on_failure(&self, task: &Task, unit: UnitId) -> Result<SpawnSpec, String> {
        self.all_known(task)?;
        let env = self.environment(&task.env)?;
        let mut spec = self.steps(task, &task.on_failure, true, unit, env)?;
        spec.log = self.places.log(&task.name);
        spec.log_policy = task.log.clone();
        Ok(spec)
    }

    fn steps(
        &self,
        task: &Task,
        steps: &[crate::model::Step],
        on_failure: bool,
        unit: UnitId,
        env: BTreeMap<String, String>,
    ) -> Result<SpawnSpec, String> {
        let resolved = steps.iter().map(|step| step::Step::resolve(self, step, &env));
        let work = step::Work {
            steps: resolved.collect::<Result<_, _>>()?,
            succeeds_with: task.succeeds_with.clone(),
            stack: self.places.folder.clone(),
            journal: Some(self.places.journal(&task.name)),
            generation: unit.generation,
            on_failure,
            secrets: Vec::new(),
        };
        Ok(self.helper(unit, work, env, &task.dir))
    }

    /// A hook of a service: its commands one after the other.
    pub(super) fn hook(
        &self,
        service: &Service,
        hook: Hook,
        unit: UnitId,
    ) -> Result<Option<SpawnSpec>, String> {
        let commands = hook.commands(service);
        if !commands.is_empty() {
            self.all_known(service)?;
        }
        let mut env = self.environment(&service.env)?;
        let user = person_of(service, &mut env)?;
        let resolve = |command| self.resolve(command, &env, &service.dir, &[]);
        let mut resolved = commands.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
        let mut spec = match (resolved.pop(), resolved.is_empty()) {
            (None, _) => return Ok(None),
            (Some(only), true) => self.spec(unit, only, env, &service.dir),
            (Some(last), false) => {
                resolved.push(last);
                let plain = |(at, command)| {
                    let name = format!("{hook} {} of {}", at + 1, commands.len());
                    step::Step::plain(&name, command, &env, &service.dir)
                };
                let steps = resolved.into_iter().enumerate().map(plain).collect();
                let stack = self.places.folder.clone();
                let work = step::Work { steps, stack, ..step::Work::default() };
                self.helper(unit, work, env.clone(), &service.dir)
            }
        };
        spec.user = user;
        Ok(Some(spec))
    }

    /// The command of a check.
    pub(super) fn oneshot(
        &self,
        service: &Service,
        command: &Command,
    ) -> Result<CheckCommand, String> {
        let mut env = self.environment(&service.env)?;
        let user = person_of(service, &mut env)?;
        // By that it is found and ended where we are killed before it answers.
        env.insert(MARK.to_owned(), Mark::of_check(self.places, &service.name));
        let resolved = self.resolve(command, &env, &service.dir, &[])?;
        let label = match command {
            Command::Run(_) => format!("run {}", resolved.argv.join(" ")),
            Command::Shell { script, .. } => {
                let script = script.render(self);
                format!("shell {}", script.lines().map(str::trim).collect::<Vec<_>>().join(" "))
            }
        };
        let args = resolved.argv[1..].to_vec();
        let dir = service.dir.clone();
        Ok(CheckCommand { program: resolved.program, args, env, dir, user, label })
    }

    /// Refuses to fill in what a supervisor before knew and was killed with.
    pub(super) fn all_known(&self, definition: &impl Serialize) -> Result<(), String> {
        let lost = self.any_lost.then(|| secrets::unknown_in(definition)).flatten();
        lost.map_or(Ok(()), |lost| Err(lost.to_string()))
    }

    /// The caller's environment with what the file says laid over it.
    pub(super) fn environment(
        &self,
        declared: &BTreeMap<String, EnvValue>,
    ) -> Result<BTreeMap<String, String>, String> {
        self.all_known(declared)?;
        Ok(self.laid_over(self.caller.clone(), declared))
    }

    /// An environment with what the file says laid over it.
    pub(super) fn laid_over(
        &self,
        mut env: BTreeMap<String, String>,
        declared: &BTreeMap<String, EnvValue>,
    ) -> BTreeMap<String, String> {
        for (key, value) in declared {
            match value.value.as_ref().map(|text| text.render(self)) {
                Some(text) => env.insert(key.clone(), text),
                None => env.remove(key),
            };
        }
        env
    }

    /// Fills in a command and finds its program.
    pub(super) fn resolve(
        &self,
        command: &Command,
        env: &BTreeMap<String, String>,
        dir: &Path,
        args: &[String],
    ) -> Result<Resolved, String> {
        let argv = self.argv(command, args);
        let key = (argv[0].clone(), env.get("PATH").cloned(), dir.to_owned());
        if let Some(program) = self.programs.borrow().get(&key) {
            return Ok(Resolved { program: program.clone(), argv });
        }
        let program = find_program(&argv[0], env, dir).map_err(|error| error.to_string())?;
        self.programs.borrow_mut().insert(key, program.clone());
        Ok(Resolved { program, argv })
    }

    /// Fills in a command: its words, the program's name first.
    pub(super) fn argv(&self, command: &Command, args: &[String]) -> Vec<String> {
        let mut argv: Vec<String> = match command {
            Command::Run(words) => words.iter().map(|word| word.render(self)).collect(),
            Command::Shell { script, with } => {
                let shell = with.as_deref().unwrap_or("/bin/sh");
                let name = Path::new(shell).file_name().and_then(|name| name.to_str());
                // `$0` of the script, before its `$1…`.
                vec![shell.into(), "-c".into(), script.render(self), name.unwrap_or("sh").into()]
            }
        };
        argv.extend_from_slice(args);
        argv
    }

    /// A run of this program that carries out steps one after the other.
    fn helper(
        &self,
        unit: UnitId,
        mut work: step::Work,
        env: BTreeMap<String, String>,
        dir: &Path,
    ) -> SpawnSpec {
        work.secrets = secrets::masker().values().map(str::to_owned).collect();
        let resolved = Resolved {
            program: self.own_program.to_owned(),
            argv: vec!["stackrun".into(), "step".into()],
        };
        let mut spec = self.spec(unit, resolved, env, dir);
        spec.input = Some(work.encode());
        spec
    }

    fn spec(
        &self,
        unit: UnitId,
        resolved: Resolved,
        env: BTreeMap<String, String>,
        dir: &Path,
    ) -> SpawnSpec {
        let lacks = |name: &&String| !env.contains_key(*name);
        SpawnSpec {
            // A hook has one of its own: two writers would overwrite each other's lines.
            log: self.places.log(&unit.log_name()),
            unit,
            program: resolved.program,
            argv: resolved.argv,
            unset: self.caller.keys().filter(lacks).cloned().collect(),
            env: env.into_iter().filter(|(k, v)| self.caller.get(k) != Some(v)).collect(),
            dir: dir.to_owned(),
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

    /// A text with everything filled in.
    pub(super) fn render(&self, text: &Text) -> String {
        text.render(self)
    }
}

/// The limits of a service's cgroup. Without any it has none: to enter one holds up a start for
/// some twenty milliseconds.
fn cgroup_limits(service: &Service) -> Option<CgroupLimits> {
    let limits = CgroupLimits { cpu: service.limits.cpu, processes: service.limits.processes };
    (limits != CgroupLimits::default()).then_some(limits)
}

/// The user that the file names for a service; its environment then is that of a login, where the
/// file says nothing else.
pub(super) fn person_of(
    service: &Service,
    env: &mut BTreeMap<String, String>,
) -> Result<Option<RunAs>, String> {
    let Some(user) = &service.user else { return Ok(None) };
    let person = platform::find_user(&user.user, user.group.as_deref())?;
    let own = person.variables().into_iter();
    for (key, value) in own.filter(|(key, _)| !service.env.contains_key(*key)) {
        env.insert(key.to_owned(), value.to_owned());
    }
    Ok(Some(person))
}

/// Finds a program in the PATH of an environment, or by its path from a folder.
pub(super) fn find_program(
    name: &str,
    env: &BTreeMap<String, String>,
    dir: &Path,
) -> Result<PathBuf, ProgramError> {
    let path = env.get("PATH").map(|path| path_text::decode_text(path)).unwrap_or_default();
    platform::find_program(name, &path, dir)
}
