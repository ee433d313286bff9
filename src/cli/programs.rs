//! Which programs of a stack are not there: looked for before anything is started.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::{
    ambient,
    context::Context,
    error::Error,
    missing::{Missing, Searched},
    names, version,
};
use crate::{
    model::{
        Command, EnvValue, Stack, StepCommand, Task, TaskBody, Tool, VersionRange, nearest,
        path_text,
    },
    platform::{ProgramError, find_program},
    reporters::{Symbol, headline, summary::hint},
};

/// What to do about a program that tells no version.
pub(super) const TELL: &str = "make it answer `--version`, or remove `version` from its `tool`";

/// A program of which a version is wanted, and that does not tell its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Untold {
    program: String,
    place: PathBuf,
    wanted: String,
}

impl std::fmt::Display for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, place, wanted } = self;
        let place = place.display();
        write!(f, "{program}: its version is unknown, but {wanted} is required ({place})")
    }
}

/// What has been found about the programs of a stack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Those that are not there.
    pub(super) missing: Vec<Missing>,
    /// Those that may have any version, each once.
    pub(super) untold: Vec<Untold>,
}

/// Looks for the programs of these services and tasks before they are started, and warns of those
/// whose version cannot be told.
///
/// # Errors
/// Some are not there.
pub(super) fn check(context: &Context, stack: &Stack, names: &[String]) -> Result<(), Error> {
    let Found { missing, untold } = look(stack, &ambient::environment(), names);
    if !missing.is_empty() {
        return Err(Error::MissingPrograms(missing));
    }
    for untold in untold {
        context.say(&headline(Symbol::Warn, &untold.to_string(), context.err));
        context.say(&hint(TELL, context.err));
    }
    Ok(())
}

/// Looks for the programs that these services and tasks would run. `env` is the environment that
/// the services are to be started from.
pub(super) fn look(stack: &Stack, env: &BTreeMap<String, String>, names: &[String]) -> Found {
    let mut missing = Vec::new();
    let mut versions = Versions::default();
    let mut places: HashMap<(&str, OsString, &Path), PathBuf> = HashMap::new();
    for name in names {
        let Some(owner) = Owner::of(stack, name) else { continue };
        let path = path_of(env, owner.env);
        let mut seen = Vec::new();
        for Wanted { program, tool, dir } in owner.wanted() {
            if seen.contains(&(program, dir)) {
                continue;
            }
            seen.push((program, dir));
            let key = (program, path.clone(), dir);
            let known = places.get(&key).cloned();
            let place = known.map_or_else(|| look_for(program, &path, dir), Ok);
            let found = match place {
                Ok(place) => {
                    let unfit = versions.unfit(tool, &place, dir);
                    places.insert(key, place);
                    unfit.map(|found| (found, None))
                }
                Err(not_there) => Some(not_there),
            };
            let Some((searched, similar)) = found else { continue };
            // Something that runs before it may well make it: `npm ci`, a virtual environment.
            let made_later = matches!(searched, Searched::NotFound(ProgramError::NotThere(_)))
                || path_is_own(&path, stack);
            if !(made_later && owner.is_prepared) {
                let (owner, program) = (name.clone(), program.to_owned());
                let hint = tool.and_then(|tool| tool.hint.clone());
                missing.push(Missing { owner, program, searched, similar, hint });
            }
        }
    }
    Found { missing, untold: versions.untold }
}

/// A program that a service or task runs or asks for.
struct Wanted<'a> {
    program: &'a str,
    /// What the file says of it.
    tool: Option<&'a Tool>,
    /// Where it is run.
    dir: &'a Path,
}

/// What programs have said of their versions: each is asked once.
#[derive(Default)]
struct Versions {
    told: BTreeMap<PathBuf, Option<String>>,
    untold: Vec<Untold>,
}

impl Versions {
    /// The version of a program that has another one than is wanted. One that does not tell its
    /// version will do.
    fn unfit(&mut self, tool: Option<&Tool>, place: &Path, dir: &Path) -> Option<Searched> {
        let tool = tool?;
        let wanted = tool.version.as_ref()?;
        let known = self.told.entry(place.to_owned()).or_insert_with(|| version::of(place, dir));
        let (place, wanted) = (place.to_owned(), wanted.clone());
        let Some(found) = known.clone() else {
            if !self.untold.iter().any(|untold| untold.place == place) {
                let program = tool.program.to_string();
                self.untold.push(Untold { program, place, wanted });
            }
            return None;
        };
        let fits = wanted.parse::<VersionRange>().is_ok_and(|range| range.contains(&found));
        (!fits).then_some(Searched::Version { found, wanted, place })
    }
}

/// What of a service or task counts here.
struct Owner<'a> {
    dir: &'a Path,
    env: &'a BTreeMap<String, EnvValue>,
    tools: &'a [Tool],
    /// What it runs, and where.
    commands: Vec<(&'a Command, &'a Path)>,
    /// Whether a task or a hook runs before it.
    is_prepared: bool,
}

impl<'a> Owner<'a> {
    fn wanted(&self) -> impl Iterator<Item = Wanted<'a>> + use<'a> {
        let tools = self.tools.iter().filter_map(|tool| {
            Some(Wanted { program: tool.program.as_literal()?, tool: Some(tool), dir: self.dir })
        });
        let commands = self.commands.clone().into_iter();
        let commands = commands.filter_map(|(command, dir)| Some((program_of(command)?, dir)));
        tools.chain(commands.map(|(program, dir)| Wanted { program, tool: None, dir }))
    }

