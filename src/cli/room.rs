//! Ports that somebody else holds, seen to before a start: at a terminal, or as told.

use std::io::IsTerminal;

use super::{
    ask,
    context::Context,
    error::Error,
    holder::{self, Holder},
};
use crate::{
    model::{Busy, Stack},
    platform,
    reporters::{Symbol, headline},
};

/// Offers to stop whoever holds a port of these services, where their `busy` says so; `take`
/// stops without asking. Own processes alone; what is left is for the start to report.
pub(super) fn make(
    context: &Context,
    stack: &Stack,
    names: &[String],
    take: bool,
) -> Result<(), Error> {
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let own = platform::user_name(platform::own_uid());
    let services = names.iter().filter_map(|name| stack.service(name));
    let ports = services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    for (service, port) in ports {
        let Some(number) = port.number.fixed().filter(|_| !port.any_owner) else { continue };
        let asks = match port.busy {
            _ if take => false,
            Busy::Take => false,
            Busy::Ask if can_ask => true,
            Busy::Ask | Busy::Next | Busy::Fail => continue,
        };
        let holder = holder::of(number, &stack.dir)?;
        let process = match &holder {
            Holder::Free | Holder::Hidden { .. } | Holder::Service { ours: true, .. } => continue,
            Holder::Service { process, .. } | Holder::Stranger(process) => process,
        };
        if process.user != own {
            continue;
        }
        let text = format!("port {number} of {} is {}", service.name, holder.text());
        if asks && !ask::yes(&format!("{} {text}. Stop it?", context.err.symbol(Symbol::Warn)))? {
            continue;
        }
        let line = match holder::end(process.id) {
            Ok(()) => headline(Symbol::Good, &format!("{text}: stopped"), context.err),
            Err(error) => headline(Symbol::Bad, &format!("{text}: {error}"), context.err),
        };
        context.say(&line);
    }
    Ok(())
}
