//! The checks of one generation of a service, and when they are asked: readiness until it holds,
//! liveness for as long as the service is up.

use std::time::Duration;

use super::checks::Attempt;
use crate::{
    core::lifecycle::{Input, ProbeAnswer},
    event::Tick,
    platform,
};

/// The shortest pause between two attempts that cost a system call or two.
const SHORTEST: Duration = Duration::from_millis(1);
/// The shortest pause between two attempts that start a process.
const SHORTEST_COMMAND: Duration = Duration::from_millis(20);
/// An answer that was given up so much later than planned was waited for by a process that could
/// not run.
const OVERSLEPT: Duration = Duration::from_millis(500);

/// Checks to be asked for one generation of a service.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) generation: u64,
    /// All must hold.
    pub(super) attempts: Vec<Attempt>,
    /// How long each may take.
    pub(super) timeout: Duration,
    pub(super) rhythm: Rhythm,
    /// The last answer.
    pub(super) last: Option<ProbeAnswer>,
}

/// What a probe is for, and so when it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rhythm {
    /// At once, then after a tenth of the time since the start each time, at most `every` apart:
    /// no start is noticed more than a tenth late, and slow ones cost little. Over once all hold.
    UntilReady {
        /// When the service was started.
        started: Tick,
        /// The longest pause.
        every: Duration,
    },
    /// Evenly, for ever.
    WhileAlive {
        /// The time from one attempt to the next.
        every: Duration,
    },
}

impl Probe {
    /// Whether asking starts processes, which cost more than a system call.
    pub(super) fn is_expensive(&self) -> bool {
        self.attempts.iter().any(Attempt::is_expensive)
    }

    /// Asks once: the first check that fails is the answer.
    pub(super) async fn ask(&mut self) -> ProbeAnswer {
        for attempt in &mut self.attempts {
            let began = platform::now();
            let mut answer = attempt.ask(self.timeout).await;
            // A machine that slept, or a process that was frozen, has not waited: again.
            if answer != ProbeAnswer::Holds
                && platform::now().since(began) > self.timeout + OVERSLEPT
            {
                answer = attempt.ask(self.timeout).await;
            }
            if answer != ProbeAnswer::Holds {
                return answer;
            }
        }
        ProbeAnswer::Holds
    }

    /// Takes in an answer. What is news is to be told: a failure of a service that was ready each
    /// time, for they are counted; anything else if it differs from the answer before.
    pub(super) fn answered(&mut self, answer: ProbeAnswer) -> Option<Input> {
        let news = self.last.as_ref() != Some(&answer);
        self.last = Some(answer.clone());
        match (self.rhythm, &answer) {
            (Rhythm::UntilReady { .. }, _) => news.then_some(Input::Probed(answer)),
            (Rhythm::WhileAlive { .. }, ProbeAnswer::Fails { .. }) => Some(Input::Alive(answer)),
            (Rhythm::WhileAlive { .. }, ProbeAnswer::Holds) => news.then_some(Input::Alive(answer)),
        }
    }

    /// The pause until a service that is not ready, started then, is asked again.
    pub(super) fn pause(&self, started: Tick, every: Duration, now: Tick) -> Duration {
        let shortest = if self.is_expensive() { SHORTEST_COMMAND } else { SHORTEST };
        let pause = (now.since(started) / 10).min(every).max(shortest);
        // A delay that is all that is missing ends on time.
        let delays = self.attempts.iter().filter_map(|attempt| attempt.not_before(now));
        let soonest = delays.filter(|delay| !delay.is_zero()).min();
        soonest.map_or(pause, |delay| pause.min(delay.max(SHORTEST)))
    }
}
