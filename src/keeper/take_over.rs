//! Taking over what another keeper, or the program before this one, has left.

use std::{
    collections::HashSet,
    os::fd::{OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use super::{
    journal,
    logs::Output,
    main_loop::Keeper,
    stale_supervisors::end_stale_supervisors,
    units::{OutputPipe, Unit},
};
use crate::platform::{self, Fifo, Pty, Table};

impl Keeper {
    /// Takes over what a keeper that is dead has left, or (`resumed`) the program before this one.
    /// The dead one's supervisor has held the `terminals` meanwhile.
    pub(super) fn take_over(&mut self, resumed: bool, terminals: &[RawFd]) {
        let mut terminals = terminals.to_vec();
        let now = platform::now();
        let told = journal::read_newest(&self.io.paths).unwrap_or_default();
        // Of what another process has started, this one is not the parent.
        self.shutdown.set_inherited(if resumed { told.adopted } else { !told.is_empty() });
        self.supervisor.resume(told.checkpoint);
        for unit in told.records.into_values().filter_map(|record| Unit::resume(record, now)) {
            self.adopt(unit, &mut terminals);
        }
        // Without a process table, stale supervisors are left alone (the lock keeps them from the
        // stack), and what is in no record is found when the stack is to be ended, at the latest.
        if !resumed && let Ok(table) = Table::read() {
            end_stale_supervisors(self.io.paths.id, &table);
            self.find_unrecorded(&table, now);
        }
        self.shutdown.resume(told.left, &mut self.io);
        // Where there was nothing before, nothing was left.
        if resumed || self.shutdown.has_inherited() {
            self.checks.look_for(now);
        }
        // Their services have exited.
        terminals.into_iter().for_each(|number| drop(platform::inherited(number)));
        self.logs.wake();
        // Children may have exited before.
        self.scan.reap_at(now);
        self.rewrite_journal();
        let outputs = self.units.all().flat_map(|unit| &unit.origin().outputs);
        let used = outputs.map(|output| output.path.clone()).collect();
        remove_unused(&self.io.paths.runtime, &used);
    }

    /// Takes care of a unit that another keeper, or the program before, has started.
    pub(super) fn adopt(&mut self, mut unit: Unit, terminals: &mut Vec<RawFd>) {
        unit.reopen_outputs(|unit, output| self.reopen(unit, output, terminals));
        self.units.add(unit, &mut self.io.sources);
    }

    /// Continues the log of an output. What its pipe holds has been waiting there.
    fn reopen(&mut self, unit: &Unit, output: &mut OutputPipe, terminals: &mut Vec<RawFd>) {
        let pipe = match output.terminal {
            Some(number) => {
                let handed = terminals.extract_if(.., |number| Pty::is(*number, output.id)).last();
                let number = handed.unwrap_or(number);
                output.terminal = Some(number);
                self.reopen_terminal(unit, output, number)
            }
            None => {
                let by_name = Fifo::open(output.path.clone()).ok();
                let by_name = by_name.filter(|fifo| fifo.id == output.id).map(|fifo| fifo.reader);
                let held = |id: &platform::ProcId| platform::held_pipe(id.pid, output.id);
                by_name.or_else(|| unit.known().iter().find_map(held))
            }
        };
        let Some(pipe) = pipe else { return };
        let (key, path, policy) =
            (output.key, output.log.clone(), unit.origin().log_policy.clone());
        self.logs.open(Output { key, pipe, path, policy });
    }

    /// Continues with a terminal that the program before, or the supervisor of the keeper before,
    /// has left open: its output. With both of these dead the terminal is gone, too.
    fn reopen_terminal(
        &mut self,
        unit: &Unit,
        output: &OutputPipe,
        number: RawFd,
    ) -> Option<OwnedFd> {
        let Pty { master, .. } = Pty::inherit(number, output.id).ok()?;
        let pipe = master.try_clone().ok()?;
        self.logs.open_terminal(output.key, master, &unit.id().owner, &mut self.io);
        Some(pipe)
    }
}

/// Removes pipes that are of no unit.
fn remove_unused(folder: &Path, used: &HashSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "pipe") && !used.contains(&path) {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}
