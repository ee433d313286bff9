//! Taking up where the supervisor before left off.

use super::world::World;
use crate::{
    event::{Cause, Event},
    keeper::protocol::{FromKeeper, Papers, UnitReport},
    platform,
    supervisor::Supervisor,
};

impl World {
    /// Takes up where the supervisor before left off, if there was one.
    pub(super) fn take_over(&mut self, units: Vec<UnitReport>, papers: &Papers) {
        let now = platform::now();
        let restored = self.restore(papers);
        let event = Event::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            took_over: matches!(restored, Ok(true)),
        };
        self.publish(None, None, event, Cause::Supervisor);
        match restored {
            Ok(restored) => self.lost = !restored && !units.is_empty(),
            Err(error) => {
                tracing::error!(%error, "what the last supervisor left behind is no use");
                self.lost = true;
            }
        }
        if self.lost {
            let text = "what the last supervisor knew is lost; its services live on, and \
                        `stackrun down` stops them";
            let event = Event::Notice { text: text.to_owned() };
            self.publish(None, None, event, Cause::Supervisor);
            self.used = true;
        }
        for report in &units {
            self.remember(&report.unit, report.pid, report.log_offset, report.started);
        }
        let effects = self.core.resume(now);
        self.carry_out_missing(effects, &units);
        for report in units {
            self.catch_up(report);
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
        let UnitReport { unit, pid, log_offset, started, notified, exit, gone } = report;
        self.keeper_says(FromKeeper::Spawned { unit: unit.clone(), pid, log_offset, at: started });
        if notified {
            self.keeper_says(FromKeeper::Notified { unit: unit.clone() });
        }
        if let Some(exit) = exit {
            let at = platform::now();
            self.keeper_says(FromKeeper::Exited {
                unit: unit.clone(),
                exit,
                left: usize::from(!gone),
                at,
            });
        }
        if gone {
            self.keeper_says(FromKeeper::Gone { unit, swept: 0 });
        }
    }
}
