//! From an outcome to an exit status.

use super::error::{Error, status};
use crate::{
    control,
    core::stack::{ItemOutcome, Outcome},
    reporters::summary,
    status::Asked,
};

/// The exit status of a command that ended so.
///
/// # Errors
/// It was refused.
pub(super) fn exit_status(outcome: &Outcome) -> Result<u8, Error> {
    exit_status_of(outcome, Asked::AsPartOfAll)
}

/// The same where it matters how it was asked about what it was about.
///
/// # Errors
/// It was refused.
pub(super) fn exit_status_of(outcome: &Outcome, asked: Asked) -> Result<u8, Error> {
    if let Some(refusal) = &outcome.refused {
        return Err(refusal.clone().into());
    }
    let port_held = outcome.results.iter().any(|settled| {
        matches!(&settled.how, ItemOutcome::Failed { reason, .. } if reason.port().is_some())
    });
    let failed = outcome.results.iter().any(|settled| settled.how.is_bad(asked));
    Ok(match (port_held, failed || outcome.superseded) {
        (true, _) => status::PORT,
        (false, true) => status::FAILED,
        (false, false) => status::OK,
    })
}

/// What is left, for the summary.
pub(super) fn left(left: &control::Left) -> summary::Left<'_> {
    let control::Left { processes, ports, proved, unproved } = left;
    summary::Left { processes, ports, proved: *proved, unproved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::stack::{ItemResult, Refusal},
        model::Exit,
        reason::Failure,
    };

    fn outcome(how: ItemOutcome) -> Outcome {
        let ready = ItemResult { name: "a".into(), how: ItemOutcome::Ready { after_ms: 1 } };
        let results = vec![ready, ItemResult { name: "b".into(), how }];
        Outcome { results, ..Outcome::default() }
    }

    fn failed(failure: Failure) -> ItemOutcome {
        ItemOutcome::Failed { reason: failure.into(), exit: None }
    }

    #[test]
    fn each_outcome_has_its_status() {
        let status = |how| exit_status(&outcome(how)).expect("not refused");
        assert_eq!(status(ItemOutcome::Unchanged), status::OK);
        assert_eq!(status(failed(Failure::OutOfMemory)), status::FAILED);
        let held = Failure::PortHeld { port: 80, holder: "pid 1 (nginx)".into() };
        assert_eq!(status(failed(held)), status::PORT);
        assert_eq!(status(ItemOutcome::Blocked { by: "a".into() }), status::FAILED);
        assert_eq!(status(ItemOutcome::Superseded), status::FAILED);
    }

    #[test]
    fn what_has_ended_well_is_well_and_not_ready() {
        let ended = outcome(ItemOutcome::Ended { exit: Some(Exit::SUCCESS) });
        let status = |asked| exit_status_of(&ended, asked).expect("not refused");
        assert_eq!(status(Asked::AsPartOfAll), status::OK);
        assert_eq!(status(Asked::ByName), status::FAILED);
    }

    #[test]
    fn an_unknown_name_is_a_wrong_command_line() {
        let refused = Some(Refusal::UnknownName { name: "x".into(), similar: None });
        let error = exit_status(&Outcome { refused, ..Outcome::default() });
        assert_eq!(error.map_err(|error| error.status()), Err(status::WRONG));
    }
}
