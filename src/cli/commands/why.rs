//! `why`: the causal chain from a service to the root.

use std::iter;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::stack_names,
        connect::unexpected,
        context::Context,
        error::{Error, status},
        names,
        port_holder::look,
    },
    control::{Reply, Request},
    core::stack::{Why, WhyLink},
    keeper::StaleState,
    model::{Port, Stack},
    reason::Notice,
    reporters,
    status::{Advice, Because, Evidence, ServiceState, State},
};

const EXAMPLES: &str = "\
Examples:
  stackrun why web         what it waits for, down to the cause, and what to do
  stackrun why web --json  the same as data";

/// Why a service is not ready or a task not done: the chain to the cause, with evidence
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service or task
    #[arg(add = ArgValueCandidates::new(stack_names))]
    name: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let mut client = context.connect_if_running()?;
    let stack = context.known_stack(client.as_mut())?;
    names::check(&stack, std::slice::from_ref(&args.name))?;
    let running = client.is_some();
    let why = match client {
        Some(mut client) => match client.call(Request::Why { name: args.name.clone() })? {
            Reply::Why { why } => advised(why, &stack)?,
            other => return Err(unexpected(&other)),
        },
        None => nothing_runs(&args.name, context.stale_state()),
    };
    if args.json {
        let json = serde_json::to_string_pretty(&reporters::json::why(&why))
            .map_err(|error| Error::Other(error.to_string()))?;
        context.print_json(&format!("{json}\n"))?;
    } else {
        let place = |setting: &str| place_of(&stack, setting);
        let chain = reporters::why::show(&why, context.out, context.columns(), place);
        let nothing = || format!("nothing is wrong with {}\n", args.name);
        context.print(&if chain.is_empty() { nothing() } else { chain })?;
    }
    Ok(if running { status::OK } else { status::NOT_RUNNING })
}

/// With what to do about the port that was held, and may be held still.
fn advised(mut why: Why, stack: &Stack) -> Result<Why, Error> {
    let Some(root) = why.links.last_mut() else { return Ok(why) };
    let Some(port) = root.held_port() else { return Ok(why) };
    let declared = stack.service(&root.name).and_then(|service| service.port(port));
    let holding = look(port, declared.and_then(Port::address), stack)?;
    let free = format!("stackrun ports --free {port}");
    match holding.advice(port, Some(&free)) {
        advice if advice == free => root.next.insert(0, free),
        advice => root.advice.push(Advice::Text(advice)),
    }
    Ok(why)
}

fn nothing_runs(name: &str, (remains, unproved): (StaleState, Vec<String>)) -> Why {
    let evidence = match remains {
        StaleState::Nothing => Vec::new(),
        StaleState::Dead | StaleState::Living => {
            let killed = "stackrun itself was killed, and every process known to be its own has ended \
                          (`stackrun events` shows what was seen)";
            let unproved = unproved.iter().map(|text| format!("not ruled out: {text}"));
            let notices = iter::once(killed.to_owned()).chain(unproved).map(Notice::Text);
            notices.map(|notice| Evidence::Notice { notice }).collect()
        }
    };
    let link = WhyLink {
        name: name.to_owned(),
        state: State::Service(ServiceState::Idle),
        checked: true,
        because: Some(Because::NothingRuns),
        evidence,
        setting: None,
        advice: Vec::new(),
        next: vec![format!("stackrun up {name}")],
    };
    Why { links: vec![link] }
}

/// `stack.kdl:12`, relative to the stack's folder.
fn place_of(stack: &Stack, setting: &str) -> Option<String> {
    let origin = stack.origins.get(setting)?;
    let file = origin.file.strip_prefix(&stack.dir).unwrap_or(&origin.file);
    Some(format!("{}:{}", file.display(), origin.line))
}
