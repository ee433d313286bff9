//! The one scheduler of all checks, on a thread of its own: whatever a check does, be it a walk
//! through all processes or a search in a long log, it delays no exit's handling.

use std::{collections::HashMap, io, sync::mpsc::Receiver, time::Duration};

use tokio::{
    runtime::Runtime,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    Internal,
    probe::{Probe, Rhythm},
    probe_queue::{Id, Interval, Jitter, ProbeQueue},
};
use crate::{core::lifecycle::ProbeAnswer, event::Tick, platform};

/// So many checks that only connect, read or look are begun at once, …
const PLACES: usize = 64;
/// … and so many that start processes.
const PLACES_OF_COMMANDS: usize = 16;
/// Who waits for longer than this costs nothing any more, and makes room for the next one.
const PATIENCE: Duration = Duration::from_millis(20);
/// The same of commands, which may compute.
const PATIENCE_WITH_COMMANDS: Duration = Duration::from_millis(100);
/// A check that hangs in the system must not keep the supervisor for longer.
const LAST_CALL: Duration = Duration::from_millis(200);

/// The probes that run: at most one a service.
#[derive(Debug)]
pub(super) struct Prober {
    /// `None` once it is over.
    orders: Option<mpsc::UnboundedSender<Order>>,
    /// Its other end is closed when the thread has ended.
    ended: Receiver<()>,
}

/// What the scheduler is told.
#[derive(Debug)]
enum Order {
    /// A probe, in place of the one that runs for its service.
    Start(Box<Probe>),
    /// The probe of this service asks at once: it has said something.
    Hurry(String),
    /// The probe of this service is over.
    Stop(String),
    /// All are.
    StopAll,
}

impl Prober {
    /// Starts the thread; what is news goes to `answers`.
    ///
    /// # Errors
    ///
    /// Those of making a thread, and what a runtime of tokio needs.
    pub(super) fn begin(answers: mpsc::UnboundedSender<Internal>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (alive, ended) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("checks".to_owned()).spawn(move || {
            let _alive = alive;
            ask_all(runtime, inbox, answers);
        })?;
        Ok(Self { orders: Some(orders), ended })
    }

    /// Starts a probe in place of the one that runs for its service.
    pub(super) fn start(&self, probe: Probe) {
        self.order(Order::Start(Box::new(probe)));
    }

    /// Has the probe of a service ask at once.
    pub(super) fn hurry(&self, name: &str) {
        self.order(Order::Hurry(name.to_owned()));
    }

    /// Ends the probe of a service, and whatever it is running.
    pub(super) fn stop(&self, name: &str) {
        self.order(Order::Stop(name.to_owned()));
    }

    /// Ends all probes.
    pub(super) fn stop_all(&self) {
        self.order(Order::StopAll);
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends with this, and not before.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.orders = None;
        // The trees of commands are killed by then. A check may hang in the system.
        let _ = self.ended.recv_timeout(LAST_CALL * 2);
    }
}

/// The thread.
fn ask_all(
    runtime: Runtime,
    mut orders: mpsc::UnboundedReceiver<Order>,
    answers: mpsc::UnboundedSender<Internal>,
) {
    runtime.block_on(async {
        let mut scheduler = Scheduler::new(answers);
        loop {
            let wakes = scheduler.wakes().map(|at| at.since(platform::now()));
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => scheduler.take(order),
                    None => break,
                },
                Some(answer) = scheduler.asking.join_next() => scheduler.hear(answer.ok()),
                () = tokio::time::sleep(wakes.unwrap_or_default()), if wakes.is_some() => {}
            }
            while let Ok(order) = orders.try_recv() {
                scheduler.take(order);
            }
            while let Some(answer) = scheduler.asking.try_join_next() {
                scheduler.hear(answer.ok());
            }
            scheduler.begin(platform::now());
        }
        // What is dropped ends what it had started, in a place where it can.
        scheduler.asking.shutdown().await;
    });
    runtime.shutdown_timeout(LAST_CALL);
}

/// All probes, and whose turn it is.
#[derive(Debug)]
struct Scheduler {
    spread: Jitter,
    cheap: ProbeQueue,
    expensive: ProbeQueue,
    entries: HashMap<Id, Entry>,
    names: HashMap<String, Id>,
    asking: JoinSet<Answer>,
    answers: mpsc::UnboundedSender<Internal>,
    last_id: Id,
}

/// One probe.
#[derive(Debug)]
struct Entry {
    is_expensive: bool,
    pace: Pace,
    turn: Turn,
}

