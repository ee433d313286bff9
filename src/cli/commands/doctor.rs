//! `doctor`: what may be wrong here, and the fix.

use std::path::PathBuf;

use crate::{
    cli::{
        context::Context,
        doctor::{Finding, State, leftovers, stack, system},
        error::{Error, status},
    },
    printable,
    reporters::summary,
};

const EXAMPLES: &str = "\
Examples:
  stackrun doctor           file, programs, ports, limits, leftovers; exit 1 if something is wrong
  stackrun doctor --json    the same as data";

/// Look for what may be wrong, with a fix for each
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let mut findings =
        vec![Finding::good("version", format!("stackrun {}", env!("CARGO_PKG_VERSION")))];
    let stack = stack::file(context, &mut findings);
    if let Some(stack) = &stack {
        findings.extend(stack::programs(stack));
        findings.extend(stack::ports(stack)?);
    }
    findings.push(stack::supervisor(context));
    let here = context.folder().unwrap_or_else(|_| PathBuf::from("."));
    findings.extend(system::limits(stack.as_ref(), &here));
    // Last: the questions above have had a keeper take over what this stack has left.
    findings.extend(leftovers::all());
    let is_well = findings.iter().all(|finding| finding.state != State::Bad);
    let exit = if is_well { status::OK } else { status::FAILED };
    if args.json {
        let json = serde_json::json!({ "format": 1, "ok": is_well, "findings": findings });
        context.print_json(&format!("{json:#}\n"))?;
        return Ok(exit);
    }
    let mut text = String::new();
    for finding in &findings {
        let symbol = context.out.symbol(finding.state.symbol());
        text.push_str(&format!("{symbol} {}\n", printable::line(&finding.text)));
        if let Some(fix) = &finding.fix {
            let fix = &printable::line(fix);
            text.push_str(&format!("{}\n", summary::hint(fix, context.out)));
        }
    }
    context.print(&text)?;
    Ok(exit)
}
