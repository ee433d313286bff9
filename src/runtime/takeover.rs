//! Taking up where the supervisor before left off.

use super::{intent::Intent, secrets, secrets::Secrets, world::World};
use crate::{
    event::{Cause, Event},
    keeper::protocol::{FromKeeper, UnitReport},
    platform,
    supervisor::Supervisor,
};

/// What the keeper keeps for the next supervisor: in memory alone.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Note {
    pub(super) core: String,
    pub(super) secrets: Secrets,
}

impl World {
    /// Takes up where the supervisor before left off, if there was one.
    pub(super) fn take_over(&mut self, units: Vec<UnitReport>, note: &str) {
        let now = platform::now();
        let took_over = !note.is_empty();
        if took_over && let Err(error) = self.restore(note) {
            tracing::error!(%error, "what the last supervisor left behind is no use");
        }
        let event = Event::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            took_over,
        };
        self.publish(None, None, event, Cause::Supervisor);
        for report in &units {
            self.remember(&report.unit, report.pid, report.log_offset, report.started);
        }
        let effects = self.core.resume(now);
        self.carry_out_missing(effects, &units);
        for report in units {
            self.catch_up(report);
        }
    }

    /// Takes up the stack last applied, and everything else from the note.
    fn restore(&mut self, note: &str) -> Result<(), Box<dyn std::error::Error>> {
        let note: Note = serde_json::from_str(note)?;
        let intent = Intent::load(&self.places.intent());
        let mut intent = intent.ok_or("the stack last applied cannot be read")?;
        secrets::put_back(&mut intent.stack, &note.secrets);
        self.ports.adopt(&intent.stack, |_| true);
        self.caller = intent.env;
        self.secrets = note.secrets;
        self.used = true;
        self.core = Supervisor::restore(intent.stack, &note.core)?;
        self.watch();
        self.watch_memory();
        Ok(())
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
