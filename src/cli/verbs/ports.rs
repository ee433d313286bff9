//! `ports`: each declared port, and who holds it.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    cli::{
        ask,
        context::{Context, status_of},
        error::{Error, status},
        holder::{self, Holder},
        verbs,
    },
    platform,
    reporters::{Symbol, Tone, headline, theme::pad},
    status::Status,
};

const EXAMPLES: &str = "\
Examples:
  stackrun ports                free, ours, or held by whom
  stackrun ports --free 5173    stop whoever holds it, if it is your own process";

/// Each declared port: free, ours, or held by whom
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Stop whoever holds these ports: your own processes alone, after asking
    #[arg(long, value_name = "PORT", num_args = 1..)]
    free: Vec<u16>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// As data
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let folder = context.folder()?;
    if !args.free.is_empty() {
        return free(args, context, &folder);
    }
    let status = match context.connect_if_running()? {
        Some(mut client) => status_of(&mut client)?,
        None => verbs::status::idle(&context.load(&[])?.stack),
    };
    let rows = rows(&status, &folder)?;
    if args.json {
        let ports: Vec<Value> = rows.iter().map(Row::json).collect();
        context.print(&format!("{:#}\n", json!({ "format": 1, "ports": ports })))?;
        return Ok(status::OK);
    }
    let width = rows.iter().map(|row| row.service.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|row| {
        let port = if row.port == 0 { "auto".into() } else { row.port.to_string() };
        let tone = match &row.holder {
            Holder::Free => Tone::Faint,
            Holder::Service { ours: true, .. } => Tone::Good,
            Holder::Service { .. } | Holder::Stranger(_) | Holder::Hidden { .. } => Tone::Bad,
        };
        let holder = context.out.paint(tone, row.holder.text());
        format!("{}  {}  {holder}\n", pad(&port, 5), pad(row.service, width))
    });
    context.print(&lines.collect::<String>())?;
    Ok(status::OK)
}

struct Row<'a> {
    service: &'a str,
    name: Option<&'a str>,
    port: u16,
    holder: Holder,
}

impl Row<'_> {
    fn json(&self) -> Value {
        let state = match &self.holder {
            Holder::Free => "free",
            Holder::Service { ours: true, .. } => "ours",
            Holder::Service { .. } | Holder::Stranger(_) | Holder::Hidden { .. } => "held",
        };
        let process = self.holder.process();
        json!({
            "service": self.service,
            "name": self.name,
            "port": self.port,
            "state": state,
            "pid": process.map(|process| process.id.pid),
            "command": process.map(|process| &process.command),
            "dir": process.map(|process| &process.dir),
            "user": process.map(|process| &process.user),
        })
    }
}

fn rows<'a>(status: &'a Status, folder: &Path) -> Result<Vec<Row<'a>>, Error> {
    let mut rows = Vec::new();
    for service in &status.services {
        for port in &service.ports {
            let holder = match port.port {
                0 => Holder::Free,
                number => holder::of(number, folder)?,
            };
            let (service, name) = (service.name.as_str(), port.name.as_deref());
            rows.push(Row { service, name, port: port.port, holder });
        }
    }
    Ok(rows)
}

fn free(args: &Args, context: &Context, folder: &Path) -> Result<u8, Error> {
    let mut result = status::OK;
    for &port in &args.free {
        let holder = holder::of(port, folder)?;
        let text = format!("port {port}: {}", holder.text());
        let line = match &holder {
            Holder::Free => headline(Symbol::Good, &text, context.err),
            Holder::Service { ours: true, name, .. } => {
                result = status::FAILED;
                let text = format!("{text}; `stackrun down {name}` stops it");
                headline(Symbol::Warn, &text, context.err)
            }
            Holder::Service { .. } | Holder::Stranger(_) | Holder::Hidden { .. } => {
                match end(args, &holder, &text)? {
                    Ok(()) => headline(Symbol::Good, &format!("port {port} is free"), context.err),
                    Err(reason) => {
                        result = status::FAILED;
                        headline(Symbol::Bad, &format!("{text}: {reason}"), context.err)
                    }
                }
            }
        };
        context.say(&line);
    }
    Ok(result)
}

/// Stops the holder of a port; the inner error says why not.
fn end(args: &Args, holder: &Holder, text: &str) -> Result<Result<(), String>, Error> {
    let own = platform::user_name(platform::own_uid());
    let Some(process) = holder.process().filter(|process| process.user == own) else {
        return Ok(Err("it belongs to somebody else and is left alone".into()));
    };
    if !args.yes && !ask::yes(&format!("{text}. Stop it?"))? {
        return Ok(Err("left alone".into()));
    }
    Ok(holder::end(process.id).map_err(|error| format!("it could not be stopped: {error}")))
}