/// When a probe is asked again.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Later and later.
    Rising {
        /// When the service was started.
        started: Tick,
        /// The longest pause.
        every: Duration,
    },
    /// Evenly.
    Even(Interval),
}

#[derive(Debug)]
enum Turn {
    /// Its time has not come.
    Waits(Box<Probe>),
    /// It is being asked.
    Asked(AbortHandle),
}

#[derive(Debug)]
struct Answer {
    id: Id,
    probe: Box<Probe>,
    answer: ProbeAnswer,
}

impl Scheduler {
    fn new(answers: mpsc::UnboundedSender<Internal>) -> Self {
        Self {
            spread: Jitter::new(u64::from(std::process::id())),
            cheap: ProbeQueue::new(PLACES, PATIENCE),
            expensive: ProbeQueue::new(PLACES_OF_COMMANDS, PATIENCE_WITH_COMMANDS),
            entries: HashMap::new(),
            names: HashMap::new(),
            asking: JoinSet::new(),
            answers,
            last_id: 0,
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Start(probe) => self.start(probe, platform::now()),
            Order::Hurry(name) => self.hurry(&name, platform::now()),
            Order::Stop(name) => self.stop(&name),
            Order::StopAll => {
                let names: Vec<String> = self.names.keys().cloned().collect();
                names.iter().for_each(|name| self.stop(name));
            }
        }
    }

    fn start(&mut self, probe: Box<Probe>, now: Tick) {
        self.stop(&probe.name);
        self.last_id += 1;
        let id = self.last_id;
        let (pace, first) = match probe.rhythm {
            Rhythm::UntilReady { started, every } => (Pace::Rising { started, every }, now),
            Rhythm::WhileAlive { every } => {
                let beat = self.spread.beat(every);
                // It was ready a moment ago.
                (Pace::Even(beat), beat.after(now + every / 2))
            }
        };
        self.names.insert(probe.name.clone(), id);
        let is_expensive = probe.is_expensive();
        self.agenda(is_expensive).plan(id, first);
        self.entries.insert(id, Entry { is_expensive, pace, turn: Turn::Waits(probe) });
    }

    fn hurry(&mut self, name: &str, now: Tick) {
        let Some(id) = self.names.get(name).copied() else { return };
        match self.entries.get(&id) {
            Some(Entry { is_expensive, turn: Turn::Waits(_), .. }) => {
                self.agenda(*is_expensive).plan(id, now);
            }
            // It is asked again soon.
            Some(Entry { turn: Turn::Asked(_), .. }) | None => {}
        }
    }

    fn stop(&mut self, name: &str) {
        let Some(id) = self.names.remove(name) else { return };
        let Some(entry) = self.entries.remove(&id) else { return };
        self.agenda(entry.is_expensive).forget(id);
        match entry.turn {
            Turn::Asked(task) => task.abort(),
            Turn::Waits(_) => {}
        }
    }

    fn wakes(&self) -> Option<Tick> {
        [self.cheap.wakes(), self.expensive.wakes()].into_iter().flatten().min()
    }

    /// Asks everybody whose turn it is.
    fn begin(&mut self, now: Tick) {
        while let Some(id) = self.cheap.begin(now).or_else(|| self.expensive.begin(now)) {
            let Some(entry) = self.entries.remove(&id) else { continue };
            let Entry { turn: Turn::Waits(mut probe), is_expensive, pace } = entry else {
                continue;
            };
            let task = self.asking.spawn(async move {
                let answer = probe.ask().await;
                Answer { id, probe, answer }
            });
            self.entries.insert(id, Entry { is_expensive, pace, turn: Turn::Asked(task) });
        }
    }

    /// Takes in an answer; `None` is one of a probe that was stopped.
    fn hear(&mut self, answer: Option<Answer>) {
        let Some(Answer { id, mut probe, answer }) = answer else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let now = platform::now();
        let holds = answer == ProbeAnswer::Holds;
        if let Some(input) = probe.answered(answer) {
            let (name, generation) = (probe.name.clone(), probe.generation);
            // The loop has ended if this fails.
            let _ = self.answers.send(Internal::Unit { name, generation, input });
        }
        let next = match entry.pace {
            Pace::Rising { .. } if holds => {
                self.stop(&probe.name);
                return;
            }
            Pace::Rising { started, every } => now + probe.pause(started, every, now),
            Pace::Even(beat) => beat.after(now),
        };
        entry.turn = Turn::Waits(probe);
        let is_expensive = entry.is_expensive;
        self.agenda(is_expensive).plan(id, next);
    }

    fn agenda(&mut self, is_expensive: bool) -> &mut ProbeQueue {
        if is_expensive { &mut self.expensive } else { &mut self.cheap }
    }
}
