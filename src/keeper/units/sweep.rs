//! Sweeping a tree: when to look at it, and the ladder of kills that ends it.
//!
//! A kill goes to the process group first, all of it at once, as long as its leader is an unreaped
//! child; then to each other process through a verified pidfd; and again, until a scan finds
//! none.

use std::{
    collections::{HashMap, HashSet},
    io,
    time::Duration,
};

use super::{end::End, unit::Unit};
use crate::{
    event::Tick,
    keeper::units::STUCK,
    model::Signal,
    platform::{self, Entry, ProcId, Process},
};

/// A tree is looked at so long after its start, and so long after that, to know its processes:
/// what leaves its parent, session, pipes and environment behind all at once can only be known
/// from before.
const REMEMBER: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(3), Duration::from_secs(30)];

/// The first pause between two scans of a tree that is being killed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How soon orphans about to exit are looked at again.
const NAMELESS: Duration = Duration::from_millis(3);

/// How a tree is looked at, and who in it was killed.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// When to look at the tree.
    look: Option<Tick>,
    /// How many scans there were only to remember who is there.
    remembered: usize,
    pub(super) kill: Option<Kill>,
    /// Everybody but the main process who was sent SIGKILL.
    killed: HashSet<ProcId>,
    /// Those among them who are another user's, whom no signal of ours reaches.
    refused: HashSet<ProcId>,
    /// Processes of an ending tree whose end wakes us, by token.
    watched: HashMap<u64, Process>,
}

/// SIGKILL to everybody, until none is left.
#[derive(Debug)]
pub(super) struct Kill {
    since: Tick,
    pause: Duration,
    is_stuck: bool,
}

/// What a scan that found these processes of a unit asks for.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// No process is left: its logs are to be completed.
    pub(super) is_empty: bool,
    /// Processes whose end is to be waited for.
    pub(super) leftovers: Vec<Process>,
    /// Processes that survive SIGKILL, in a line each, when it is time to say so.
    pub(super) stuck: Option<Vec<String>>,
}

/// What a scan found beside a unit's own processes.
#[derive(Debug)]
pub(in crate::keeper) struct Surroundings<'a> {
    /// Orphans about to exit, which may be of any unit.
    pub(in crate::keeper) nameless: &'a [Entry],
    /// The processes of other stacks.
    pub(in crate::keeper) others: &'a HashSet<u32>,
}

impl Sweep {
    /// When to look at the tree next.
    pub(super) fn next_look(&self) -> Option<Tick> {
        self.look
    }

    pub(super) fn is_due(&self, now: Tick) -> bool {
        self.look.is_some_and(|look| now >= look)
    }

    pub(super) fn look_at(&mut self, at: Tick) {
        self.look = Some(at);
    }

    /// Looks then, or not before something happens.
    pub(super) fn look_again(&mut self, at: Option<Tick>) {
        self.look = at;
    }

    /// Looks at a tree that runs only to remember who is there: a few times, at full seconds, so
    /// that one scan does for many.
    pub(super) fn remember(&mut self, now: Tick) {
        self.look = REMEMBER.get(self.remembered).map(|pause| {
            self.remembered += 1;
            Tick(Duration::from_secs((now + *pause).0.as_secs() + 1))
        });
    }

    /// A scan found no process of an ended unit; whether that is news and certain: one of the orphans
    /// about to exit may be of this unit.
    pub(super) fn found_none(&mut self, end: &mut End, may_be_one: bool, now: Tick) -> bool {
        if may_be_one && now.since(end.at()) < STUCK {
            self.look = Some(now + NAMELESS);
            return false;
        }
        let is_news = end.set_empty();
        if is_news {
            self.look = None;
        }
        is_news
    }

    pub(super) fn kill(&mut self, now: Tick) {
        if self.kill.is_none() {
            self.kill = Some(Kill { since: now, pause: FIRST_PAUSE, is_stuck: false });
            self.look = Some(now);
        }
    }

    /// An orphan of the tree was killed as it came to us.
    pub(super) fn killed(&mut self, orphan: ProcId) {
        self.killed.insert(orphan);
    }

    /// How many processes were killed beside the main one.
    pub(super) fn count_swept(&self) -> usize {
        self.killed.difference(&self.refused).count()
    }

    pub(super) fn is_watched(&self, id: ProcId) -> bool {
        self.watched.values().any(|process| process.id() == id)
    }

    /// The end of a process is waited for.
    pub(super) fn watch(&mut self, token: u64, process: Process) {
        if process.ended().is_none() {
            self.look.get_or_insert(platform::now() + STUCK / 10);
        }
        self.watched.insert(token, process);
    }

    /// Takes note of the end of such a process; whether it is one.
    pub(super) fn unwatch(&mut self, token: u64, now: Tick) -> Option<Process> {
        let process = self.watched.remove(&token)?;
        if self.watched.is_empty() {
            self.look = Some(now);
        }
        Some(process)
    }

    pub(super) fn forget_watched(&mut self) {
        self.watched.clear();
    }

    pub(super) fn watched(&self) -> impl Iterator<Item = u64> {
        self.watched.keys().copied()
    }
}

