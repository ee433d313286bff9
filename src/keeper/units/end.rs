//! The end of a unit: its main process has exited, and what is told of that, and when.

use std::time::Duration;

use crate::{
    event::Tick,
    keeper::protocol::{FromKeeper, UnitId},
    model::{Background, Exit},
};

/// How long an end waits for the log thread, so that the last lines are there to be shown. A
/// disk that stalls costs no more than this.
const DRAIN: Duration = Duration::from_secs(1);

/// How long the end of an adopted process waits for its exit status to become known.
const HEARSAY: Duration = Duration::from_millis(100);

/// The end of the main process.
#[derive(Debug)]
pub(super) struct End {
    exit: Exit,
    /// Whether the kernel has killed it for want of memory.
    out_of_memory: bool,
    at: Tick,
    /// Outputs that have not been drained yet.
    undrained: Vec<u64>,
    /// They are not waited for any longer than this.
    drain_by: Tick,
    /// How many others lived at the first scan after it.
    left: Option<usize>,
    /// The first of those who were left in the background after a successful exit.
    background: Option<Background>,
    /// Whether the last scan found no process.
    is_empty: bool,
    /// Whether it has been told.
    is_told: bool,
}

impl End {
    pub(super) fn new(exit: Exit, out_of_memory: bool, at: Tick) -> Self {
        let (undrained, drain_by) = (Vec::new(), at + DRAIN);
        let (left, background) = (None, None);
        let (is_empty, is_told) = (false, false);
        Self { exit, out_of_memory, at, undrained, drain_by, left, background, is_empty, is_told }
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// How it exited has become known.
    pub(super) fn set_exit(&mut self, exit: Exit) {
        self.exit = exit;
    }

    pub(super) fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }

    pub(super) fn at(&self) -> Tick {
        self.at
    }

    pub(super) fn background(&self) -> Option<Background> {
        self.background.clone()
    }

    /// Whether it is known how many were left.
    pub(super) fn is_counted(&self) -> bool {
        self.left.is_some()
    }

    /// So many others were left, the first of them in the background.
    pub(super) fn set_left(&mut self, left: usize, background: Option<Background>) {
        self.left = Some(left);
        self.background = background;
    }

    /// No process is left; whether that is news.
    pub(super) fn set_empty(&mut self) -> bool {
        !std::mem::replace(&mut self.is_empty, true)
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// The keeper before has told it.
    pub(super) fn set_told(&mut self) {
        self.is_told = true;
    }

    /// These outputs are to be in the logs before more is told.
    pub(super) fn drain(&mut self, undrained: Vec<u64>, now: Tick) {
        self.undrained = undrained;
        self.drain_by = now + DRAIN;
    }

    /// This one is.
    pub(super) fn drained(&mut self, key: u64) {
        self.undrained.retain(|&undrained| undrained != key);
    }

    /// Until when something that could be told waits for the log thread, or for the exit status.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let could_be_told = !self.is_told && self.left.is_some() || self.is_empty;
        self.ripe_at().filter(|_| could_be_told)
    }

    /// `None`: nothing is missing.
    fn ripe_at(&self) -> Option<Tick> {
        let logs = (!self.undrained.is_empty()).then_some(self.drain_by);
        let exit = (!self.is_told && self.exit == Exit::UNKNOWN).then_some(self.at + HEARSAY);
        logs.max(exit)
    }

    fn is_ripe(&self, now: Tick) -> bool {
        self.ripe_at().is_none_or(|at| now >= at)
    }

    /// Whether the end can be told now.
    pub(super) fn is_tellable(&self, now: Tick) -> bool {
        !self.is_told && self.left.is_some() && self.is_ripe(now)
    }

    /// Tells it.
    pub(super) fn tell(&mut self, unit: UnitId) -> FromKeeper {
        self.is_told = true;
        FromKeeper::Exited {
            unit,
            exit: self.exit,
            left: self.left.unwrap_or(0),
            background: self.background.clone(),
            out_of_memory: self.out_of_memory,
            at: self.at,
        }
    }

    /// Whether it can be told that nothing is left.
    pub(super) fn is_over(&self, now: Tick) -> bool {
        self.is_told && self.is_empty && self.is_ripe(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::protocol::Part;

    fn at(millis: u64) -> Tick {
        Tick(Duration::from_millis(millis))
    }

    #[test]
    fn an_end_is_told_once_its_logs_are_complete_and_those_left_are_counted() {
        let mut end = End::new(Exit::Code(1), false, at(0));
        end.drain(vec![7, 8], at(0));
        assert_eq!(end.deadline(), None, "none has been counted");
        end.set_left(2, None);
        end.drained(7);
        assert!(!end.is_tellable(at(1)));
        end.drained(8);
        assert!(end.is_tellable(at(1)));
        assert!(!end.is_over(at(1)));
        let unit = UnitId { owner: "a".to_owned(), part: Part::Main, generation: 1 };
        assert!(matches!(end.tell(unit), FromKeeper::Exited { left: 2, exit: Exit::Code(1), .. }));
        assert!(!end.is_tellable(at(2)) && !end.is_over(at(2)));
        assert!(end.set_empty() && !end.set_empty());
        assert!(end.is_over(at(2)));
    }

    #[test]
    fn logs_and_exit_statuses_are_not_waited_for_for_ever() {
        let mut end = End::new(Exit::UNKNOWN, false, at(0));
        end.set_left(0, None);
        assert_eq!(end.deadline(), Some(at(100)));
        assert!(!end.is_tellable(at(99)) && end.is_tellable(at(100)));
        end.drain(vec![7], at(50));
        assert_eq!(end.deadline(), Some(at(1050)), "a disk that stalls");
        assert!(end.is_tellable(at(1050)));
    }
}
