//! The end of a stop, once no process of the service is left: ports, files, `after-stop`.

use std::time::Duration;

use super::{
    Effect, Phase, RELEASE_WITHIN, ServiceMachine, StopStage, TIDY_WITHIN, Then, Transition,
};
use crate::{event::Event, model::Hook};

/// The time from one look at the ports of a stopped service to the next.
const RELEASE_EVERY: Duration = Duration::from_millis(20);

impl ServiceMachine {
    pub(super) fn release(&mut self, then: Then, transition: &mut Transition<'_>) {
        if transition.service.ports.is_empty() {
            self.tidy(then, transition);
        } else {
            self.stage_stop(StopStage::Ports { again: None }, then, RELEASE_WITHIN, transition);
            self.emit(Effect::CheckReleased, transition);
        }
    }

    pub(super) fn released(&mut self, free: bool, transition: &mut Transition<'_>) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        if free {
            let then = stopping.then.clone();
            self.tidy(then, transition);
        } else {
            stopping.stage = StopStage::Ports { again: Some(transition.now + RELEASE_EVERY) };
        }
    }

    pub(super) fn tidy(&mut self, then: Then, transition: &mut Transition<'_>) {
        if transition.service.cleanup.is_empty() {
            self.after_stop(then, transition);
        } else {
            self.stage_stop(StopStage::Cleanup, then, TIDY_WITHIN, transition);
            self.emit(Effect::Cleanup, transition);
        }
    }

    pub(super) fn after_stop(&mut self, then: Then, transition: &mut Transition<'_>) {
        if transition.service.hooks.after_stop.is_empty() {
            self.finish(then, transition);
        } else {
            self.stage_stop(StopStage::AfterStop, then, transition.service.stop.grace, transition);
            self.emit(Effect::RunHook(Hook::AfterStop), transition);
        }
    }

    pub(super) fn finish(&mut self, then: Then, transition: &mut Transition<'_>) {
        match then {
            Then::Idle => {
                self.enter(Phase::Idle, transition.now);
                self.publish(Event::Stopped, transition);
            }
            Then::Judge(ending) => self.judge(&ending, transition),
        }
    }
}
