//! What carries the stack's mark and no record tells of: the record of the keeper before was removed,
//! could not be written, or was cut short.
//!
//! A mark names the start that it was made for, so that the units can be put together again: the main
//! process is the oldest leader of a session, and what was written waits in the pipes that its
//! processes have. By what definition it was started, and what was wanted, is lost with the record.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    main_loop::Keeper,
    protocol::UnitId,
    units::{Origin, OutputPipe, Record, Unit},
};
use crate::{
    event::Tick,
    logs::files,
    model::LogPolicy,
    platform::{self, Entry, FileId, Mark, Marked, Table, output_key},
};

impl Keeper {
    /// Looks for them among all processes, and takes them over.
    pub(super) fn find_unrecorded(&mut self, table: &Table, now: Tick) {
        let mut starts: BTreeMap<String, (Mark, Vec<Entry>)> = BTreeMap::new();
        for (entry, mark) in Marked::of(&self.io.paths, table).processes {
            // Whatever it is, this keeper has not started it.
            self.shutdown.set_inherited(true);
            let is_known = self.units.all().any(|unit| unit.has_mark(mark.text.as_bytes()));
            if mark.asker().is_none() && !is_known {
                let start = starts.entry(mark.text.clone());
                start.or_insert_with(|| (mark, Vec::new())).1.push(entry);
            }
        }
        for (mark, processes) in starts.into_values() {
            let record = self.record_of(&mark, &processes);
            if let Some(unit) = record.and_then(|record| Unit::resume(record, now)) {
                self.adopt(unit, &mut Vec::new());
            }
        }
    }

    /// As its record would be; the processes are in the order of their age.
    fn record_of(&self, mark: &Mark, processes: &[Entry]) -> Option<Record> {
        let leads = |entry: &&Entry| entry.session == entry.id.pid;
        let main = processes.iter().find(leads).or(processes.first())?.id;
        let (stamp, unit) = (mark.stamp()?, mark.unit()?.parse::<UnitId>().ok()?);
        let log = self.io.paths.log(&unit.log_name());
        let origin = Origin {
            unit: self.free_unit(unit),
            started: main.started(),
            log: files::end(&self.io.logs, Path::new(log.file_name().unwrap_or_default())),
            log_policy: LogPolicy::default(),
            outputs: outputs(stamp, &log, processes),
            mark: mark.text.clone(),
            cgroup: None,
            found: true,
        };
        let known = processes.iter().map(|entry| entry.id).collect();
        Some(Record::of_found(origin, main, known))
    }

    /// The unit of a start. Another one may have its number, if what had counted them was lost
    /// before.
    fn free_unit(&self, mut unit: UnitId) -> UnitId {
        while self.units.contains(&unit) {
            unit.generation += 1;
        }
        unit
    }
}

/// The pipes of one start, as its processes have them: a pipe is called by a number, which is the
/// start's stamp, or one more for the second of two. One that is called so is no other program's.
fn outputs(stamp: u64, log: &Path, processes: &[Entry]) -> Vec<OutputPipe> {
    let mut found: BTreeMap<u64, (FileId, PathBuf)> = BTreeMap::new();
    for process in processes {
        for (id, path) in platform::named_outputs(process.id.pid) {
            let key = output_key(&path).filter(|key| [stamp, stamp + 1].contains(key));
            if let Some(key) = key {
                found.entry(key).or_insert((id, path));
            }
        }
    }
    let output = |(key, (id, path))| OutputPipe {
        key,
        path,
        id,
        log: if key == stamp { log.to_owned() } else { log.with_extension("err.log") },
        terminal: None,
    };
    found.into_iter().map(output).collect()
}
