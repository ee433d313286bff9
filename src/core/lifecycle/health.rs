//! What happens to a service while it is up: its liveness, its memory, its end.

use super::{EndReason, Input, Phase, ProbeAnswer, ServiceMachine, Transition, millis};
use crate::{
    event::{Cause, Event},
    model::RestartWhen,
};

impl ServiceMachine {
    pub(super) fn while_up(&mut self, input: Input, transition: &mut Transition<'_>) {
        match input {
            Input::Alive(answer) => self.alive(answer, transition),
            Input::MemoryExceeded(bytes) => self.end_by(EndReason::Memory(bytes), transition),
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
                self.answer = None;
                if matches!(self.phase, Phase::Unhealthy { .. }) {
                    let unhealthy_ms = Some(millis(transition.now.since(self.since)));
                    let after_ms = self.ready_after_ms().unwrap_or(0);
                    self.enter(Phase::Ready, transition.now);
                    let checked = !self.unchecked;
                    let event = Event::Ready { after_ms, checked, address: None, unhealthy_ms };
                    self.publish_because(event, Cause::Check, transition);
                }
            }
            ProbeAnswer::Fails { check, answer } => {
                let reason = format!("{check}: {answer}");
                self.answered(check, answer, transition);
                self.failures = self.failures.saturating_add(1);
                if self.failures >= policy.failures && matches!(self.phase, Phase::Ready) {
                    self.lose_health(reason, transition);
                }
            }
        }
    }

    fn lose_health(&mut self, reason: String, transition: &mut Transition<'_>) {
        let cooldown =
            transition.service.alive.as_ref().map_or_else(Default::default, |a| a.cooldown);
        let event = Event::Unhealthy { reason: reason.clone() };
        self.publish_because(event, Cause::Check, transition);
        let until = match transition.service.restart.when {
            RestartWhen::Never => None,
            RestartWhen::Always | RestartWhen::OnFailure => Some(
                self.mended.map_or(transition.now, |mended| mended + cooldown).max(transition.now),
            ),
        };
        self.enter(Phase::Unhealthy { reason: reason.clone(), until }, transition.now);
        if until == Some(transition.now) {
            self.mend(reason, transition);
        }
    }

    pub(super) fn mend(&mut self, reason: String, transition: &mut Transition<'_>) {
        self.mended = Some(transition.now);
        self.end_by(EndReason::Unhealthy(reason), transition);
    }

    /// Notes what a check answered, and writes it down where it is news.
    pub(super) fn answered(
        &mut self,
        check: String,
        answer: String,
        transition: &mut Transition<'_>,
    ) {
        let news = Some((check, answer));
        if self.answer != news
            && let Some((check, answer)) = news.clone()
        {
            self.answer = news;
            self.publish_because(Event::Checked { check, answer }, Cause::Check, transition);
        }
    }
}
