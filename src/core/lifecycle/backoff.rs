//! How often something may be tried again, and after how long a pause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    event::Tick,
    model::{Restart, is_default, time},
};

/// How the end of one that had not been ready is said to be so.
pub(super) const BEFORE_READY: &str = " before it was ready";
/// The same of one that nothing checks.
pub(super) const AFTER_START: &str = " right after its start";

/// The tries of one service. Pure: the jitter comes from a generator within.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    /// When each counted failure happened, oldest first; never more than the policy's `tries`.
    #[serde(default, skip_serializing_if = "is_default")]
    at: Vec<Tick>,
    /// Ends since the last reset, for the pause.
    #[serde(default, skip_serializing_if = "is_default")]
    streak: u32,
    /// What the counted failures looked like; empty once they differ.
    #[serde(default, skip_serializing_if = "is_default")]
    signature: Option<String>,
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
    /// No more, because of this.
    Enough(String),
}

impl Tries {
    pub(super) fn new(seed: u64) -> Self {
        Self { at: Vec::new(), streak: 0, signature: None, random: seed }
    }

    /// Forgets all failures.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.random);
    }

    /// Counts a failure. One that had been ready lets the window slide; starts that never
    /// succeed are bounded by their number alone, however long each of them takes.
    pub(super) fn failed(
        &mut self,
        signature: &str,
        was_ready: bool,
        policy: &Restart,
        now: Tick,
    ) -> Verdict {
        if was_ready {
            self.at.retain(|at| now.since(*at) < policy.within);
        }
        self.signature = match self.signature.take() {
            Some(one) if one == signature => Some(one),
            Some(_) => Some(String::new()),
            None => Some(signature.to_owned()),
        };
        if self.at.len() >= policy.tries as usize {
            return Verdict::Enough(self.sentence(signature, now));
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

    /// `6 times exit 1 within 8.0s`, `6 times exit 1 within 8.0s, before it was ready`,
    /// `6 times exit 1 within 8.0s, right after its start`.
    fn sentence(&self, last: &str, now: Tick) -> String {
        let Some(first) = self.at.first() else { return last.to_owned() };
        let times = self.at.len() + 1;
        let within = time::elapsed(now.since(*first));
        if self.signature.as_deref() == Some(last) {
            let early = [BEFORE_READY, AFTER_START].into_iter();
            let mut early = early.filter_map(|early| Some((last.strip_suffix(early)?, early)));
            match early.next() {
                Some((end, early)) => format!("{times} times {end} within {within},{early}"),
                None => format!("{times} times {last} within {within}"),
            }
        } else {
            format!("{times} failures within {within}, the last: {last}")
        }
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

    fn at(seconds: u64) -> Tick {
        Tick(Duration::from_secs(seconds))
    }

    #[test]
    fn pauses_double_up_to_the_longest_with_some_jitter() {
        let policy = Restart { tries: 100, ..Restart::default() };
        let mut tries = Tries::new(7);
        for full in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            let Verdict::Again { delay, .. } = tries.failed("exit 1", false, &policy, at(0)) else {
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
        let first = tries.failed("exit 1", true, &policy, at(0));
        assert!(matches!(first, Verdict::Again { attempt: 1, .. }), "{first:?}");
    }

    #[test]
    fn enough_says_how_often_and_what() {
        let policy = Restart { tries: 2, ..Restart::default() };
        let mut tries = Tries::new(7);
        for second in [1, 2] {
            assert!(matches!(
                tries.failed("exit 1", true, &policy, at(second)),
                Verdict::Again { .. }
            ));
        }
        let enough = tries.failed("exit 1", true, &policy, at(9));
        assert_eq!(enough, Verdict::Enough("3 times exit 1 within 8.0s".into()));
        let mut early = Tries::new(7);
        let signature = format!("exit 3{BEFORE_READY}");
        for second in [1, 2] {
            let _ = early.failed(&signature, false, &policy, at(second));
        }
        let sentence = "3 times exit 3 within 8.0s, before it was ready".to_owned();
        assert_eq!(early.failed(&signature, false, &policy, at(9)), Verdict::Enough(sentence));
        let enough = tries.failed("SIGSEGV", true, &policy, at(9));
        assert_eq!(enough, Verdict::Enough("3 failures within 8.0s, the last: SIGSEGV".into()));
    }

    #[test]
    fn the_window_slides_for_what_was_ready_and_stands_for_what_was_not() {
        let policy = Restart { tries: 1, ..Restart::default() };
        let mut tries = Tries::new(7);
        let _ = tries.failed("exit 1", true, &policy, at(1));
        assert!(matches!(tries.failed("exit 1", true, &policy, at(100)), Verdict::Again { .. }));
        let mut tries = Tries::new(7);
        let _ = tries.failed("exit 1", false, &policy, at(1));
        assert!(matches!(tries.failed("exit 1", false, &policy, at(100)), Verdict::Enough(_)));
    }
}
