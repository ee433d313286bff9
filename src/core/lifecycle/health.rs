//! What happens to a service while it is up: its liveness, its memory, its end.

use super::{Input, Phase, ProbeAnswer, ServiceMachine, Transition, millis};
use crate::{
    event::{Cause, Event},
    model::RestartWhen,
    reason::{FailedCheck, Failure},
};

impl ServiceMachine {
    pub(super) fn while_up(&mut self, input: Input, transition: &mut Transition<'_>) {
        match input {
            Input::Alive(answer) => self.alive(answer, transition),
            Input::MemoryExceeded(bytes) => self.outgrown(bytes, transition),
            Input::Exited(exited) => self.main_ended(exited, transition),
            Input::TreeGone { swept } => self.vanished(swept, transition),
            // Answers to what is no longer asked; what cannot be killed was not asked to end.
            Input::Probed(_)
            | Input::Ports(_)
            | Input::Released(_)
            | Input::Cleaned(_)
            | Input::HookEnded { .. }
            | Input::Spawned { .. }
            | Input::SpawnFailed(_)
            | Input::Unchanged(_)
            | Input::Recorded
            | Input::Stepped { .. }
            | Input::Stuck(_) => {}
        }
    }

    fn alive(&mut self, answer: ProbeAnswer, transition: &mut Transition<'_>) {
        let Some(policy) = &transition.service.alive else { return };
        match answer {
            ProbeAnswer::Holds => {
                self.failures = 0;
                self.failed_check = None;
                if matches!(self.phase, Phase::Unhealthy { .. }) {
                    let unhealthy_ms = Some(millis(transition.now.since(self.since)));
                    let after_ms = self.ready_after_ms().unwrap_or(0);
                    self.enter(Phase::Ready, transition.now);
                    let checked = !self.unchecked;
                    let event = Event::Ready { after_ms, checked, address: None, unhealthy_ms };
                    self.publish_because(event, Cause::Check, transition);
                }
            }
            ProbeAnswer::Fails(check) => {
                self.answered(&check, transition);
                self.failures = self.failures.saturating_add(1);
                if self.failures >= policy.failures && matches!(self.phase, Phase::Ready) {
                    self.lose_health(check, transition);
                }
            }
        }
    }

    fn lose_health(&mut self, check: FailedCheck, transition: &mut Transition<'_>) {
        let cooldown =
            transition.service.alive.as_ref().map_or_else(Default::default, |a| a.cooldown);
        let event = Event::Unhealthy { check: check.clone() };
        self.publish_because(event, Cause::Check, transition);
        let until = match transition.service.restart.when {
            RestartWhen::Never => None,
            RestartWhen::Always | RestartWhen::OnFailure => Some(
                self.mended.map_or(transition.now, |mended| mended + cooldown).max(transition.now),
            ),
        };
        self.enter(Phase::Unhealthy { check: check.clone(), until }, transition.now);
        if until == Some(transition.now) {
            self.restart_unhealthy(check, transition);
        }
    }

    pub(super) fn restart_unhealthy(
        &mut self,
        check: FailedCheck,
        transition: &mut Transition<'_>,
    ) {
        self.mended = Some(transition.now);
        self.end_by(Failure::Unhealthy { check }, transition);
    }

    /// Its processes use more memory than they may.
    pub(super) fn outgrown(&mut self, bytes: u64, transition: &mut Transition<'_>) {
        let max_bytes = transition.service.memory_max.unwrap_or(bytes);
        self.end_by(Failure::Memory { bytes, max_bytes }, transition);
    }

    /// Notes what a check answered, and writes it down where it is news.
    pub(super) fn answered(&mut self, failed: &FailedCheck, transition: &mut Transition<'_>) {
        if self.failed_check.as_ref() != Some(failed) {
            self.failed_check = Some(failed.clone());
            let event = Event::Checked { failed: failed.clone() };
            self.publish_because(event, Cause::Check, transition);
        }
    }
}
