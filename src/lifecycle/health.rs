//! What happens to a service while it is up: its liveness, its memory, its end.

use super::{Ending, Input, Life, Phase, ProbeAnswer, Step, millis};
use crate::{
    event::{Cause, Event},
    model::RestartWhen,
};

impl Life {
    pub(super) fn while_up(&mut self, input: Input, step: &mut Step<'_>) {
        match input {
            Input::Alive(answer) => self.alive(answer, step),
            Input::MemoryExceeded(bytes) => self.end_by(Ending::Memory(bytes), step),
            Input::Exited { exit, background } => self.main_ended(exit, background, step),
            Input::TreeGone { swept } => self.vanished(swept, step),
            // Answers to what is no longer asked; what cannot be killed was not asked to end.
            Input::Probed(_)
            | Input::Ports(_)
            | Input::Cleaned(_)
            | Input::HookEnded { .. }
            | Input::Spawned { .. }
            | Input::SpawnFailed(_)
            | Input::Unchanged(_)
            | Input::Recorded
            | Input::LastWords(_)
            | Input::Stepped { .. }
            | Input::OutOfMemory
            | Input::Stuck(_) => {}
        }
    }

    fn alive(&mut self, answer: ProbeAnswer, step: &mut Step<'_>) {
        let Some(policy) = &step.service.alive else { return };
        match answer {
            ProbeAnswer::Holds => {
                self.failures = 0;
                self.answer = None;
                if matches!(self.phase, Phase::Unhealthy { .. }) {
                    let unhealthy_ms = Some(millis(step.now.since(self.since)));
                    let after_ms = self.ready_after_ms().unwrap_or(0);
                    self.enter(Phase::Ready, step.now);
                    let checked = !self.unchecked;
                    let event = Event::Ready { after_ms, checked, address: None, unhealthy_ms };
                    self.publish_because(event, Cause::Check, step);
                }
            }
            ProbeAnswer::Fails { check, answer } => {
                let reason = format!("{check}: {answer}");
                self.answered(check, answer, step);
                self.failures = self.failures.saturating_add(1);
                if self.failures >= policy.failures && matches!(self.phase, Phase::Ready) {
                    self.lose_health(reason, step);
                }
            }
        }
    }

    fn lose_health(&mut self, reason: String, step: &mut Step<'_>) {
        let cooldown = step.service.alive.as_ref().map_or_else(Default::default, |a| a.cooldown);
        let event = Event::Unhealthy { reason: reason.clone() };
        self.publish_because(event, Cause::Check, step);
        let until = match step.service.restart.when {
            RestartWhen::Never => None,
            RestartWhen::Always | RestartWhen::OnFailure => {
                Some(self.mended.map_or(step.now, |mended| mended + cooldown).max(step.now))
            }
        };
        self.enter(Phase::Unhealthy { reason: reason.clone(), until }, step.now);
        if until == Some(step.now) {
            self.mend(reason, step);
        }
    }

    pub(super) fn mend(&mut self, reason: String, step: &mut Step<'_>) {
        self.mended = Some(step.now);
        self.end_by(Ending::Unhealthy(reason), step);
    }

    /// Notes what a check answered, and writes it down where it is news.
    pub(super) fn answered(&mut self, check: String, answer: String, step: &mut Step<'_>) {
        let news = Some((check, answer));
        if self.answer != news
            && let Some((check, answer)) = news.clone()
        {
            self.answer = news;
            self.publish_because(Event::Checked { check, answer }, Cause::Check, step);
        }
    }
}
