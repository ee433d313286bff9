//! `doctor`: what may be wrong here, and the mend.

use crate::{
    cli::{
        caller,
        context::{Context, status_of},
        error::{Error, status},
        holding::look,
        programs, verbs,
    },
    control::Client,
    model::Stack,
    reporters::{Symbol, summary, words},
    status::Status,
};

const EXAMPLES: &str = "\
Examples:
  stackrun doctor      file, programs, ports, supervisor, limits; exit 1 if something is wrong";

/// The fewest open files that a stack of some size wants.
const OPEN_FILES: u64 = 1024;

/// Look for what may be wrong, with the mend for each
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {}

/// What was looked at, and what came of it.
struct Finding {
    symbol: Symbol,
    text: String,
    mend: Option<String>,
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self { symbol: Symbol::Good, text: text.into(), mend: None }
    }

    fn bad(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { symbol: Symbol::Bad, text: text.into(), mend: Some(mend.into()) }
    }
}

pub(in crate::cli) fn run(_: &Args, context: &Context) -> Result<u8, Error> {
    let mut findings = vec![Finding::good(format!("stackrun {}", env!("CARGO_PKG_VERSION")))];
    match context.load(&[]) {
        Ok(loaded) => {
            let count = words::count(loaded.stack.services.len(), "service");
            findings.push(Finding::good(format!("{}: {count}", loaded.stack.file.display())));
            findings.extend(programs_of(&loaded.stack));
            let running = context.connect_if_running().ok().flatten();
            let now = running.and_then(|mut client| status_of(&mut client).ok());
            let now = now.unwrap_or_else(|| verbs::status::idle(&loaded.stack));
            findings.extend(ports_of(&loaded.stack, &now)?);
        }
        Err(error) => findings.push(Finding::bad(error.to_string(), "stackrun check")),
    }
    findings.push(supervisor(context));
    findings.push(open_files());
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&format!("{} {}\n", context.out.symbol(finding.symbol), finding.text));
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("{}\n", summary::hint(mend, context.out)));
        }
    }
    context.print(&text)?;
    let is_well = findings.iter().all(|finding| finding.symbol != Symbol::Bad);
    Ok(if is_well { status::OK } else { status::FAILED })
}

fn programs_of(stack: &Stack) -> Vec<Finding> {
    let names: Vec<String> = stack.names().map(str::to_owned).collect();
    let missing = programs::missing_programs(stack, &caller::environment(), &names);
    if missing.is_empty() {
        return vec![Finding::good("every program is there")];
    }
    missing
        .iter()
        .map(|missing| Finding::bad(missing.to_string(), "install it, or mend PATH"))
        .collect()
}

fn ports_of(stack: &Stack, status: &Status) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for service in &stack.services {
        for port in service.ports.iter().filter_map(|port| port.number.fixed()) {
            let holding = look(port, &stack.dir, status)?;
            if holding.is_in_the_way() {
                let text = format!("port {port} of {}: {}", service.name, holding.text());
                findings.push(Finding::bad(text, format!("stackrun ports --free {port}")));
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good("every port is free or ours"));
    }
    Ok(findings)
}

fn supervisor(context: &Context) -> Finding {
    let client = context.folder().and_then(|folder| Ok(Client::connect(&folder)?));
    match client {
        Ok(None) => Finding::good("nothing is running"),
        Ok(Some(mut client)) => match status_of(&mut client) {
            Ok(_) => Finding::good(format!(
                "the supervisor answers: pid {}, version {}",
                client.supervisor(),
                client.version()
            )),
            Err(error) => Finding::bad(error.to_string(), "stackrun down, then stackrun up"),
        },
        Err(error) => Finding::bad(error.to_string(), "stackrun down, then stackrun up"),
    }
}

fn open_files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(maximum) if maximum < OPEN_FILES => Finding::bad(
            format!("only {maximum} files may be open"),
            format!("ulimit -Hn {OPEN_FILES} (or /etc/security/limits.conf)"),
        ),
        _ => Finding::good("enough files may be open"),
    }
}
