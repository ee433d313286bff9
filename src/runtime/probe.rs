//! When checks are asked: readiness until it holds, liveness for as long as the service is up.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Internal, checks::Attempt};
use crate::{
    event::Tick,
    lifecycle::{Input, ProbeAnswer},
    platform,
};

/// The shortest pause between two attempts that cost a system call or two.
const SHORTEST: Duration = Duration::from_millis(1);
/// The shortest pause between two attempts that start a process.
const SHORTEST_COMMAND: Duration = Duration::from_millis(20);

/// Checks to be asked for one generation of a service.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) generation: u64,
    /// All must hold.
    pub(super) attempts: Vec<Attempt>,
    pub(super) every: Duration,
    pub(super) timeout: Duration,
    pub(super) started: Tick,
    pub(super) answers: mpsc::UnboundedSender<Internal>,
}

impl Probe {
    /// Asks at once, then after a tenth of the time since the start each time, at most `every`
    /// apart: no start is noticed more than a tenth late, and slow ones cost little. Tells each
    /// answer that differs from the one before, and ends when all checks hold.
    pub(super) async fn until_ready(mut self) {
        let mut last = None;
        loop {
            let answer = self.ask().await;
            if last.as_ref() != Some(&answer) {
                self.tell(Input::Probed(answer.clone()));
            }
            if answer == ProbeAnswer::Holds {
                return;
            }
            last = Some(answer);
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// Asks every `every`, the first time after a part of it that differs from service to
    /// service, so that many services are not asked in the same moment. Tells every answer.
    pub(super) async fn while_alive(mut self) {
        let spread =
            self.name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        let first = self.every.mul_f64(0.5 + f64::from(spread % 512) / 1024.0);
        let mut timer =
            tokio::time::interval_at(tokio::time::Instant::now() + first, self.every.max(SHORTEST));
        // A machine that slept must not make up for the attempts it missed.
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            let answer = self.ask().await;
            self.tell(Input::Alive(answer));
        }
    }

    async fn ask(&mut self) -> ProbeAnswer {
        for attempt in &mut self.attempts {
            let answer = attempt.ask(self.timeout).await;
            if answer != ProbeAnswer::Holds {
                return answer;
            }
        }
        ProbeAnswer::Holds
    }

    fn pause(&self) -> Duration {
        let now = platform::now();
        let expensive = self.attempts.iter().any(Attempt::is_expensive);
        let shortest = if expensive { SHORTEST_COMMAND } else { SHORTEST };
        let pause = (now.since(self.started) / 10).min(self.every).max(shortest);
        // A delay that is all that is missing ends on time.
        let delays = self.attempts.iter().filter_map(|attempt| attempt.not_before(now));
        let soonest = delays.filter(|delay| !delay.is_zero()).min();
        soonest.map_or(pause, |delay| pause.min(delay.max(SHORTEST)))
    }

    fn tell(&self, input: Input) {
        let name = self.name.clone();
        // The loop has ended if this fails.
        let _ = self.answers.send(Internal::Unit { name, generation: self.generation, input });
    }
}
