//! One unit: a process tree, from its start until none of it is left.

use std::{
    collections::{HashMap, HashSet},
    os::fd::RawFd,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    notify::Notify,
    protocol::{UnitId, UnitReport},
};
use crate::{
    event::{Place, Tick},
    model::{Background, Exit, LogPolicy},
    platform::{self, Cgroup, Entry, FileId, KernelTag, ProcId, Process, Table, Tree},
};

/// How long an end waits for the log thread, so that the last lines are there to be shown. A
/// disk that stalls costs no more than this.
const DRAIN: Duration = Duration::from_secs(1);

/// How long those who are left after a good end may take to end by themselves: whoever still is
/// there then was meant to stay.
const LINGER: Duration = Duration::from_millis(150);

/// A main process that has ended so soon after its start, with others left, has put them into the
/// background.
const BRIEF: Duration = Duration::from_secs(5);

/// How long the end of an adopted process waits for word of its exit.
const HEARSAY: Duration = Duration::from_millis(100);

/// Survivors of SIGKILL are named after this long.
pub(super) const STUCK: Duration = Duration::from_secs(2);

/// Who is in a tree is looked at so long after its start, and so long after that: what leaves its
/// parent, session, pipes and environment behind all at once can only be known from before.
const REMEMBER: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(3), Duration::from_secs(30)];

/// The first pause between two looks at a tree that is being killed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A process tree.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) id: UnitId,
    /// The main process; a zombie from its end until the whole tree is gone.
    pub(super) main: ProcId,
    /// The same, to be signalled and waited for; none if it had ended before it was taken over.
    pub(super) process: Option<Process>,
    /// Whether it is a child of this keeper, not one taken over.
    pub(super) child: bool,
    pub(super) started: Tick,
    /// Where in the log its output begins.
    pub(super) log: Place,
    pub(super) outputs: Vec<OutputPipe>,
    pub(super) log_policy: LogPolicy,
    /// `STACKRUN_ID=…`.
    pub(super) mark: Vec<u8>,
    /// Every process that the last look found.
    pub(super) known: Vec<ProcId>,
    /// Where its processes may say that they are ready.
    pub(super) notify: Option<Notify>,
    /// The cgroup that it runs in, where it has one.
    pub(super) group: Option<Cgroup>,
    /// Whether it was asked to end.
    pub(super) asked_to_end: bool,
    pub(super) end: Option<End>,
    pub(super) kill: Option<Kill>,
    /// Everybody but the main process who was sent SIGKILL.
    pub(super) killed: HashSet<ProcId>,
    /// Those among them who are another user's, whom nothing reached.
    pub(super) refused: HashSet<ProcId>,
    /// Processes of an ending tree whose end wakes us, by token.
    pub(super) watched: HashMap<u64, Process>,
    /// When to look at the tree.
    pub(super) look: Option<Tick>,
    /// How many looks there were only to remember who is there.
    pub(super) remembered: usize,
    /// Whether its record on disk is out of date.
    pub(super) changed: bool,
    /// Nothing of it is left, and everybody has been told.
    pub(super) gone: bool,
    /// It was found by its mark: no record tells of its start.
    pub(super) found: bool,
}

/// One of its outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OutputPipe {
    pub(super) key: u64,
    #[serde(with = "crate::model::path_text")]
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    #[serde(with = "crate::model::path_text")]
    pub(super) log: PathBuf,
    /// A terminal's number in this process.
    #[serde(default)]
    pub(super) terminal: Option<RawFd>,
}

/// The end of the main process.
#[derive(Debug)]
pub(super) struct End {
    pub(super) exit: Exit,
    /// Whether the kernel has killed it for want of memory.
    pub(super) out_of_memory: bool,
    pub(super) at: Tick,
    /// Outputs that have not been drained yet.
    undrained: Vec<u64>,
    /// They are not waited for any longer than this.
    drain_by: Tick,
    /// How many others lived at the first look after it.
    pub(super) left: Option<usize>,
    /// The first of those who went on after a good end, in the background.
    pub(super) background: Option<Background>,
    /// Whether the last look found nobody.
    pub(super) empty: bool,
    /// Whether it has been told.
    pub(super) told: bool,
}

/// SIGKILL to everybody, until nobody is left.
#[derive(Debug)]
pub(super) struct Kill {
    pub(super) since: Tick,
    pub(super) pause: Duration,
    pub(super) stuck_told: bool,
}