impl Kill {
    /// When to look again. What has survived for long is waited for, too: its end wakes us.
    fn next_look(&mut self, now: Tick) -> Tick {
        let pause = self.pause;
        let longest = if self.is_stuck { STUCK } else { LONGEST_PAUSE };
        self.pause = (pause * 2).min(longest);
        now + pause
    }
}

impl Unit {
    /// Acts on what a scan found of it.
    pub(super) fn found(
        &mut self,
        family: &[Entry],
        around: &Surroundings<'_>,
        now: Tick,
    ) -> Found {
        let main = self.main();
        let rest: Vec<&Entry> = family.iter().filter(|entry| entry.id != main).collect();
        let is_due = self.sweep.is_due(now);
        let undecided = self.count_left(&rest, now);
        if let (Some(end), true) = (&mut self.end, rest.is_empty()) {
            let may_be_its = |entry: &Entry| entry.id.start >= main.start;
            let is_empty = self.sweep.found_none(end, around.nameless.iter().any(may_be_its), now);
            return Found { is_empty, ..Found::default() };
        }
        if !is_due {
            return Found::default();
        }
        match self.end {
            None => self.sweep.remember(now),
            Some(_) => self.sweep.look_again(undecided),
        }
        let stuck = self.sweep_if_killed(family, around.others, now);
        let is_ending = self.end.is_some() || self.sweep.kill.is_some();
        let rest = rest.iter().map(|entry| entry.id).filter(|_| is_ending);
        let unwatched = rest.filter(|id| !self.sweep.is_watched(*id));
        Found { is_empty: false, leftovers: unwatched.filter_map(Process::open).collect(), stuck }
    }

    /// A step of the ladder, if the unit is to be killed. Returns who survives, when it is time to
    /// say so.
    pub(super) fn sweep_if_killed(
        &mut self,
        family: &[Entry],
        others: &HashSet<u32>,
        now: Tick,
    ) -> Option<Vec<String>> {
        let main = self.main();
        let Sweep { look, kill, killed, .. } = &mut self.sweep;
        let kill = kill.as_mut()?;
        let newcomers = family.iter().filter(|entry| entry.id != main);
        // As long as there are new ones it is a race.
        if newcomers.filter(|entry| killed.insert(entry.id)).count() > 0 {
            kill.pause = FIRST_PAUSE;
        }
        *look = Some(kill.next_look(now));
        let is_stuck = now.since(kill.since) >= STUCK && !kill.is_stuck && !family.is_empty();
        kill.is_stuck |= is_stuck;
        self.kill_all(family, others);
        is_stuck.then(|| family.iter().map(platform::predicament).collect())
    }

    fn kill_all(&mut self, family: &[Entry], others: &HashSet<u32>) {
        if let Some(cgroup) = self.cgroup()
            && !cgroup.pids().iter().any(|pid| others.contains(pid))
        {
            // An older kernel: the rest of the ladder does it.
            let _one_by_one = cgroup.kill();
        }
        if let Some(group) = self.child() {
            let _empty = platform::kill_group(group, Signal::KILL);
        }
        if let (None, Some(process)) = (&self.end, self.process()) {
            let _ended = process.signal(Signal::KILL);
        }
        let main = self.main();
        for entry in family.iter().filter(|entry| entry.id != main) {
            let Some(process) = Process::open(entry.id) else { continue };
            let sent = process.signal(Signal::KILL);
            // It may exit by itself, but not by us.
            if sent.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
                self.sweep.refused.insert(entry.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Tick {
        Tick(Duration::from_millis(millis))
    }

    #[test]
    fn a_tree_that_runs_is_looked_at_three_times() {
        let mut sweep = Sweep::default();
        let mut now = at(0);
        let mut looks = Vec::new();
        loop {
            sweep.remember(now);
            let Some(next) = sweep.next_look() else { break };
            looks.push(next.0.as_secs());
            now = next;
        }
        assert_eq!(looks, [1, 5, 36]);
    }

    #[test]
    fn one_who_survives_is_looked_at_less_and_less_often() {
        let mut sweep = Sweep::default();
        sweep.kill(at(0));
        sweep.kill(at(500));
        assert_eq!(sweep.next_look(), Some(at(0)), "a second time changes nothing");
        let kill = sweep.kill.as_mut().expect("a kill");
        let pauses: Vec<Tick> = (0..8).map(|_| kill.next_look(at(0))).collect();
        assert_eq!(pauses, [4, 8, 16, 32, 64, 128, 200, 200].map(at));
        kill.is_stuck = true;
        assert_eq!([kill.next_look(at(0)), kill.next_look(at(0))], [at(200), at(400)]);
    }

    #[test]
    fn an_orphan_about_to_exit_is_waited_for() {
        let mut end = End::new(crate::model::Exit::SUCCESS, false, at(0));
        let mut sweep = Sweep::default();
        assert!(!sweep.found_none(&mut end, true, at(10)));
        assert_eq!(sweep.next_look(), Some(at(13)));
        assert!(sweep.found_none(&mut end, false, at(13)));
        assert_eq!(sweep.next_look(), None);
        assert!(!sweep.found_none(&mut end, false, at(14)), "it is no news");
    }
}
