//! The main thread: it waits for whatever happens, and does what follows from it.
//!
//! Each turn takes in what has happened (messages, exits of processes, news of the log thread), then
//! lets each part do what is due (one scan of the process table serves all units), tells the
//! supervisor what is new, and sleeps until something happens or is due. The parts own their state;
//! what they have in common to work with is [`Io`].

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{Arc, mpsc::Receiver},
};

use super::{
    abandoned_checks::AbandonedChecks,
    io::{Io, RUNTIME_DIR, SIGNALS, SUPERVISOR, Sources, WAKER},
    journal::{Journal, Line},
    log_mover::LogMover,
    outbox::Outbox,
    process_scan::ProcessScan,
    protocol::{FromKeeper, PROTOCOL},
    runtime_dir::RuntimeDir,
    shutdown::Shutdown,
    spawn_batch::{Spawner, Targets},
    start::Environment,
    supervisor::Supervisor,
    supervisor_process::Gate,
    units::Units,
    upgrade::Handoff,
};
use crate::{
    event::Tick,
    platform::{self, Readiness, SignalPipe, StackDir, StackPaths, Waker},
};

/// A keeper: its parts.
pub(super) struct Keeper {
    pub(super) io: Io,
    wakeups: Wakeups,
    pub(super) supervisor: Supervisor,
    pub(super) spawner: Spawner,
    pub(super) units: Units,
    pub(super) scan: ProcessScan,
    pub(super) logs: LogMover,
    pub(super) checks: AbandonedChecks,
    pub(super) shutdown: Shutdown,
    runtime_dir: RuntimeDir,
}

/// What wakes the main thread beside descriptors of its parts.
pub(super) struct Wakeups {
    /// Other threads have something to say.
    pub(super) waker: Arc<Waker>,
    pub(super) signals: SignalPipe,
}

/// What a keeper is made of.
pub(super) struct Parts {
    pub(super) paths: StackPaths,
    pub(super) runtime_dir: RuntimeDir,
    pub(super) stack: StackDir,
    pub(super) handoff: Handoff,
    pub(super) wakeups: Wakeups,
    /// Where connections to supervisors come from.
    pub(super) connections: Receiver<UnixStream>,
    pub(super) gate: Arc<Gate>,
}

