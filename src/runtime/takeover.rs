//! Taking up where the supervisor before left off.

use std::{collections::HashSet, time::Duration};

use tokio::sync::mpsc;

use super::world::World;
use crate::{
    event::{Cause, Event},
    keeper::protocol::{FromKeeper, Paper, Papers, UnitId, UnitReport},
    platform,
    supervisor::Supervisor,
};

/// How long the keeper may take to tell of an end that it has found.
const HEARING: Duration = Duration::from_millis(500);

impl World {
    /// Takes up where the supervisor before left off, if there was one.
    pub(super) fn take_over(&mut self, units: Vec<UnitReport>, papers: &Papers) {
        let now = platform::now();
        let kept: Vec<Paper> = papers.keys().copied().collect();
        let restored = self.restore(papers);
        let event = Event::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            took_over: matches!(restored, Ok(true)),
        };
        self.publish(None, None, event, Cause::Supervisor);
        let lost = match restored {
            Ok(false) if !units.is_empty() => Some(format!("of its papers there are {kept:?}")),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        self.lost = lost.is_some();
        if let Some(why) = lost {
            let text = format!(
                "what the last supervisor knew is lost ({why}); its services live on, and \
                 `stackrun down` stops them"
            );
            let event = Event::Notice { text };
            self.publish(None, None, event, Cause::Supervisor);
            self.used = true;
        }
        for report in &units {
            self.remember(&report.unit, report.pid, report.log, report.started);
            self.ports.give(&report.unit.name);
        }
        let effects = self.core.resume(now);
        self.carry_out_missing(effects, &units);
        for report in units {
            self.catch_up(report);
        }
        self.hear_steps(|_| true);
        if !self.core.running_tasks().is_empty() {
            self.watch_journals();
        }
    }

    /// Hears of the ends that nobody has been told of yet, before anybody may ask: what has ended
    /// while there was no keeper must not be said to be up.
    pub(super) async fn hear_of_ends(&mut self, news: &mut mpsc::UnboundedReceiver<FromKeeper>) {
        let has_ended = |pid| platform::Entry::read(pid).is_none_or(|entry| entry.is_dead());
        let untold = self.units.iter().filter(|(_, unit)| unit.exit.is_none());
        let mut untold: HashSet<UnitId> = untold
            .filter(|(_, unit)| has_ended(unit.owner.main))
            .map(|(id, _)| id.clone())
            .collect();
        let until = tokio::time::Instant::now() + HEARING;
        while !untold.is_empty() {
            let Ok(Some(message)) = tokio::time::timeout_at(until, news.recv()).await else {
                return;
            };
            if let FromKeeper::Exited { unit, .. } | FromKeeper::Gone { unit, .. } = &message {
                untold.remove(unit);
            }
            self.keeper_says(message);
        }
    }

    /// Takes up the stack last applied, and everything else from the papers; whether there was
    /// anything.
    fn restore(&mut self, papers: &Papers) -> Result<bool, serde_json::Error> {
        let Some(left) = self.desk.take_over(papers)? else { return Ok(false) };
        self.ports.adopt(&left.stack, |_| true);
        self.core = Supervisor::restore(left.stack, &left.note)?;
        self.caller = left.env;
        self.used = true;
        self.watch();
        self.watch_memory();
        self.adopt_schedules();
        Ok(true)
    }

    /// What became of a process tree while nobody was there to be told.
    fn catch_up(&mut self, report: UnitReport) {
        let UnitReport { unit, pid, log, started, notified, exit, gone } = report;
        self.keeper_says(FromKeeper::Spawned { unit: unit.clone(), pid, log, at: started });
        if notified {
            self.keeper_says(FromKeeper::Notified { unit: unit.clone() });
        }
        if let Some(exit) = exit {
            let at = platform::now();
            self.keeper_says(FromKeeper::Exited {
                unit: unit.clone(),
                exit,
                left: usize::from(!gone),
                out_of_memory: false,
                at,
            });
        }
        if gone {
            self.keeper_says(FromKeeper::Gone { unit, swept: 0 });
        }
    }
}
