//! `exec`: a command where a service would run.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        caller,
        context::{Context, unexpected},
        error::Error,
        names,
        verbs::completions::stack_names,
    },
    control::{Reply, Request},
    model::{EnvValue, Stack, Values},
};

const EXAMPLES: &str = "\
Examples:
  stackrun exec api npm run lint       in its folder, with its environment
  stackrun exec postgres psql shop     stackrun's own options go before the service";

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
    let (env, dir) = environment(&args.service, context)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::Argument("there is no command to run".into()));
    };
    let shown = program.to_string_lossy().into_owned();
    let path = env.get("PATH").cloned().unwrap_or_default();
    let found = which::which_in(program, Some(path), &dir).map_err(|_| {
        // It is there, and is no program: that is another exit status.
        let kind = match shown.contains('/') && dir.join(program).exists() {
            true => std::io::ErrorKind::PermissionDenied,
            false => std::io::ErrorKind::NotFound,
        };
        Error::Exec { program: shown.clone(), error: kind.into() }
    })?;
    Err(Error::Exec { program: shown, error: replace(found, program, arguments, env, dir) })
}

/// Becomes the command; comes back only with an error.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "this process becomes the command")]
fn replace(
    found: PathBuf,
    name: &OsString,
    arguments: &[OsString],
    env: BTreeMap<String, String>,
    dir: PathBuf,
) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(found);
    command.arg0(name).args(arguments).env_clear().envs(env).current_dir(dir).exec()
}

/// The environment and the folder of a service or task.
fn environment(
    name: &str,
    context: &Context,
) -> Result<(BTreeMap<String, String>, PathBuf), Error> {
    if let Some(mut client) = context.connect_if_running()? {
        let stack = context.known_stack(Some(&mut client))?;
        names::check(&stack, &[name.to_owned()])?;
        return match client.call(Request::Environment { name: name.to_owned() })? {
            Reply::Environment { env, dir } => Ok((env, dir)),
            other => Err(unexpected(&other)),
        };
    }
    let stack = context.load(&[])?.stack;
    names::check(&stack, &[name.to_owned()])?;
    from_file(&stack, name).ok_or_else(|| Error::Argument(format!("`{name}` is a group")))
}

/// As the file has them, with nothing running.
fn from_file(stack: &Stack, name: &str) -> Option<(BTreeMap<String, String>, PathBuf)> {
    let (declared, dir): (&BTreeMap<String, EnvValue>, _) =
        match (stack.service(name), stack.task(name)) {
            (Some(service), _) => (&service.env, &service.dir),
            (None, task) => task.map(|task| (&task.env, &task.dir))?,
        };
    let mut env = caller::environment();
    for (key, value) in declared {
        match &value.value {
            Some(text) => env.insert(key.clone(), text.render(&AsDeclared(stack))),
            None => env.remove(key),
        };
    }
    Some((env, dir.clone()))
}

/// What the file says of ports; those that it leaves open are known only to a running stack.
struct AsDeclared<'a>(&'a Stack);

impl Values for AsDeclared<'_> {
    fn port(&self, service: &str, port: Option<&str>) -> Option<u16> {
        let ports = &self.0.service(service)?.ports;
        let port = match port {
            None => ports.first(),
            Some(name) => ports.iter().find(|port| port.name.as_deref() == Some(name)),
        };
        port?.number.fixed()
    }

    fn now(&self) -> String {
        jiff::Zoned::new(caller::now(), jiff::tz::TimeZone::system())
            .strftime("%Y%m%d-%H%M%S")
            .to_string()
    }

    fn replica(&self) -> u32 {
        1
    }
}
