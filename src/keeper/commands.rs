//! What the supervisor asks for.

use super::{
    main_loop::Keeper,
    process_scan::PendingSignal,
    protocol::{FromKeeper, ToKeeper},
    spawn_batch::Targets,
    start::Environment,
};
use crate::platform;

impl Keeper {
    /// Does what is asked for. Starts wait for more of them, up to the next message of another
    /// kind or the end of what has come.
    pub(super) fn obey(&mut self, message: ToKeeper) {
        if !matches!(message, ToKeeper::Spawn(_)) {
            self.start_batch();
        }
        let now = platform::now();
        let Self { io, supervisor, spawner, units, scan, logs, shutdown, .. } = self;
        match message {
            ToKeeper::Environment { variables } => match Environment::of(variables) {
                Ok(environment) => spawner.set_environment(environment),
                Err(error) => io.outbox.trouble(error),
            },
            // The proof that nothing is left must hold for whatever comes after it.
            ToKeeper::Spawn(spec) if shutdown.is_under_way() => {
                let error = "the stack is being ended".to_owned();
                io.outbox.tell(FromKeeper::SpawnFailed { unit: spec.unit, error });
            }
            ToKeeper::Spawn(spec) => spawner.ask(spec, &mut Targets { units, logs, io }),
            // What the supervisor noted comes first: a keeper that takes over from one that is killed
            // now must know why a process exited.
            ToKeeper::Signal { unit, signal, tree } => {
                io.journal.write();
                scan.signal(PendingSignal { unit, signal, tree, stop: false }, units, io);
            }
            ToKeeper::Stop { unit, signal, tree } => {
                io.journal.write();
                scan.signal(PendingSignal { unit, signal, tree, stop: true }, units, io);
            }
            ToKeeper::Kill { unit } => {
                io.journal.write();
                if !units.kill(&unit, now) {
                    // The keeper before was killed before it could start it.
                    io.outbox.tell(FromKeeper::Gone { unit, swept: 0 });
                }
            }
            ToKeeper::Forget { unit } => units.forget(unit, &mut io.journal),
            ToKeeper::Upgrade { program } => self.upgrade(&program),
            ToKeeper::Keep { part, text } => supervisor.keep(part, text, &mut io.journal),
            ToKeeper::KeepAlso { part, text } => supervisor.append(part, text, &mut io.journal),
            ToKeeper::Finish => shutdown.begin(units, now),
            ToKeeper::Ping => io.outbox.tell(FromKeeper::Pong),
        }
    }
}
