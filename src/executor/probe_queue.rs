//! When which check is asked: a queue of moments, and a bound on how many are begun at once.
//!
//! Pure: it is told the time, and says whose turn it is. A check that takes long gives its place
//! to the others, for waiting costs nothing: a thousand servers that hang delay nobody else's.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::event::Tick;

/// What is asked.
pub(super) type Id = u64;

/// The moments at which checks are due, and those that are being asked.
#[derive(Debug)]
pub(super) struct ProbeQueue {
    /// So many are begun at once.
    places: usize,
    /// So long does one keep its place.
    patience: Duration,
    due: Queue,
    /// Those that hold a place, by the moment at which they lose it.
    placed: Queue,
}

impl ProbeQueue {
    /// An empty one.
    pub(super) fn new(places: usize, patience: Duration) -> Self {
        Self { places, patience, due: Queue::default(), placed: Queue::default() }
    }

    /// Has this asked at that moment, and not at the one planned before. If it was being asked,
    /// that is over.
    pub(super) fn plan(&mut self, id: Id, at: Tick) {
        self.placed.remove(id);
        self.due.insert(id, at);
    }

    /// Has this asked no more. If it was being asked, that is over.
    pub(super) fn forget(&mut self, id: Id) {
        self.placed.remove(id);
        self.due.remove(id);
    }

    /// The next whose turn it is: from now on it is being asked, until it is planned again.
    pub(super) fn begin(&mut self, now: Tick) -> Option<Id> {
        while self.placed.pop_until(now).is_some() {}
        if self.placed.len() >= self.places {
            return None;
        }
        let id = self.due.pop_until(now)?;
        self.placed.insert(id, now + self.patience);
        Some(id)
    }

    /// When to look again, if nobody answers before.
    pub(super) fn wakes(&self) -> Option<Tick> {
        let due = self.due.first()?;
        let full = self.placed.len() >= self.places;
        let free = self.placed.first().filter(|_| full);
        Some(free.map_or(due, |free| free.max(due)))
    }
}

/// Ids by moment, each once.
#[derive(Debug, Default)]
struct Queue {
    order: BTreeSet<(Tick, Id)>,
    at: HashMap<Id, Tick>,
}

impl Queue {
    fn insert(&mut self, id: Id, at: Tick) {
        if let Some(before) = self.at.insert(id, at) {
            self.order.remove(&(before, id));
        }
        self.order.insert((at, id));
    }

    fn remove(&mut self, id: Id) {
        if let Some(at) = self.at.remove(&id) {
            self.order.remove(&(at, id));
        }
    }

    fn first(&self) -> Option<Tick> {
        self.order.first().map(|(at, _)| *at)
    }

    fn pop_until(&mut self, now: Tick) -> Option<Id> {
        self.order.first().filter(|(at, _)| *at <= now)?;
        let (_, id) = self.order.pop_first()?;
        self.at.remove(&id);
        Some(id)
    }

    fn len(&self) -> usize {
        self.order.len()
    }
}

/// Moments that are evenly apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    every: Duration,
    offset: Duration,
}

impl Interval {
    /// The first of its moments after this one.
    pub(super) fn after(self, now: Tick) -> Tick {
        let (every, offset) = (self.every.as_nanos(), self.offset.as_nanos());
        let passed = now.0.as_nanos();
        let beats = (passed + every - offset) / every;
        Tick(nanos(beats * every + offset))
    }
}

