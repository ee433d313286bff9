//! The trial of a service that nothing checks: it is ready by having started, which is believed
//! once it has lived for a while.

use std::time::Duration;

use super::{ServiceMachine, Transition};
use crate::{event::Event, model::Service};

/// So long has a service to live that has nothing to check.
const TRIAL: Duration = Duration::from_millis(500);

impl ServiceMachine {
    /// Whether its being ready is to be believed: what nothing checks has to live for a while.
    pub fn is_proven(&self) -> bool {
        self.trial.is_none()
    }

    /// Whether this generation was ready before it ended, and that was to be believed.
    pub fn was_ready(&self) -> bool {
        self.ready_at.is_some() && self.is_proven()
    }

    /// Whether a check or a port tells that it is ready: of a generation that was ready the one
    /// that did, else what the definition has.
    pub fn is_checked(&self, service: &Service) -> bool {
        match self.ready_at {
            Some(_) => !self.unchecked,
            None => service.is_checked(),
        }
    }

    /// It is ready: what nothing checks only on trial.
    pub(super) fn begin_trial(&mut self, transition: &mut Transition<'_>) {
        self.unchecked = !transition.service.is_checked();
        self.trial = self.unchecked.then(|| transition.now + TRIAL);
        if self.is_proven() {
            self.tell_ready(transition);
        }
    }

    /// It has lived for long enough.
    pub(super) fn prove(&mut self, transition: &mut Transition<'_>) {
        self.trial = None;
        self.tell_ready(transition);
    }

    fn tell_ready(&self, transition: &mut Transition<'_>) {
        let after_ms = self.ready_after_ms().unwrap_or_default();
        let checked = !self.unchecked;
        self.publish(
            Event::Ready { after_ms, checked, address: None, unhealthy_ms: None },
            transition,
        );
    }
}
