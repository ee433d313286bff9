//! Why a service or task is in its state.

use super::{INPUTS_UNCHANGED, backoff, failing, failure::words, list, millis, pending, reason};
use crate::status::{Because, StartStep, StopStep};

/// Why a service or task is in its state: `waiting for api`, `checking GET /health → 503`.
pub fn because(because: &Because) -> String {
    match because {
        Because::Waiting { on } => format!("waiting for {}", list(on)),
        Because::Blocked { by } => format!("blocked by {by}"),
        Because::Held { by } => format!("held by task {by}"),
        Because::Starting { stage } => starting(*stage).to_owned(),
        Because::Checking { failed: None } => "waiting for its checks".to_owned(),
        Because::Checking { failed: Some(failed) } => pending(failed),
        Because::DefinitionLost => "what it was started by is not known any more (the record was \
                                    lost); `stackrun up` restarts it"
            .to_owned(),
        Because::Unhealthy { check, restart_in_ms: Some(ms) } => {
            let (failing, time) = (failing(check), millis(*ms));
            format!("{failing}; its restart is held back by the cooldown, due in {time}")
        }
        Because::Unhealthy { check, restart_in_ms: None } => {
            format!("{} (`restart \"never\"`: it is not restarted)", failing(check))
        }
        Because::Stopping { stage, after: None } => stopping(*stage).to_owned(),
        Because::Stopping { stage, after: Some(failure) } => {
            format!("{}; {}", words(failure), stopping(*stage))
        }
        Because::Stuck { processes } => format!("cannot be ended: {}", processes.join(", ")),
        Because::Backoff { reason, again_in_ms } => backoff(reason, *again_in_ms, None),
        Because::Exited { exit } => exit.to_string(),
        Because::Failed { reason: why } => reason(why),
        Because::Step { step, number, of } => format!("step {step} ({number} of {of})"),
        Because::OnFailure { reason: why } => format!("{}; on-failure runs", reason(why)),
        Because::Recording => "recording its success".to_owned(),
        Because::InputsUnchanged => INPUTS_UNCHANGED.to_owned(),
        Because::NothingRuns => "nothing of this stack is running".to_owned(),
    }
}

fn starting(stage: StartStep) -> &'static str {
    match stage {
        StartStep::Ports => "checking whether its ports are free",
        StartStep::Cleanup => "cleaning up",
        StartStep::Hook => "running before-start",
        StartStep::Spawn => "starting its process",
    }
}

fn stopping(stage: StopStep) -> &'static str {
    match stage {
        StopStep::Hook => "ending before-start",
        StopStep::Spawn => "its process is just being started",
        StopStep::Command => "running the stop command",
        StopStep::Signal => "waiting for its processes to end",
        StopStep::Kill => "killing its processes",
        StopStep::Ports => "waiting for its ports to be free",
        StopStep::Cleanup => "cleaning up",
        StopStep::AfterStop => "running after-stop",
        StopStep::AfterStopKill => "killing after-stop",
    }
}