impl Keeper {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let Parts { paths, runtime_dir, stack, handoff, wakeups, connections, gate } = parts;
        let sources = Sources::new()?;
        sources.poller().add(&*wakeups.waker, WAKER)?;
        sources.poller().add(&wakeups.signals, SIGNALS)?;
        let logs = LogMover::start(Arc::clone(&wakeups.waker), stack.logs.clone())?;
        let journal = Journal::new(paths.units());
        Ok(Self {
            io: Io { paths, logs: stack.logs, sources, outbox: Outbox::default(), journal },
            wakeups,
            supervisor: Supervisor::new(connections, handoff.control),
            spawner: Spawner::new(handoff.lock),
            units: Units::new(),
            scan: ProcessScan::default(),
            logs,
            checks: AbandonedChecks::default(),
            shutdown: Shutdown::new(gate),
            runtime_dir,
        })
    }

    /// Works until the stack is finished and the supervisor has hung up.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.is_done() {
            let now = platform::now();
            let timeout = self.deadline().map(|deadline| deadline.since(now));
            self.io.sources.wait(&mut ready, timeout)?;
            for event in &ready {
                self.happened(*event);
            }
            self.logs.wake();
            self.do_what_is_due(platform::now());
            self.send();
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.shutdown.is_over() && !self.io.outbox.is_connected()
    }

    /// When to wake up though nothing happens.
    fn deadline(&self) -> Option<Tick> {
        let scan = self.scan.deadline(&self.units);
        [scan, self.checks.deadline(), self.shutdown.deadline()].into_iter().flatten().min()
    }

    fn happened(&mut self, event: Readiness) {
        match event.token {
            SUPERVISOR if event.readable => drop(self.receive()),
            SUPERVISOR => {}
            WAKER => self.woken(),
            SIGNALS => self.signalled(),
            RUNTIME_DIR => self.restore_runtime_dir(),
            token if self.logs.hand_over(token) => {}
            token if self.shutdown.left_ended(token, &mut self.io) => {}
            token => self.units.happened(token, &mut self.logs, &mut self.io),
        }
    }

    fn woken(&mut self) {
        self.wakeups.waker.clear();
        self.supervisor.take_arrivals();
        for key in self.logs.take_drained(&mut self.io) {
            self.units.drained(key);
        }
    }

    fn signalled(&mut self) {
        for signal in self.wakeups.signals.take() {
            match signal {
                libc::SIGCHLD => self.scan.child_ended(platform::now()),
                libc::SIGTERM | libc::SIGINT => {
                    self.io.outbox.tell_anyone(FromKeeper::Shutdown);
                }
                _ => {}
            }
        }
    }

    fn do_what_is_due(&mut self, now: Tick) {
        let Self { io, units, scan, logs, .. } = self;
        scan.run(units, logs, io, now);
        units.tell_ends(io, now);
        self.admit_supervisor();
        let Self { io, units, logs, checks, shutdown, .. } = self;
        checks.end_if_due(units, io, now);
        shutdown.run(units, logs, checks, io, now);
    }

    /// Lets a supervisor in once every end that is known can be told: it would take what has just
    /// died for what runs, and say so to its clients. And after the last message of the one before,
    /// which others may know of already.
    fn admit_supervisor(&mut self) {
        if self.supervisor.has_arrived() {
            self.receive_all();
        }
        if self.units.have_untold_ends() {
            return;
        }
        let Some((stream, is_successor)) = self.supervisor.admit() else { return };
        self.greet(stream);
        // The one before may have been killed in the middle of anything.
        if is_successor {
            self.checks.look_for(platform::now());
        }
    }

    fn greet(&mut self, stream: UnixStream) {
        self.runtime_dir.note_name(&mut self.io);
        if !self.io.outbox.connect(stream, &self.io.sources) {
            return;
        }
        self.spawner.set_environment(Environment::default());
        let outbox = &mut self.io.outbox;
        outbox.tell(FromKeeper::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            units: self.units.reports(),
            checkpoint: self.supervisor.checkpoint().clone(),
            left: self.shutdown.left(),
        });
        if !self.scan.strays().is_empty() {
            outbox.tell(FromKeeper::Strays { processes: self.scan.strays().to_vec() });
        }
        outbox.tell_unheard();
    }

    /// Takes in some of what the supervisor has sent; whether there may be more.
    fn receive(&mut self) -> bool {
        let Some(received) = self.io.outbox.receive() else { return false };
        for message in received.messages {
            match message {
                Ok(message) => self.obey(message),
                Err(error) => {
                    let text = format!("the keeper received an invalid message: {error}");
                    self.io.outbox.trouble(text);
                }
            }
        }
        self.start_batch();
        if received.ended {
            self.io.outbox.disconnect(&self.io.sources);
        }
        !received.is_empty
    }

    /// Takes in all that the supervisor has sent so far.
    pub(super) fn receive_all(&mut self) {
        while self.receive() {}
    }

    /// Makes the starts that are asked for.
    pub(super) fn start_batch(&mut self) {
        let Self { spawner, units, logs, io, .. } = self;
        spawner.run(&mut Targets { units, logs, io });
    }

    /// Watches the runtime folder.
    pub(super) fn watch_runtime_dir(&mut self) {
        self.runtime_dir.watch(self.io.paths.id, &self.io.sources);
    }

    fn restore_runtime_dir(&mut self) {
        let Self { io, runtime_dir, supervisor, units, shutdown, .. } = self;
        runtime_dir.restore(io, |io| rewrite_journal(supervisor, units, shutdown, io));
    }

    /// Brings the journal up to date.
    pub(super) fn record(&mut self) {
        self.units.record(&mut self.io.journal);
        if self.io.journal.wants_to_be_new() {
            self.rewrite_journal();
        }
        self.io.journal.write();
    }

    pub(super) fn rewrite_journal(&mut self) {
        rewrite_journal(&self.supervisor, &self.units, &self.shutdown, &mut self.io);
    }

    /// Ends the turn: what has changed is recorded, and what there is to say is sent.
    pub(super) fn send(&mut self) {
        self.spawner.end_turn();
        self.record();
        self.io.outbox.flush(&self.io.sources);
    }
}

/// Writes a journal of how everything is now in the place of the one that is there.
fn rewrite_journal(supervisor: &Supervisor, units: &Units, shutdown: &Shutdown, io: &mut Io) {
    let first = [Line::Boot(platform::boot_id()), Line::Begun(platform::now())];
    let lines = first.into_iter().chain(shutdown.lines());
    let lines = lines.chain(supervisor.lines()).chain(units.lines());
    if let Err(error) = io.journal.replace(lines) {
        let folder = io.paths.runtime.display();
        io.outbox.trouble(format!(
            "cannot write to {folder} ({error}): services keep running, but if stackrun's keeper \
             is killed now, they cannot be recovered"
        ));
    }
}
