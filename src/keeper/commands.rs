//! What the supervisor asks for.

use super::{
    main_loop::Keeper,
    process_scan::Sending,
    protocol::{FromKeeper, ToKeeper},
    start::Environment,
};
use crate::platform;

impl Keeper {
    /// Does what is asked for. Starts wait for more of them, up to the next message of another
    /// kind or the end of what there is to hear.
    pub(super) fn asked(&mut self, message: ToKeeper) {
        if !matches!(message, ToKeeper::Spawn(_)) {
            self.start_wanted();
        }
        let now = platform::now();
        match message {
            ToKeeper::Environment { variables } => match Environment::of(variables) {
                Ok(environment) => self.environment = environment,
                Err(error) => self.trouble(error),
            },
            ToKeeper::Spawn(spec) => self.want(spec),
            // What the supervisor noted comes first: whoever takes over from a keeper that is killed
            // now must know why a process ended.
            ToKeeper::Signal { unit, signal, tree } => {
                self.journal.write();
                self.signal(Sending { unit, signal, tree, stop: false });
            }
            ToKeeper::Stop { unit, signal, tree } => {
                self.journal.write();
                self.signal(Sending { unit, signal, tree, stop: true });
            }
            ToKeeper::Kill { unit } => {
                self.journal.write();
                match self.units.get_mut(&unit) {
                    Some(unit) => unit.kill(now),
                    // The keeper before was killed before it could start it.
                    None => self.tell(FromKeeper::Gone { unit, swept: 0 }),
                }
            }
            ToKeeper::Forget { unit } => self.forget(unit),
            ToKeeper::Upgrade { program } => self.upgrade(&program),
            ToKeeper::Keep { part, text } => self.keep_part(part, text),
            ToKeeper::KeepAlso { part, text } => self.append_to_part(part, text),
            ToKeeper::Finish => self.begin_finish(now),
            ToKeeper::Ping => self.tell(FromKeeper::Pong),
        }
    }

    /// Sends a signal to the main process at once; to a tree after a look at who is in it. What
    /// comes after such a one waits too.
    fn signal(&mut self, sending: Sending) {
        let Some(unit) = self.units.get_mut(&sending.unit) else { return };
        let to_tree = sending.tree || sending.stop && unit.end.is_some();
        if to_tree || self.looks.signals.iter().any(|waiting| waiting.unit == sending.unit) {
            unit.look = Some(platform::now());
            self.looks.signals.push(sending);
        } else {
            self.deliver(&sending);
        }
    }
}
