//! What `status` shows: the core's view with what only the system knows.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    listener_owner::{self, LOOPBACK},
    state::Executor,
};
use crate::{
    core::lifecycle::millis,
    core::stack::{ServiceView, TaskView, Why},
    event::Tick,
    language,
    model::{Check, HttpTarget, Port, Service},
    platform::{self, TreeStats},
    reason::Notice,
    status::{
        Because, Evidence, LEFT, PortStatus, ServiceState, ServiceStatus, State, Status,
        SupervisorStatus, TaskState, TaskStatus,
    },
};

/// How old a sample of processor time may be to be compared with.
const SAMPLE_AGE: Duration = Duration::from_secs(60);
/// A wall clock that has moved by so much against the other one has been set.
const CLOCK_SET: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);

/// Processor time at the last look, for the rate since then.
#[derive(Debug, Default)]
pub(super) struct Statistics(HashMap<(String, u64), (Tick, Duration)>);

impl Statistics {
    /// The share of one processor since the last look, or since the start, in percent.
    fn percent(&mut self, name: &str, generation: u64, started: Tick, cpu: Duration) -> f64 {
        let now = platform::now();
        let last = self.0.insert((name.to_owned(), generation), (now, cpu));
        let last = last.filter(|(at, _)| now.since(*at) < SAMPLE_AGE);
        let (since, before) = last.unwrap_or((started, Duration::ZERO));
        let passed = now.since(since).as_secs_f64();
        if passed <= 0.0 {
            return 0.0;
        }
        let percent = 100.0 * cpu.saturating_sub(before).as_secs_f64() / passed;
        (percent * 10.0).round() / 10.0
    }
}

/// The wall clock at tick 0. Two looks at two clocks are never quite the same: the one that was
/// seen first stands, unless the clock has been set since, so that a moment is told alike each time.
#[derive(Debug, Default)]
pub(super) struct Epoch(Option<jiff::Timestamp>);

impl Epoch {
    /// The wall clock at a tick of the past; `now` and `wall` are the present moment.
    fn at(&mut self, tick: Tick, now: Tick, wall: jiff::Timestamp) -> jiff::Timestamp {
        let seen = moved(wall, now, false);
        let is_same = |known: &jiff::Timestamp| known.duration_since(seen).abs() < CLOCK_SET;
        let epoch = *self.0.insert(self.0.filter(is_same).unwrap_or(seen));
        moved(epoch, tick, true)
    }
}

