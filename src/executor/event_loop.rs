//! The loop: takes in what the keeper, the clients and the loop's own tasks say, one at a time.

use std::{
    io, os::fd::OwnedFd, path::Path, process::ExitCode, sync::atomic::Ordering, time::Duration,
};

use tokio::{net::UnixListener, sync::mpsc, task::LocalSet};

use super::{Internal, keeper_link::KeeperLink, state::Executor};
use crate::{
    control::{protocol::Left, server::serve},
    core::lifecycle::{self, Exited},
    core::stack::{Command, Input},
    event::{Cause, Event, Tick},
    keeper::{
        self, Launched, framing,
        protocol::{Checkpoint, FromKeeper, PROTOCOL, Part, ToKeeper, UnitId},
    },
    model::{Exit, Hook},
    platform::{self, StackPaths},
    reason::Notice,
};

/// How long a supervisor that was never asked for anything stays.
const UNUSED: Duration = Duration::from_secs(10);
/// A turn that comes so much later than planned comes from a process that could not run.
const OVERSLEPT: Duration = Duration::from_millis(500);
/// So long is what happened meanwhile listened to, before a deadline that passed counts.
const HEARING: Duration = Duration::from_secs(1);
/// How often the lock of a keeper that is gone is tried for, and the pause in between.
const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// How many messages are taken in before the note is brought up to date.
const BATCH: usize = 32;

/// The role itself: `stackrun supervisor`, with the descriptors that the keeper hands over.
pub fn run(dir: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| {
        let local = LocalSet::new();
        let result = local.block_on(&runtime, supervise(dir));
        // A check that hangs in the system must not keep the supervisor.
        runtime.shutdown_timeout(Duration::from_millis(200));
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the supervisor has failed");
            ExitCode::FAILURE
        }
    }
}

