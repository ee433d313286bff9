//! `ports`: each declared port, and who holds it.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    cli::{
        ask,
        connect::status_of,
        context::Context,
        error::{Error, status},
        idle_status::idle_status,
        port_holder::{Holding, Owner, look, look_at},
    },
    model::{Port, Stack},
    platform::{self, Holder},
    printable,
    reporters::{
        Symbol, Tone, headline,
        terminal::masked,
        theme::{NARROWEST, fit, pad},
    },
    status::{PortStatus, ServiceStatus, Status},
};

/// The width of a number.
const NUMBER: usize = 5;

const EXAMPLES: &str = "\
Examples:
  stackrun ports                free, ours, or held by whom
  stackrun ports --free 5173    stop what holds it, if it is your own process";

/// Each declared port: free, ours, or held by whom
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Stop what holds these ports, after asking: only your own processes, and no stack's services
    #[arg(long, value_name = "PORT", num_args = 1..)]
    free: Vec<u16>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let folder = context.folder()?;
    if !args.free.is_empty() {
        // A file that is broken keeps no port from being freed.
        let stack = context.load(&[]).map(|loaded| loaded.stack);
        let nameless = || Stack { dir: folder.clone(), ..Stack::default() };
        return free(args, context, &stack.unwrap_or_else(|_| nameless()));
    }
    let mut client = context.connect_if_running()?;
    let stack = context.known_stack(client.as_mut())?;
    let mut status = idle_status(&stack);
    if let Some(mut client) = client {
        let declared = std::mem::replace(&mut status, status_of(&mut client)?).services;
        // Of a service of which nothing is known but that it runs, the file tells the ports.
        for service in status.services.iter_mut().filter(|service| service.ports.is_empty()) {
            let known = declared.iter().find(|known| known.name == service.name);
            service.ports = known.map(|known| known.ports.clone()).unwrap_or_default();
        }
    }
    let rows = rows(&status, &stack)?;
    if args.json {
        let ports: Vec<Value> = rows.iter().map(|row| row.json(&folder)).collect();
        context.print_json(&format!("{:#}\n", json!({ "format": 1, "ports": ports })))?;
        return Ok(status::OK);
    }
    let width = rows.iter().map(|row| row.service.chars().count()).max().unwrap_or(0);
    let indent = NUMBER + 2 + width + 2;
    let room = context.columns().map(|columns| columns.saturating_sub(indent).max(NARROWEST));
    let lines = rows.iter().map(|row| {
        let port = if row.port == 0 { "auto".into() } else { row.port.to_string() };
        let tone = match row.state() {
            "free" => Tone::Faint,
            "ours" => Tone::Good,
            _ => Tone::Bad,
        };
        // Before it is broken into lines: half a secret is not found any more.
        let text = row.holding.text();
        let text = masked(&text);
        let holder = fit(&printable::line(&text), room);
        let holder = holder.iter().map(|part| context.out.paint(tone, part));
        let holder = holder.collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(indent)));
        format!("{}  {}  {holder}\n", pad(&port, NUMBER), pad(row.service, width))
    });
    context.print(&lines.collect::<String>())?;
    Ok(status::OK)
}

struct Row<'a> {
    service: &'a str,
    name: Option<&'a str>,
    port: u16,
    holding: Holding,
}

impl Row<'_> {
    fn state(&self) -> &'static str {
        match (&self.holding.owner, &self.holding.holder) {
            (_, Holder::Free) => "free",
            (Owner::Own(_), _) => "ours",
            (Owner::Leftover(_) | Owner::Other(_) | Owner::None, _) => "held",
        }
    }

    fn json(&self, folder: &Path) -> Value {
        let process = self.holding.holder.process();
        let (stack, holder) = match &self.holding.owner {
            Owner::Own(name) | Owner::Leftover(name) => (Some(folder), Some(name)),
            Owner::Other(owner) => (Some(&*owner.folder), Some(&owner.name)),
            Owner::None => (None, None),
        };
        json!({
            "service": self.service,
            "name": self.name,
            "port": self.port,
            "state": self.state(),
            "pid": process.map(|process| process.id.pid),
            "command": process.map(|process| &process.command),
            "dir": process.map(|process| &process.dir),
            "user": process.map(|process| &process.user),
            "stack": stack,
            "holder": holder,
        })
    }
}

fn rows<'a>(status: &'a Status, stack: &Stack) -> Result<Vec<Row<'a>>, Error> {
    let mut ports = Vec::new();
    for service in &status.services {
        let declared = stack.service(&service.name).map_or(&[][..], |service| &service.ports);
        for (index, port) in service.ports.iter().enumerate() {
            // A listener on another address is in no service's way.
            ports.push((service, port, declared.get(index).and_then(Port::address)));
        }
    }
    let chosen = ports.iter().filter(|(_, port, _)| port.port != 0);
    let chosen: Vec<_> = chosen.map(|(_, port, host)| (port.port, *host)).collect();
    let mut holdings = look_at(&chosen, stack)?.into_iter();
    let row = |(service, port, _): (&'a ServiceStatus, &'a PortStatus, _)| {
        let holding = if port.port == 0 { None } else { holdings.next() };
        let (service, name) = (service.name.as_str(), port.name.as_deref());
        Row { service, name, port: port.port, holding: holding.unwrap_or_else(Holding::free) }
    };
    Ok(ports.into_iter().map(row).collect())
}

fn free(args: &Args, context: &Context, stack: &Stack) -> Result<u8, Error> {
    let mut result = status::OK;
    for &port in &args.free {
        let holding = look(port, None, stack)?;
        let text = format!("port {port}: {}", holding.text());
        let (symbol, line) = match (&holding.holder, holding.stop()) {
            (Holder::Free, _) => (Symbol::Good, text),
            // It would be started again, or be missed.
            (_, Some(stop)) => (Symbol::Warn, format!("{text}; `{stop}` stops it")),
            (_, None) => match end(args, port, &holding, &text)? {
                Ok(()) => (Symbol::Good, format!("port {port} is free")),
                Err(reason) => (Symbol::Bad, format!("{text}: {reason}")),
            },
        };
        if symbol != Symbol::Good {
            result = status::FAILED;
        }
        context.say(&headline(symbol, &line, context.err));
    }
    Ok(result)
}

/// Stops the holders of a port; the inner error says why not.
fn end(args: &Args, port: u16, holding: &Holding, text: &str) -> Result<Result<(), String>, Error> {
    let Some(process) = holding.holder.own_process() else {
        return Ok(Err("it belongs to another user or another stack, and is left alone".into()));
    };
    if !args.yes && !ask::yes(&format!("{}. Stop it?", printable::line(text)))? {
        return Ok(Err("left alone".into()));
    }
    let mark = match (&holding.holder, &holding.owner) {
        (Holder::Service { mark, .. }, Owner::Leftover(_)) => Some(&*mark.text),
        (_, Owner::Leftover(_) | Owner::Own(_) | Owner::Other(_) | Owner::None) => None,
    };
    if let Err(error) = platform::end_tree(process.id, mark) {
        return Ok(Err(format!("it could not be stopped: {error}")));
    }
    Ok(match Holder::of(port) {
        Ok(Holder::Free) => Ok(()),
        Ok(next) => Err(format!("it was stopped; now the port is held by {next}")),
        Err(error) => Err(error.to_string()),
    })
}