/// A moment so long after another one, or before it.
fn moved(from: jiff::Timestamp, by: Tick, ahead: bool) -> jiff::Timestamp {
    let by = jiff::SignedDuration::try_from(by.0).unwrap_or_default();
    let to = if ahead { from.checked_add(by) } else { from.checked_sub(by) };
    to.unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

impl Executor {
    /// The stack now.
    pub(super) fn status(&mut self) -> Status {
        let now = platform::now();
        let views = self.core.services(now);
        let trees = self.trees(&views);
        let on_ipv6 = on_ipv6_alone(self.core.stack().services.iter().filter_map(|service| {
            let (port, number) = self.asked_for_http(service)?;
            (service.url.is_none() && port.host.is_none()).then_some(number)
        }));
        let services = views.into_iter().zip(trees);
        let services = services.map(|(view, tree)| self.service_status(view, &tree, &on_ipv6, now));
        let services: Vec<ServiceStatus> = services.collect();
        let tasks = self.core.tasks();
        let tasks = tasks.into_iter().map(|view| self.task_status(view, now)).collect();
        Status {
            format: 1,
            stack: self.core.stack().name.clone(),
            file: self.shown(&self.core.stack().file),
            supervisor: Some(SupervisorStatus {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").into(),
                since: self.since,
            }),
            notices: self.notices(&services),
            services,
            tasks,
        }
    }

    /// A path as it is shown: from the stack's folder on, where it lies in there.
    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.places.folder).unwrap_or(path).to_owned()
    }

    /// The statistics of every service's tree, from one look at the system.
    fn trees(&self, views: &[ServiceView]) -> Vec<TreeStats> {
        let mains = views.iter().map(|view| view.pid);
        let running: Vec<u32> = mains.clone().flatten().collect();
        let mut families = listener_owner::trees(&running).into_iter();
        // One family for each that runs, in the same order.
        let family = |main: Option<u32>| main.and_then(|_| families.next()).unwrap_or_default();
        mains.map(family).map(|pids| platform::stats(&pids)).collect()
    }

    fn service_status(
        &mut self,
        view: ServiceView,
        tree: &TreeStats,
        on_ipv6: &BTreeSet<u16>,
        now: Tick,
    ) -> ServiceStatus {
        let started = view.started.unwrap_or(now);
        let cpu_percent = match tree.processes {
            0 => 0.0,
            _ => self.statistics.percent(&view.name, view.generation, started, tree.cpu),
        };
        let since = view.since.map(|since| self.wall(since, now));
        let mut notices = view.notices;
        notices.extend(self.watches.paused(&view.name, started).into_iter().map(Notice::from));
        let launcher = self.launcher();
        let service = self.core.stack().service(&view.name);
        ServiceStatus {
            state: view.state,
            checked: view.checked,
            proven: view.proven,
            wanted: view.wanted,
            because: view.because,
            pid: view.pid,
            generation: view.generation,
            ports: service.map_or_else(Vec::new, |service| self.port_statuses(service)),
            since,
            uptime_ms: view.pid.and(view.started).map(|started| millis(now.since(started))),
            restarts: view.restarts,
            exit: view.exit,
            processes: tree.processes,
            memory_bytes: tree.memory_bytes,
            cpu_percent,
            needs: names(self.core.stack().needs(&view.name)),
            url: service.and_then(|service| self.url(service, |number| on_ipv6.contains(&number))),
            describe: service
                .and_then(|service| service.describe.as_ref())
                .map(|text| launcher.render(text)),
            notices,
            name: view.name,
        }
    }

    fn port_statuses(&self, service: &Service) -> Vec<PortStatus> {
        let ports = service.ports.iter().enumerate().map(|(index, port)| PortStatus {
            name: port.name.clone(),
            port: self.ports.at(&service.name, index).unwrap_or(0),
        });
        ports.collect()
    }

    /// Where a service can be found: its `url`, or its first port.
    pub(super) fn address(&self, service: &Service) -> Option<String> {
        let url = self.url(service, |number| !on_ipv6_alone([number].into_iter()).is_empty());
        url.or_else(|| self.ports.at(&service.name, 0).map(|port| format!("port {port}")))
    }

    fn url(&self, service: &Service, is_on_ipv6: impl FnOnce(u16) -> bool) -> Option<String> {
        if let Some(url) = &service.url {
            return Some(self.launcher().render(url));
        }
        let (port, number) = self.asked_for_http(service)?;
        Some(match port.host {
            // Many a server listens on the first address of `localhost` alone.
            None if is_on_ipv6(number) => format!("http://[::1]:{number}"),
            None | Some(_) => port.url(number),
        })
    }

    /// The port at which a service is asked for HTTP.
    fn asked_for_http<'s>(&self, service: &'s Service) -> Option<(&'s Port, u16)> {
        let asked = service.ready.checks.iter().find_map(|check| match check {
            Check::Http(http) => match &http.target {
                HttpTarget::Path { port, .. } => Some(port.as_deref()),
                HttpTarget::Url(_) => None,
            },
            Check::Tcp(_)
            | Check::Command(_)
            | Check::Prints(_)
            | Check::Notify
            | Check::Delay(_) => None,
        })?;
        let port = match asked {
            Some(name) => service.ports.iter().find(|port| port.name.as_deref() == Some(name))?,
            None => service.ports.first()?,
        };
        Some((port, self.ports.number(&service.name, asked)?))
    }

    fn task_status(&mut self, view: TaskView, now: Tick) -> TaskStatus {
        let since = view.since.map(|since| self.wall(since, now));
        let task = self.core.stack().task(&view.name);
        let launcher = self.launcher();
        TaskStatus {
            state: view.state,
            wanted: view.wanted,
            because: view.because,
            exit: view.exit,
            since,
            next: self.schedules.next(&view.name),
            needs: names(self.core.stack().needs(&view.name)),
            describe: task
                .and_then(|task| task.describe.as_ref())
                .map(|text| launcher.render(text)),
            name: view.name,
        }
    }

    fn wall(&mut self, tick: Tick, now: Tick) -> jiff::Timestamp {
        self.epoch.at(tick, now, platform::wall_clock())
    }

    fn notices(&self, services: &[ServiceStatus]) -> Vec<String> {
        let mut notices: Vec<String> = self.strays.clone();
        // By its number: its state may be another one by now.
        let pid = |process: &str| process.split(' ').next().map(str::to_owned);
        let stuck: BTreeSet<_> = services.iter().flat_map(stuck).map(|one| pid(one)).collect();
        let is_told = |process: &String| stuck.contains(&pid(process));
        for process in self.left.iter().filter(|process| !is_told(process)) {
            notices.push(format!("{LEFT}{process}"));
        }
        let changed = |source: &&crate::model::Source| {
            language::fingerprint_of(&source.path) != source.fingerprint
        };
        for source in self.core.stack().sources.iter().filter(changed) {
            let path = self.shown(&source.path);
            let path = path.display();
            notices.push(match source.path.exists() {
                true => {
                    format!("{path} has changed since it was applied; `stackrun up` applies it")
                }
                false => format!("{path} is gone since it was applied"),
            });
        }
        if let Some(trouble) = &self.ledger.trouble {
            notices.push(format!("the ledger cannot be written: {trouble}"));
        }
        notices
    }

    /// The env files of a service or task that were read again after the values were lost, and are
    /// others than at the `up` that they count from.
    fn read_again(&self, name: &str) -> Vec<String> {
        let env = match (self.service(name), self.task(name)) {
            (Some(service), _) => &service.env,
            (None, Some(task)) => &task.env,
            (None, None) => return Vec::new(),
        };
        let files: BTreeSet<&Path> =
            env.values().filter_map(|value| value.file.as_deref()).collect();
        let changed = files.into_iter().filter(|file| self.checkpointer.read_again.contains(*file));
        let told = changed.map(|file| {
            let file = self.shown(file).display().to_string();
            format!(
                "{file} has changed since `up`, and was read again when stackrun itself was killed: \
                 starts since then take the new values"
            )
        });
        told.collect()
    }

    /// Adds the last lines of the log to the links that speak of an end.
    pub(super) fn with_log_lines(&self, mut why: Why) -> Why {
        let services = self.core.services(platform::now());
        for link in &mut why.links {
            let view = services.iter().find(|view| view.name == link.name);
            if let Some(started) = view.and_then(|view| view.started) {
                link.evidence
                    .extend(self.watches.paused(&link.name, started).into_iter().map(evidence));
            }
            link.evidence.extend(self.read_again(&link.name).into_iter().map(evidence));
        }
        if let Some(root) = why.links.last_mut().filter(|link| !is_well(link.state)) {
            let view = services.iter().find(|view| view.name == root.name);
            // A task's runs are counted with its log.
            let of_task = || self.log_places.get(&root.name).map_or(0, |(latest, _)| *latest);
            let generation = view.map_or_else(of_task, |view| view.generation);
            for line in self.last_lines(&root.name, generation) {
                root.evidence.push(Evidence::LogLine { text: line });
            }
        }
        why
    }
}

