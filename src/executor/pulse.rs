//! Whether the keeper answers, while somebody waits for what it is to do.
//!
//! A keeper that was stopped (SIGSTOP, a debugger, a frozen cgroup) says nothing, and its connection
//! stays open. It is asked now and then as long as a request is open, and who waits is told what is
//! wrong with it instead of nothing.

use std::time::Duration;

use super::state::Executor;
use crate::{
    control::Obstacle,
    event::{Cause, Event, Tick},
    keeper::protocol::ToKeeper,
    platform::{self, Entry},
};

/// The time from one question to the next; it doubles with each answer.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// So much silence of a process that is stopped means that it does not answer.
const STOPPED: Duration = Duration::from_secs(2);
/// So much of any other one.
const SILENT: Duration = Duration::from_secs(15);
/// No pause counts for more: this process may have been stopped as well.
const COUNTED: Duration = Duration::from_secs(1);

/// What becomes of a request that the keeper did not answer.
const LATER: &str = "what was asked for is done once it goes on";

/// What is known of the keeper's answers.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// When it was looked after last.
    last: Option<Tick>,
    pause: Duration,
    /// Whether it was asked and has not said anything since, …
    is_asked: bool,
    /// … and for how long.
    silent: Duration,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Interval {
    /// Nothing yet.
    Rest,
    /// Ask it.
    Ask,
    /// It has been silent for so long.
    Silent(Duration),
}

impl Pulse {
    /// It has said something.
    pub(super) fn heard(&mut self) {
        (self.is_asked, self.silent) = (false, Duration::ZERO);
    }

    /// When to look after it next.
    pub(super) fn due(&self, now: Tick) -> Tick {
        let pause = if self.is_asked { FIRST_PAUSE } else { self.pause };
        self.last.map_or(now, |last| last + pause)
    }

    fn beat(&mut self, now: Tick) -> Interval {
        if now < self.due(now) {
            return Interval::Rest;
        }
        let passed = self.last.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        if self.is_asked {
            self.silent += passed.min(COUNTED);
            return Interval::Silent(self.silent);
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.is_asked = true;
        Interval::Ask
    }
}

impl Executor {
    /// Looks after the keeper, if anybody waits for it.
    pub(super) fn feel_pulse(&mut self) {
        if !self.clients.wait_for_keeper() {
            self.pulse = Pulse::default();
            return;
        }
        match self.pulse.beat(platform::now()) {
            Interval::Rest => {}
            Interval::Ask => self.link.send(ToKeeper::Ping),
            Interval::Silent(silent) => {
                let is_stopped = self.still_keeper().filter(|_| silent >= STOPPED);
                if let Some(why) = is_stopped.or_else(|| self.silent_keeper(silent)) {
                    self.give_up_waiting(&why);
                    self.publish(None, None, Event::notice(why), Cause::Supervisor);
                }
            }
        }
    }

    /// What is wrong with a keeper that stands still; none if it does not.
    fn still_keeper(&self) -> Option<String> {
        let obstacle = Obstacle::standing_still(self.keeper_pid)?;
        Some(format!("{obstacle}: {LATER}; {}", obstacle.advice()))
    }

    fn silent_keeper(&self, silent: Duration) -> Option<String> {
        let keeper = Entry::read(self.keeper_pid).filter(|_| silent >= SILENT)?;
        Some(format!(
            "the stack's keeper has not answered for {} s: {}: {LATER}",
            silent.as_secs(),
            platform::predicament(&keeper)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_only_while_this_process_could_listen() {
        let mut pulse = Pulse::default();
        let at = |millis| Tick(Duration::from_millis(millis));
        assert_eq!(pulse.beat(at(1000)), Interval::Ask);
        assert_eq!(pulse.beat(at(1100)), Interval::Rest);
        assert_eq!(pulse.beat(at(1600)), Interval::Silent(Duration::from_millis(600)));
        // An hour of sleep.
        assert_eq!(pulse.beat(at(3_601_600)), Interval::Silent(Duration::from_millis(1600)));
        pulse.heard();
        assert_eq!(pulse.beat(at(3_601_700)), Interval::Rest);
        assert_eq!(pulse.beat(at(3_602_200)), Interval::Ask);
        pulse.heard();
        // It is well: it is asked less often.
        assert_eq!(pulse.due(at(3_602_300)), at(3_603_200));
    }
}