/// Has somebody hold the stack again and know what we know, unless the keeper lives and only wants
/// another supervisor, or goes on as another program. What the keeper was told last it may never
/// have read, and clients may have been answered by then.
fn replace_keeper(
    places: &StackPaths,
    keeper: u32,
    checkpoint: &Checkpoint,
    terminals: &[OwnedFd],
) -> io::Result<()> {
    // The connection of one that dies ends a moment before it does, and what it was just starting
    // holds its lock until it executes its program.
    for _ in 0..LOCK_TRIES {
        if platform::parent() != keeper {
            let launched =
                keeper::launch_with(places, &platform::own_program()?, checkpoint, terminals);
            match launched.map_err(io::Error::other)? {
                Launched::Ready => break,
                Launched::Held => {}
            }
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Ok(())
}

async fn supervise(dir: &Path) -> io::Result<()> {
    let keeper = platform::inherited(framing::CONNECTION)?;
    let keeper_pid = platform::Peer::of(&keeper)?.pid.unwrap_or_else(platform::parent);
    let listener = platform::inherited(framing::CONTROL)?;
    let places = StackPaths::of(dir).map_err(io::Error::other)?;
    let (news_sender, mut news) = mpsc::unbounded_channel();
    let (internal_sender, mut internal) = mpsc::unbounded_channel();
    let (incoming_sender, mut incoming) = mpsc::channel(64);
    let link = KeeperLink::open(keeper, news_sender)?;
    let Some(FromKeeper::Hello { protocol, pid, units, checkpoint, left, .. }) = news.recv().await
    else {
        return replace_keeper(&places, keeper_pid, &Checkpoint::new(), &[]);
    };
    if protocol != PROTOCOL {
        // It is asked to go on as this program, and starts the next supervisor then.
        link.flush(&[ToKeeper::Upgrade { program: platform::own_program_file()? }]);
        while news.recv().await.is_some() {}
        return replace_keeper(&places, pid, &Checkpoint::new(), &[]);
    }
    let mut world = Executor::new(places, link, pid, internal_sender)?;
    world.left = left;
    world.take_over(units, &checkpoint);
    drop(checkpoint);
    world.hear_of_ends(&mut news).await;
    world.after_turn();

    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    tokio::task::spawn_local(serve(listener, incoming_sender));

    while world.finished.is_none() && !world.moved {
        let timer = world.timer();
        tokio::select! {
            biased;
            message = news.recv() => match message {
                Some(message) => world.keeper_says(message),
                None => {
                    let (places, checkpoint) = (world.places.clone(), world.whole_checkpoint());
                    // The ports that it keeps free are for the next one to keep. Clients, new ones
                    // too, are connected until there is somebody to turn to.
                    let terminals: Vec<OwnedFd> = world.terminals.take();
                    drop(world);
                    return replace_keeper(&places, pid, &checkpoint, &terminals);
                }
            },
            Some(message) = internal.recv() => world.told(message),
            Some(message) = incoming.recv() => world.client_says(message),
            () = tokio::time::sleep(timer) => world.time_passed(),
        }
        for _ in 0..BATCH {
            if let Ok(message) = news.try_recv() {
                world.keeper_says(message);
            } else if let Ok(message) = internal.try_recv() {
                world.told(message);
            } else {
                break;
            }
        }
        world.after_turn();
    }
    // What this one has begun in this turn its successor does, as if it had been killed.
    if !world.moved {
        world.say_goodbye().await;
    }
    Ok(())
}

impl Executor {
    /// How long the loop may sleep.
    fn timer(&mut self) -> Duration {
        let now = platform::now();
        let unused = (!self.used).then_some(UNUSED);
        let deadline = self.core.deadline().map(|deadline| self.not_overslept(deadline, now));
        let pulse = self.clients.wait_for_keeper().then(|| self.pulse.due(now).since(now));
        let next = [unused, deadline, pulse].into_iter().flatten().min();
        // The clock of tokio stands still while the machine sleeps: look now and then.
        next.unwrap_or(Duration::from_secs(3600))
    }

    /// How long to wait for a deadline. One that passed while this process could not run, because
    /// the machine was frozen or another supervisor had been killed, is put off: what happened
    /// meanwhile is to be heard first.
    fn not_overslept(&mut self, deadline: Tick, now: Tick) -> Duration {
        if now.since(deadline) < OVERSLEPT {
            self.put_off = None;
            return deadline.since(now);
        }
        self.put_off.get_or_insert(now + HEARING).since(now)
    }

    fn time_passed(&mut self) {
        if !self.used && self.left.is_empty() {
            self.finish();
            return;
        }
        // It may be the sleep until then that took so long.
        let now = platform::now();
        let deadline = self.core.deadline().map(|deadline| self.not_overslept(deadline, now));
        if deadline.is_none_or(|left| left.is_zero()) {
            self.put_off = None;
            self.feed(Input::Timer);
        }
    }

    /// Tells the core, and does what it says.
    pub(super) fn feed(&mut self, input: Input) {
        let effects = self.core.handle(input, platform::now());
        self.carry_out(effects);
    }

    fn told(&mut self, message: Internal) {
        match message {
            Internal::Unit { name, generation, input } => {
                self.feed(Input::Unit { name, generation, input });
            }
            Internal::Claimed { name, generation, claimed, result } => {
                self.claimed(&name, generation, claimed, result);
            }
            Internal::FindPorts { name, generation, claimed } => {
                if self.is_starting(&name, generation) {
                    self.find_ports(&name, generation, claimed);
                }
            }
            // It may have ended meanwhile.
            Internal::Terminal { unit, master } if self.units.contains_key(&unit) => {
                self.terminals.hold(unit, master);
            }
            Internal::Terminal { .. } => {}
            Internal::Clock => self.run_scheduled(),
            Internal::Sample => self.sample_memory(),
            Internal::Changed(change) => self.watches.changed(&change, &self.internal),
            Internal::Quiet { watch, path } => self.watched(watch, &path),
            Internal::Stepped { journals } => {
                let of = |name: &str| journals.iter().any(|path| path.ends_with(name));
                self.hear_steps(of);
            }
            Internal::Recorded { name, generation, troubles } => {
                for text in troubles {
                    self.publish(Some(&name), None, Event::notice(text), Cause::Supervisor);
                }
                let input = lifecycle::Input::Recorded;
                self.feed(Input::Unit { name, generation, input });
            }
            Internal::Inputs { name, generation, fingerprint, unchanged } => {
                if let Some(fingerprint) = fingerprint {
                    self.inputs.insert(name.clone(), fingerprint);
                }
                let input = lifecycle::Input::Unchanged(unchanged);
                self.feed(Input::Unit { name, generation, input });
            }
        }
    }

    /// Takes in what the keeper says.
    pub(super) fn keeper_says(&mut self, message: FromKeeper) {
        self.pulse.heard();
        match message {
            FromKeeper::Hello { .. } | FromKeeper::Pong => {}
            FromKeeper::Spawned { unit, pid, log, at } => {
                self.remember(&unit, pid, log);
                if unit.is_main() {
                    let owner = unit.owner.clone();
                    self.unit_input(unit, lifecycle::Input::Spawned { pid, at });
                    self.hear_steps(|task| task == owner);
                }
            }
            FromKeeper::SpawnFailed { unit, error } => {
                let input = match unit.part {
                    Part::Main => lifecycle::Input::SpawnFailed(error),
                    Part::Hook(hook) => lifecycle::Input::HookEnded { hook, exit: Err(error) },
                };
                self.unit_input(unit, input);
            }
            FromKeeper::Notified { unit } => {
                if let Some(known) = self.units.get(&unit) {
                    known.notified.store(true, Ordering::Release);
                    self.prober.hurry(&unit.owner);
                }
            }
            FromKeeper::Exited { unit, exit, left, background, out_of_memory, at } => {
                let exited = Exited { exit, at, background, out_of_memory, last_line: None };
                match unit.part {
                    Part::Main => self.main_exited(unit, exited),
                    Part::Hook(hook) => self.hook_exited(unit, hook, exited, left),
                }
            }
            FromKeeper::Gone { unit, swept } => self.unit_gone(unit, swept),
            FromKeeper::Stuck { unit, processes } => {
                if unit.is_main() {
                    self.unit_input(unit, lifecycle::Input::Stuck(processes));
                }
            }
            FromKeeper::Strays { processes } => {
                let known = std::mem::replace(&mut self.strays, processes.clone());
                for text in processes.into_iter().filter(|text| !known.contains(text)) {
                    self.publish(None, None, Event::notice(text), Cause::Supervisor);
                }
            }
            FromKeeper::Trouble { text } => {
                self.publish(None, None, Event::notice(text), Cause::Supervisor);
            }
            FromKeeper::UpgradeFailed { error } => self.upgrade_failed(&error),
            FromKeeper::Shutdown => self.shut_down(),
            FromKeeper::Empty { proved, unproved } => {
                if let Some(cause) = self.clients.cause_of_end() {
                    self.publish(None, None, Event::Down, cause);
                }
                let (processes, ports) = (Vec::new(), Vec::new());
                self.finished = Some(Left { processes, ports, proved, unproved });
            }
            FromKeeper::Left { processes, gave_up: true } => self.could_not_finish(processes),
            FromKeeper::Left { processes, gave_up: false } => self.left = processes,
        }
    }

    fn main_exited(&mut self, unit: UnitId, mut exited: Exited) {
        self.tell_of_victims(&unit, exited.exit, exited.out_of_memory);
        self.hear_steps(|name| name == unit.owner);
        exited.exit = self.end_of_run(&unit, exited.exit);
        exited.last_line = self.last_line(&unit, exited.exit);
        self.unit_input(unit, lifecycle::Input::Exited(exited));
    }

    /// The main process of a hook has ended, which ends the hook: what it left behind is killed.
    fn hook_exited(&mut self, unit: UnitId, hook: Hook, exited: Exited, left: usize) {
        if let Some(known) = self.units.get_mut(&unit) {
            known.exit = Some(exited.exit);
        }
        if let Some(background) = exited.background {
            let notice = Notice::Background { hook: Some(hook), process: background };
            let (event, generation) = (Event::Notice { notice }, Some(unit.generation));
            self.publish(Some(&unit.owner), generation, event, Cause::Supervisor);
        }
        if left > 0 {
            self.link.send(ToKeeper::Kill { unit });
        }
    }

    fn unit_gone(&mut self, unit: UnitId, swept: usize) {
        let known = self.units.remove(&unit);
        self.terminals.release(&unit);
        let input = match unit.part {
            Part::Main => lifecycle::Input::TreeGone { swept },
            Part::Hook(hook) => {
                let exit = known.and_then(|known| known.exit).unwrap_or(Exit::UNKNOWN);
                self.hear_steps(|task| task == unit.owner);
                lifecycle::Input::HookEnded { hook, exit: Ok(self.end_of_run(&unit, exit)) }
            }
        };
        self.unit_input(unit.clone(), input);
        self.link.send(ToKeeper::Forget { unit });
    }

    fn unit_input(&mut self, unit: UnitId, input: lifecycle::Input) {
        let UnitId { owner: name, generation, .. } = unit;
        self.feed(Input::Unit { name, generation, input });
    }

    /// Stops everything, for nobody in particular.
    pub(super) fn shut_down(&mut self) {
        let op = self.next_op();
        let command = Command::Down { names: Vec::new() };
        let cause = Cause::Supervisor;
        self.clients.shut_down_op(op);
        self.feed(Input::Command { op, command, cause });
    }

    /// Asks the keeper for the proof that nothing is left; the answer ends the loop.
    pub(super) fn finish(&mut self) {
        if !self.finishing {
            self.finishing = true;
            self.prober.stop_all();
            self.link.send(ToKeeper::Finish);
        }
    }

    /// The stack could not be ended: it goes on, so that what is left stays known, and ends once
    /// that has ended.
    fn could_not_finish(&mut self, processes: Vec<String>) {
        self.finishing = false;
        self.used = true;
        let event = Event::Stuck { processes: processes.clone() };
        self.publish(None, None, event, Cause::Supervisor);
        self.left = processes;
        self.clients.answer_with(&self.what_is_left());
        self.ask_put_off();
    }

    pub(super) fn what_is_left(&self) -> Left {
        let (processes, ports) = (self.left.clone(), self.busy_ports());
        Left { processes, ports, proved: false, unproved: Vec::new() }
    }

    /// Writes down and sends the keeper everything that is new, and ends a supervisor that has nothing left to do.
    ///
    /// Not if the folder has another name by now: then nothing of this turn counts. Everything here
    /// holds paths, and the next supervisor begins with the right ones, as it would if this one had
    /// been killed in time.
    fn after_turn(&mut self) {
        self.moved = self.places.moved().is_some();
        if self.moved {
            return;
        }
        let is_idle = !self.clients.has_ops() && self.core.is_idle();
        if self.used && !self.lost && is_idle && self.left.is_empty() {
            self.finish();
        }
        self.feel_pulse();
        self.programs.get_mut().clear();
        self.ledger.flush();
        let checkpoint = self.checkpoint();
        self.link.flush(&checkpoint);
    }
}