fn evidence(text: String) -> Evidence {
    Evidence::Notice { notice: Notice::Text(text) }
}

/// The processes of a service that could not be ended.
fn stuck(service: &ServiceStatus) -> &[String] {
    match &service.because {
        Some(Because::Stuck { processes }) => processes,
        Some(_) | None => &[],
    }
}

/// Whether there is nothing to explain about a state.
fn is_well(state: State) -> bool {
    match state {
        State::Service(state) => state == ServiceState::Ready,
        State::Task(state) => matches!(state, TaskState::Done | TaskState::Skipped),
    }
}

/// Which of these ports answer at the loopback address of IPv6 and not at that of IPv4.
fn on_ipv6_alone(ports: impl Iterator<Item = u16>) -> BTreeSet<u16> {
    let ports: Vec<u16> = ports.collect();
    let listeners = platform::listeners(&ports).unwrap_or_default();
    let [four, six] = LOOPBACK;
    let answers = |port: u16, at| {
        listeners.iter().any(|found| found.port == port && found.is_in_the_way_of(Some(at)))
    };
    ports.into_iter().filter(|&port| answers(port, six) && !answers(port, four)).collect()
}

fn names(needs: &[crate::model::Need]) -> Vec<String> {
    needs.iter().map(|need| need.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_alike_until_the_clock_is_set() {
        let at = |micros: i64| jiff::Timestamp::from_microsecond(micros).unwrap();
        let tick = |micros| Tick(Duration::from_micros(micros));
        let mut epoch = Epoch::default();
        let first = epoch.at(tick(10), tick(20), at(5_000_020));
        assert_eq!(first, at(5_000_010));
        assert_eq!(epoch.at(tick(10), tick(30), at(5_000_037)), first);
        assert_eq!(epoch.at(tick(10), tick(30), at(9_000_030)), at(9_000_010));
        assert_eq!(epoch.at(tick(10), tick(40), at(9_000_039)), at(9_000_010));
    }
}