impl Unit {
    /// What the process table is searched for.
    pub(super) fn tree<'a>(&'a self, pipes: &'a [FileId], known: &'a [ProcId]) -> Tree<'a> {
        Tree { main: self.main, known, pipes, mark: &self.mark, tag: Some(self.tag()) }
    }

    /// What the kernel hands on to everything that it starts.
    pub(super) fn tag(&self) -> KernelTag {
        KernelTag::of_mark(&self.mark)
    }

    /// Every process that the last look found, and those that its cgroup has now.
    pub(super) fn known_and_grouped(&self, table: &Table) -> Vec<ProcId> {
        let grouped = self.group.iter().flat_map(Cgroup::pids);
        let grouped = grouped.filter_map(|pid| table.get(pid).map(|entry| entry.id));
        self.known.iter().copied().chain(grouped).collect()
    }

    /// What a new supervisor is told: exactly what the old one was, and what it missed.
    pub(super) fn report(&self) -> UnitReport {
        let told = self.end.as_ref().filter(|end| end.told);
        UnitReport {
            unit: self.id.clone(),
            pid: self.main.pid,
            started: self.started,
            log: self.log,
            notified: self.notify.as_ref().is_some_and(|notify| notify.heard),
            exit: told.map(|end| end.exit),
            background: told.and_then(|end| end.background.clone()),
            out_of_memory: told.is_some_and(|end| end.out_of_memory),
            gone: self.gone,
            found: self.found,
        }
    }

    /// Whether its end is known and will be told in a moment.
    pub(super) fn has_untold_end(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !end.told)
    }

    /// Its main process has ended.
    pub(super) fn ended(&mut self, exit: Exit, now: Tick) {
        self.end = Some(End {
            exit,
            out_of_memory: false,
            at: now,
            undrained: Vec::new(),
            drain_by: now + DRAIN,
            left: None,
            background: None,
            empty: false,
            told: false,
        });
        self.look = Some(now);
        self.changed = true;
    }

    /// Takes in who is left of an ended unit, once that is known for good; when to look again,
    /// if it is not.
    pub(super) fn count_left(&mut self, others: &[&Entry], now: Tick) -> Option<Tick> {
        let is_asked_for = self.asked_to_end || self.kill.is_some();
        let end = self.end.as_mut().filter(|end| end.left.is_none())?;
        let may_stay = end.exit == Exit::SUCCESS && !is_asked_for && !others.is_empty();
        if may_stay && now.since(end.at) < LINGER {
            return Some(end.at + LINGER);
        }
        end.left = Some(others.len());
        let is_brief = end.at.since(self.started) < BRIEF;
        let has_gone = |entry: &&&Entry| is_brief || entry.session != self.main.pid;
        let first = others.iter().filter(has_gone).min_by_key(|entry| entry.id.start);
        end.background = first.filter(|_| may_stay).map(|entry| Background {
            pid: entry.id.pid,
            command: platform::command_line(entry.id.pid).unwrap_or_else(|| entry.name.clone()),
        });
        None
    }

    /// How its main process ended, if that was not known: the kernel tells others than the parent
    /// once the parent has taken note.
    pub(super) fn ask_exit_again(&mut self) {
        let told = self.process.as_ref().and_then(Process::exit_seen_by_others);
        if let (Some(end), Some(exit), false) = (&mut self.end, told, self.child)
            && end.exit == Exit::UNKNOWN
        {
            end.exit = exit;
        }
    }

    /// When next to look at it while it runs, only to remember who is there: a few times, at
    /// full seconds, so that one look does for many.
    pub(super) fn remember(&mut self, now: Tick) -> Option<Tick> {
        let pause = REMEMBER.get(self.remembered)?;
        self.remembered += 1;
        Some(Tick(Duration::from_secs((now + *pause).0.as_secs() + 1)))
    }

    /// Begins to kill it; a second time changes nothing.
    pub(super) fn kill(&mut self, now: Tick) {
        if self.kill.is_none() && !self.gone {
            self.kill = Some(Kill { since: now, pause: FIRST_PAUSE, stuck_told: false });
            self.look = Some(now);
        }
    }

    /// When something is to be done for it without anything happening.
    pub(super) fn deadline(&self) -> Option<Tick> {
        if self.gone {
            return None;
        }
        let end = self.end.as_ref().and_then(End::deadline);
        self.look.into_iter().chain(end).min()
    }
}

impl End {
    /// These are to be in the logs before more is told.
    pub(super) fn drain(&mut self, undrained: Vec<u64>, now: Tick) {
        self.undrained = undrained;
        self.drain_by = now + DRAIN;
    }

    /// This one is.
    pub(super) fn drained(&mut self, key: u64) {
        self.undrained.retain(|&undrained| undrained != key);
    }

    /// Until when something that could be told waits for the log thread, or for how it ended.
    fn deadline(&self) -> Option<Tick> {
        let could_be_told = !self.told && self.left.is_some() || self.empty;
        self.ripe_at().filter(|_| could_be_told)
    }

    /// `None`: nothing is missing.
    fn ripe_at(&self) -> Option<Tick> {
        let logs = (!self.undrained.is_empty()).then_some(self.drain_by);
        let exit = (!self.told && self.exit == Exit::UNKNOWN).then_some(self.at + HEARSAY);
        logs.max(exit)
    }

    fn is_ripe(&self, now: Tick) -> bool {
        self.ripe_at().is_none_or(|at| now >= at)
    }

    /// Whether the end can be told now.
    pub(super) fn is_tellable(&self, now: Tick) -> bool {
        !self.told && self.left.is_some() && self.is_ripe(now)
    }

    /// Whether it can be told that nothing is left.
    pub(super) fn is_over(&self, now: Tick) -> bool {
        self.told && self.empty && self.is_ripe(now)
    }
}

impl Kill {
    /// The next look is soon again.
    pub(super) fn hurry(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// When to look again. Whoever has survived for long is waited for, too: its end wakes us.
    pub(super) fn next_look(&mut self, now: Tick) -> Tick {
        let pause = self.pause;
        let longest = if self.stuck_told { STUCK } else { LONGEST_PAUSE };
        self.pause = (pause * 2).min(longest);
        now + pause
    }
}
