//! How often something may be tried again, and after how long a pause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;
use crate::{
    event::Tick,
    model::{Restart, is_default},
    reason::{Failure, Repeated},
};

/// The tries of one service. Pure: the jitter comes from a generator within.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    /// When each counted failure happened, oldest first; never more than the policy's `tries`.
    #[serde(default, skip_serializing_if = "is_default")]
    at: Vec<Tick>,
    /// Ends since the last reset, for the pause.
    #[serde(default, skip_serializing_if = "is_default")]
    streak: u32,
    /// The last of the counted failures.
    #[serde(default, skip_serializing_if = "is_default")]
    last: Option<Failure>,
    /// Whether they were not all alike.
    #[serde(default, skip_serializing_if = "is_default")]
    differ: bool,
    random: u64,
}

/// What follows a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Once more, after a pause.
    Again {
        /// How long.
        delay: Duration,
        /// The number of this try within the window, from 1.
        attempt: u32,
    },
    /// No more, after so many; none where the first was one too many.
    Enough(Option<Repeated>),
}

impl Tries {
    pub(super) fn new(seed: u64) -> Self {
        Self { at: Vec::new(), streak: 0, last: None, differ: false, random: seed }
    }

    /// Forgets all failures.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.random);
    }

    /// Counts a failure. One that had been ready lets the window slide; starts that never
    /// succeed are bounded by their number alone, however long each of them takes.
    pub(super) fn failed(
        &mut self,
        failure: &Failure,
        was_ready: bool,
        policy: &Restart,
        now: Tick,
    ) -> Verdict {
        if was_ready {
            self.at.retain(|at| now.since(*at) < policy.within);
        }
        let before = self.last.replace(failure.clone());
        self.differ |= before.is_some_and(|before| !before.is_like(failure));
        if self.at.len() >= policy.tries as usize {
            return Verdict::Enough(self.repeated(now));
        }
        self.at.push(now);
        self.streak = self.streak.saturating_add(1);
        let attempt = u32::try_from(self.at.len()).unwrap_or(u32::MAX);
        Verdict::Again { delay: self.pause(policy), attempt }
    }

    /// Takes note of an end that was no failure, of one that is to be started again even so: no try,
    /// but the pause grows all the same, so that nothing is started over and over at full speed.
    pub(super) fn ended(&mut self, policy: &Restart) -> Duration {
        self.streak = self.streak.saturating_add(1);
        self.pause(policy)
    }

    /// How often it has failed, this time included.
    fn repeated(&self, now: Tick) -> Option<Repeated> {
        let first = self.at.first()?;
        let times = u32::try_from(self.at.len() + 1).unwrap_or(u32::MAX);
        Some(Repeated { times, over_ms: millis(now.since(*first)), alike: !self.differ })
    }

    /// Doubles with each failure up to the policy's longest; up to a quarter less at random, so
    /// that services which failed together do not come back together.
    fn pause(&mut self, policy: &Restart) -> Duration {
        let doublings = self.streak.saturating_sub(1).min(30);
        let full = policy.delay.saturating_mul(1 << doublings).min(policy.max_delay);
        let part = u32::try_from(self.next_random() >> 48).unwrap_or(0);
        full - full.saturating_mul(part) / (4 << 16)
    }

    /// splitmix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Exit;

    fn exit(code: i32) -> Failure {
        Failure::Exited { exit: Exit::Code(code), early: None }
    }

    fn at(seconds: u64) -> Tick {
        Tick(Duration::from_secs(seconds))
    }

    #[test]
    fn pauses_double_up_to_the_longest_with_some_jitter() {
        let policy = Restart { tries: 100, ..Restart::default() };
        let mut tries = Tries::new(7);
        for full in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            let Verdict::Again { delay, .. } = tries.failed(&exit(1), false, &policy, at(0)) else {
                panic!("may be tried again")
            };
            let full = Duration::from_millis(full);
            assert!(delay <= full && delay >= full * 3 / 4, "{delay:?} of {full:?}");
        }
    }

    #[test]
    fn an_end_that_is_no_failure_is_no_try_and_pauses_all_the_same() {
        let policy = Restart { tries: 1, ..Restart::default() };
        let mut tries = Tries::new(7);
        for full in [200, 400, 800] {
            let (delay, full) = (tries.ended(&policy), Duration::from_millis(full));
            assert!(delay <= full && delay >= full * 3 / 4, "{delay:?} of {full:?}");
        }
        let first = tries.failed(&exit(1), true, &policy, at(0));
        assert!(matches!(first, Verdict::Again { attempt: 1, .. }), "{first:?}");
    }

    #[test]
    fn enough_says_how_often_and_whether_all_were_alike() {
        let policy = Restart { tries: 2, ..Restart::default() };
        let memory = |bytes| Failure::Memory { bytes, max_bytes: 64 };
        for (failures, alike) in [
            ([exit(1), exit(1), exit(1)], true),
            ([exit(1), exit(2), exit(1)], false),
            ([memory(65), memory(66), memory(67)], true),
        ] {
            let mut tries = Tries::new(7);
            let verdicts = failures.iter().zip([1, 2, 9]);
            let verdicts =
                verdicts.map(|(one, second)| tries.failed(one, true, &policy, at(second)));
            let last = verdicts.last().expect("three of them");
            let repeated = Repeated { times: 3, over_ms: 8000, alike };
            assert_eq!(last, Verdict::Enough(Some(repeated)), "{failures:?}");
        }
        let none = Restart { tries: 0, ..Restart::default() };
        assert_eq!(Tries::new(7).failed(&exit(1), true, &none, at(1)), Verdict::Enough(None));
    }

    #[test]
    fn the_window_slides_for_what_was_ready_and_stands_for_what_was_not() {
        let policy = Restart { tries: 1, ..Restart::default() };
        let mut tries = Tries::new(7);
        let _ = tries.failed(&exit(1), true, &policy, at(1));
        assert!(matches!(tries.failed(&exit(1), true, &policy, at(100)), Verdict::Again { .. }));
        let mut tries = Tries::new(7);
        let _ = tries.failed(&exit(1), false, &policy, at(1));
        assert!(matches!(tries.failed(&exit(1), false, &policy, at(100)), Verdict::Enough(_)));
    }
}