    fn of(stack: &'a Stack, name: &str) -> Option<Self> {
        let needs_task = !stack.needs(name).is_empty() && {
            let needs = names::with_needs(stack, &[name.to_owned()]);
            needs.iter().any(|need| need != name && stack.task(need).is_some())
        };
        if let Some(service) = stack.service(name) {
            return Some(Self {
                dir: &service.dir,
                env: &service.env,
                tools: &service.tools,
                commands: service.command.iter().map(|command| (command, &*service.dir)).collect(),
                is_prepared: needs_task || !service.hooks.before_start.is_empty(),
            });
        }
        let task = stack.task(name)?;
        let commands = commands_of(task);
        let is_prepared = needs_task || commands.len() > 1;
        Some(Self { dir: &task.dir, env: &task.env, tools: &task.tools, commands, is_prepared })
    }
}

fn commands_of(task: &Task) -> Vec<(&Command, &Path)> {
    match &task.body {
        TaskBody::Command(command) => vec![(command, &task.dir)],
        TaskBody::Steps(steps) => {
            let commands = steps.iter().flat_map(|step| {
                let commands = match &step.command {
                    StepCommand::Command(command) => std::slice::from_ref(command),
                    StepCommand::Pipe(commands) => commands,
                };
                commands.iter().map(|command| (command, &*step.dir))
            });
            commands.collect()
        }
    }
}

/// The program of a command, where the file alone decides it.
fn program_of(command: &Command) -> Option<&str> {
    match command {
        Command::Run(words) => words.first()?.as_literal(),
        Command::Shell { with, .. } => Some(with.as_deref().unwrap_or("/bin/sh")),
    }
}

/// The PATH that a service gets.
fn path_of(env: &BTreeMap<String, String>, declared: &BTreeMap<String, EnvValue>) -> OsString {
    match declared.get("PATH") {
        Some(EnvValue { value: Some(text), .. }) => text.to_string().into(),
        Some(EnvValue { value: None, .. }) => OsString::new(),
        None => env.get("PATH").map(|path| path_text::decode_text(path)).unwrap_or_default(),
    }
}

fn path_is_own(path: &OsStr, stack: &Stack) -> bool {
    std::env::split_paths(path).any(|folder| folder.is_relative() || folder.starts_with(&stack.dir))
}

/// Where it is, or why it is not there and what has almost the same name.
fn look_for(
    program: &str,
    path: &OsStr,
    dir: &Path,
) -> Result<PathBuf, (Searched, Option<String>)> {
    find_program(program, path, dir).map_err(|error| {
        let similar = match error {
            ProgramError::NotInPath { .. } => similar_in(path, program, dir),
            ProgramError::NotThere(_) | ProgramError::NotExecutable(_) => None,
        };
        (Searched::NotFound(error), similar)
    })
}

/// The program in a PATH that is called almost like this.
fn similar_in(path: &OsStr, program: &str, dir: &Path) -> Option<String> {
    let there: Vec<String> = std::env::split_paths(path)
        .filter_map(|folder| std::fs::read_dir(dir.join(folder)).ok())
        .flat_map(Iterator::flatten)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nearest(program, there.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Need, Service, Text};

    fn service(name: &str, dir: &Path, program: &str) -> Service {
        let mut service = Service::new(name, dir);
        service.command = Some(Command::Run(vec![Text::literal(program)]));
        service
    }

    fn messages(stack: &Stack, names: &[&str]) -> Vec<String> {
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        look(stack, &env, &names).missing.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_the_path_and_what_is_close() {
        let dir = Path::new("/");
        let services = vec![service("ok", dir, "sleep"), service("bad", dir, "sleeep")];
        let stack = Stack { services, ..Stack::default() };
        let expected = "bad: there is no program `sleeep` in PATH (/usr/bin:/bin); \
                        did you mean `sleep`?";
        assert_eq!(messages(&stack, &["ok", "bad"]), [expected]);
        assert_eq!(messages(&stack, &["ok"]), [""; 0]);
    }

    #[test]
    fn a_path_is_looked_up_from_the_service_s_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("script"), "").expect("a file");
        let mut services = vec![service("a", folder.path(), "./script")];
        services.push(service("b", folder.path(), "./gone"));
        let stack = Stack { services, ..Stack::default() };
        let place = |name: &str| folder.path().join(name).display().to_string();
        let expected = [
            format!("a: {} is not executable", place("script")),
            format!("b: there is no program {}", place("gone")),
        ];
        assert_eq!(messages(&stack, &["a", "b"]), expected);
    }

    #[test]
    fn a_program_that_tells_no_version_is_named_once() {
        let tool = |version: &str| Tool {
            program: Text::literal("/bin/false"),
            version: Some(version.to_owned()),
            hint: None,
        };
        let mut services = vec![service("a", Path::new("/"), "true")];
        services.push(service("b", Path::new("/"), "true"));
        services.iter_mut().for_each(|service| service.tools = vec![tool(">=3")]);
        let stack = Stack { services, ..Stack::default() };
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let found = look(&stack, &env, &["a".into(), "b".into()]);
        let texts: Vec<String> = found.untold.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["/bin/false: its version is unknown, but >=3 is required (/bin/false)"]);
        assert_eq!(found.missing, []);
    }

    #[test]
    fn what_a_task_may_still_make_is_not_missing() {
        let dir = Path::new("/nowhere");
        let mut api = service("api", dir, ".venv/bin/python");
        api.needs = vec![Need::new("venv")];
        let body = TaskBody::Command(Command::Run(vec![Text::literal("true")]));
        let tasks = vec![Task::new("venv", "/", body)];
        let stack = Stack { services: vec![api], tasks, ..Stack::default() };
        assert_eq!(messages(&stack, &["venv", "api"]), [""; 0]);
    }
}
