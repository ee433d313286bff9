//! `signal`: to the main process of a service.

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::{service_names, signal_names},
        connect::unexpected,
        context::Context,
        error::{Error, status},
        names,
    },
    control::{Reply, Request},
    model::{Signal, nearest},
};

const EXAMPLES: &str = "\
Examples:
  stackrun signal nginx HUP            to its main process
  stackrun signal worker USR1 --tree   to every process of it";

/// Send a signal to a service
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service
    #[arg(add = ArgValueCandidates::new(service_names))]
    name: String,
    /// The signal: `HUP`, `SIGHUP` or a number
    #[arg(add = ArgValueCandidates::new(signal_names))]
    signal: String,
    /// To each of its processes, not only the main one
    #[arg(long)]
    tree: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let Some(signal) = Signal::from_name(&args.signal) else {
        let bare = args.signal.to_ascii_uppercase();
        let known = Signal::names().filter_map(|name| name.strip_prefix("SIG"));
        let similar = nearest(bare.strip_prefix("SIG").unwrap_or(&bare), known);
        let similar = similar.map(|similar| format!("; did you mean {similar}?"));
        let similar = similar.unwrap_or_else(|| "; `kill -l` lists them".to_owned());
        let text = format!("unknown signal `{}`{similar}", args.signal);
        return Err(Error::Argument(text));
    };
    let mut running = context.connect_if_running()?;
    if let Ok(stack) = context.known_stack(running.as_mut()) {
        names::check(&stack, std::slice::from_ref(&args.name))?;
        if stack.task(&args.name).is_some() {
            let name = &args.name;
            return Err(Error::Argument(format!(
                "`{name}` is a task: signals are for services; `stackrun down {name}` ends its run"
            )));
        }
    }
    let Some(client) = &mut running else { return Err(Error::NotRunning { stack: None }) };
    let request = Request::Signal {
        name: args.name.clone(),
        signal,
        tree: args.tree,
        line: ambient::command_line(),
    };
    match client.call(request)? {
        Reply::Ok => Ok(status::OK),
        other => Err(unexpected(&other)),
    }
}
