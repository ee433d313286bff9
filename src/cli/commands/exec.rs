//! `exec`: a command where a service would run, and as whom it would.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient, candidates::stack_names, connect::unexpected, context::Context, error::Error,
        names,
    },
    control::{Reply, Request},
    model::{EnvValue, Stack, Values, path_text},
    platform::{MARK, ProgramError, RunAs, find_program, find_user, own_uid},
};

const EXAMPLES: &str = "\
Examples:
  stackrun exec api npm run lint       in its folder, with its environment
  stackrun exec postgres psql shop     stackrun's own options go before the service

A service with a `user` has the command run as that user.

Exit status: that of the command. Where it could not be run: 2 for a wrong name or file, 126 for a
command that cannot be executed, 127 for one that is not there, 125 for anything else.";

/// Run a command in a service's folder and environment
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service or task
    #[arg(add = ArgValueCandidates::new(stack_names))]
    service: String,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let (_, Place { env, dir, user }) = place(&args.service, context)?;
    if let Some(user) = user.as_ref().filter(|user| user.uid != own_uid() && own_uid() != 0) {
        return Err(Error::Other(format!(
            "`{}` runs as user `{}`, whom only root can become",
            args.service, user.name
        )));
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::Argument("there is no command to run".into()));
    };
    let shown = program.to_string_lossy().into_owned();
    let path = env.get("PATH").map(|path| path_text::decode_text(path)).unwrap_or_default();
    let found = find_program(program, &path, &dir).map_err(|error| {
        let kind = match error {
            ProgramError::NotExecutable(_) => std::io::ErrorKind::PermissionDenied,
            ProgramError::NotInPath { .. } | ProgramError::NotThere(_) => {
                std::io::ErrorKind::NotFound
            }
        };
        Error::Exec { program: shown.clone(), error: kind.into() }
    })?;
    Err(Error::Exec {
        program: shown,
        error: replace(found, program, arguments, Place { env, dir, user }),
    })
}

/// Where a service or task runs.
pub(in crate::cli) struct Place {
    /// Its environment.
    pub(in crate::cli) env: BTreeMap<String, String>,
    dir: PathBuf,
    /// As whom, where not as our own user.
    user: Option<RunAs>,
}

/// Becomes the command; comes back only with an error.
#[expect(clippy::disallowed_methods, reason = "this process becomes the command")]
fn replace(
    found: PathBuf,
    name: &OsString,
    arguments: &[OsString],
    place: Place,
) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let Place { env, dir, user } = place;
    let mut command = std::process::Command::new(found);
    let env = env
        .iter()
        .map(|(name, value)| (path_text::decode_text(name), path_text::decode_text(value)));
    command.arg0(name).args(arguments).env_clear().envs(env).current_dir(dir);
    // Typed in the terminal of a service it is no process of that.
    command.env_remove(MARK);
    user.into_iter().for_each(|user| user.runs(&mut command));
    command.exec()
}

/// Where a service or task runs, or would run, and the stack that it is of.
pub(in crate::cli) fn place(name: &str, context: &Context) -> Result<(Stack, Place), Error> {
    if let Some(mut client) = context.connect_if_running()? {
        let stack = context.known_stack(Some(&mut client))?;
        names::check(&stack, &[name.to_owned()])?;
        return match client.call(Request::Environment { name: name.to_owned() })? {
            Reply::Environment { env, dir, user } => Ok((stack, Place { env, dir, user })),
            other => Err(unexpected(&other)),
        };
    }
    let stack = context.load(&[])?.stack;
    names::check(&stack, &[name.to_owned()])?;
    let place = from_file(&stack, name)?;
    Ok((stack, place))
}

/// As the file has it, with nothing running.
fn from_file(stack: &Stack, name: &str) -> Result<Place, Error> {
    let (declared, dir, user): (&BTreeMap<String, EnvValue>, _, _) =
        match (stack.service(name), stack.task(name)) {
            (Some(service), _) => (&service.env, &service.dir, service.user.as_ref()),
            (None, Some(task)) => (&task.env, &task.dir, None),
            (None, None) => return Err(Error::Argument(format!("`{name}` is a group"))),
        };
    let user = user.map(|user| find_user(&user.user, user.group.as_deref())).transpose();
    let user = user.map_err(Error::Other)?;
    let mut env = ambient::environment();
    let own = user.iter().flat_map(RunAs::variables);
    env.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    for (key, value) in declared {
        match &value.value {
            Some(text) => env.insert(key.clone(), text.render(&AsDeclared(stack))),
            None => env.remove(key),
        };
    }
    Ok(Place { env, dir: dir.clone(), user })
}

/// What the file says of ports; those that it leaves open are known only to a running stack.
struct AsDeclared<'a>(&'a Stack);

impl Values for AsDeclared<'_> {
    fn port(&self, service: &str, port: Option<&str>, _: Option<u16>) -> Option<u16> {
        let ports = &self.0.service(service)?.ports;
        let port = match port {
            None => ports.first(),
            Some(name) => ports.iter().find(|port| port.name.as_deref() == Some(name)),
        };
        port?.number.fixed()
    }

    fn now(&self) -> String {
        jiff::Zoned::new(ambient::now(), jiff::tz::TimeZone::system())
            .strftime("%Y%m%d-%H%M%S")
            .to_string()
    }

    fn replica(&self) -> u32 {
        1
    }
}