/// Deals out beats that do not fall together, however many there are and however they come and go:
/// their offsets are the multiples of the golden ratio, which leave no large gap and no cluster.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// One of its own for each stack, so that those of a machine do not fall together either.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// The next one's beat. Its period is at least a millisecond.
    pub(super) fn beat(&mut self, every: Duration) -> Interval {
        // 2^64 divided by the golden ratio.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let every = every.max(Duration::from_millis(1));
        let offset = nanos((every.as_nanos() * u128::from(self.0)) >> 64);
        Interval { every, offset }
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What was begun when, by how long each takes to answer.
    fn play(every: Duration, takes: &[Duration], places: usize, until: Tick) -> Vec<(Tick, Id)> {
        let mut agenda = ProbeQueue::new(places, ms(20));
        let mut spread = Jitter::new(7);
        let beats: Vec<Interval> = takes.iter().map(|_| spread.beat(every)).collect();
        let mut now = Tick(Duration::from_secs(1000));
        for (id, beat) in (0..).zip(&beats) {
            agenda.plan(id, beat.after(now));
        }
        let mut answers = BTreeSet::new();
        let mut begun = Vec::new();
        while now < until {
            while let Some(id) = agenda.begin(now) {
                answers.insert((now + takes[id as usize], id));
                begun.push((now, id));
            }
            let fresh = |(at, id): &&(Tick, Id)| at.since(now) + ms(20) > takes[*id as usize];
            assert!(answers.iter().filter(fresh).count() <= places);
            let answer = answers.first().map(|(at, _)| *at);
            let next = [agenda.wakes(), answer].into_iter().flatten().min().expect("a next moment");
            assert!(next >= now, "time goes on");
            now = next;
            while let Some((_, id)) = answers.pop_first_if(|(at, _)| *at <= now) {
                agenda.plan(id, beats[id as usize].after(now));
            }
        }
        begun
    }

    trait PopIf {
        fn pop_first_if(&mut self, is: impl Fn(&(Tick, Id)) -> bool) -> Option<(Tick, Id)>;
    }

    impl PopIf for BTreeSet<(Tick, Id)> {
        fn pop_first_if(&mut self, is: impl Fn(&(Tick, Id)) -> bool) -> Option<(Tick, Id)> {
            if self.first().is_some_and(is) { self.pop_first() } else { None }
        }
    }

    #[test]
    fn a_thousand_a_second_fall_on_all_of_it() {
        let takes = vec![Duration::from_micros(200); 1000];
        let end = Tick(Duration::from_secs(1005));
        let begun = play(ms(1000), &takes, 64, end);
        assert_eq!(begun.len(), 5000, "each every second");
        let mut slices = [0; 500];
        for (at, _) in begun {
            slices[(at.0.as_millis() as usize - 1_000_000) / 10] += 1;
        }
        // Ten each would be perfect.
        assert!(slices.iter().all(|count| (7..=13).contains(count)), "{slices:?}");
    }

    #[test]
    fn those_that_hang_delay_nobody() {
        // Nine of ten never answer before their time is up.
        let takes: Vec<_> = (0..1000).map(|id| ms(if id % 10 == 0 { 1 } else { 5000 })).collect();
        let end = Tick(Duration::from_secs(1010));
        let begun = play(ms(1000), &takes, 64, end);
        for id in (0..1000).filter(|id| id % 10 == 0) {
            let moments: Vec<Tick> =
                begun.iter().filter(|(_, of)| *of == id).map(|(at, _)| *at).collect();
            assert!(moments.len() >= 10, "{id} was asked {} times", moments.len());
            let late = moments.windows(2).map(|two| two[1].since(two[0])).max();
            assert!(late.is_some_and(|late| late < ms(1100)), "{id} waited for {late:?}");
        }
    }

    #[test]
    fn what_is_planned_anew_or_forgotten_is_not_asked_at_the_moment_before() {
        let mut agenda = ProbeQueue::new(1, ms(20));
        let at = |millis| Tick(ms(millis));
        agenda.plan(1, at(10));
        agenda.plan(2, at(11));
        agenda.plan(1, at(12));
        assert_eq!((agenda.wakes(), agenda.begin(at(10))), (Some(at(11)), None));
        assert_eq!(agenda.begin(at(11)), Some(2));
        assert_eq!(agenda.wakes(), Some(at(31)), "the one place is taken until then");
        assert_eq!(agenda.begin(at(12)), None);
        agenda.forget(2);
        assert_eq!(agenda.begin(at(12)), Some(1));
        assert_eq!(agenda.wakes(), None);
    }

    proptest! {
        #[test]
        fn everybody_has_a_turn_and_nobody_two(
            takes in prop::collection::vec((0..3000_u64).prop_map(ms), 1..40),
            every in (5..1000_u64).prop_map(ms),
            places in 1..5_usize,
        ) {
            let end = Tick(Duration::from_secs(1010));
            let begun = play(every, &takes, places, end);
            for (id, takes) in (0..).zip(&takes) {
                let own = begun.iter().filter(|(_, of)| *of == id).map(|(at, _)| *at);
                let own: Vec<Tick> = own.collect();
                prop_assert!(!own.is_empty());
                // Never while the one before is being asked.
                prop_assert!(own.windows(2).all(|two| two[1].since(two[0]) >= *takes));
                // All ahead of it keep their places no longer than 20 ms each.
                let queue = ms(20 * 40) + every + *takes;
                prop_assert!(own.windows(2).all(|two| two[1].since(two[0]) <= queue));
            }
        }

        #[test]
        fn a_beat_goes_on_for_ever(seed: u64, now in 0..u64::MAX / 4, every in 1..u64::MAX / 8) {
            let every = Duration::from_nanos(every);
            let beat = Jitter::new(seed).beat(every);
            let now = Tick(Duration::from_nanos(now));
            let next = beat.after(now);
            prop_assert!(next > now);
            prop_assert!(next.since(now) <= every.max(ms(1)));
            prop_assert_eq!(beat.after(next).since(next), every.max(ms(1)));
        }
    }
}
