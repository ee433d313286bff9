//! What to do about what has failed, where its end says so.

use super::context::Context;
use crate::{
    control::{Client, Reply, Request},
    core::stack::{ItemOutcome, Outcome},
    reporters::{summary::hint, wording},
};

/// Says it, once for all that failed alike. Ports have their own advice: [`super::port_prompt::advise`].
pub(super) fn advise(context: &Context, client: &mut Client, outcome: &Outcome) {
    let failed = outcome.results.iter().filter(|settled| is_failure(&settled.how));
    let mut lines: Vec<String> = Vec::new();
    for settled in failed {
        // Who is stopped meanwhile needs no advice.
        let Ok(Reply::Why { why }) = client.call(Request::Why { name: settled.name.clone() })
        else {
            continue;
        };
        let advice = why.links.last().map(|root| root.advice.iter()).into_iter().flatten();
        let advice = advice.map(|advice| hint(&wording::advice(advice), context.err));
        for line in advice {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    context.say_all(&lines);
}

/// Whether it has failed, and not for want of a port.
fn is_failure(how: &ItemOutcome) -> bool {
    matches!(how, ItemOutcome::Failed { reason, .. } if reason.port().is_none())
}
