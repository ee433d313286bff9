//! The probes of a service, made from what it declares.

use std::sync::Arc;

use super::{
    checks::{Attempt, Endpoint},
    effects::errors_of,
    foreground::Foreground,
    http::{HttpRequest, Scheme, Target, parse_url},
    launch::Launcher,
    listener_owner::Owner,
    log_search::LogSearch,
    probe::{Probe, Rhythm},
    state::Unit,
};
use crate::{
    event::{Place, Tick},
    logs::{Lines, Log},
    model::{Alive, Check, HttpCheck, HttpTarget, Port, PortRef, Service},
    platform,
    reason::{CheckAnswer, CheckLabel, FailedCheck},
};

/// The readiness probe of one generation.
pub(super) fn ready(
    launcher: &Launcher<'_>,
    service: &Service,
    generation: u64,
    running: Option<(&Unit, Tick)>,
) -> Probe {
    let maker = Maker::new(launcher, service, running);
    let mut attempts = if service.ready.checks.is_empty() {
        let endpoints = maker.all_ports();
        if endpoints.is_empty() { Vec::new() } else { vec![Attempt::Listening(endpoints)] }
    } else {
        service.ready.checks.iter().map(|check| maker.attempt(check)).collect()
    };
    let started = maker.started;
    if let (Some(unit), false) = (maker.unit, attempts.is_empty()) {
        attempts.push(Attempt::Foreground(Foreground::new(unit.owner.main)));
    }
    Probe {
        name: service.name.clone(),
        generation,
        attempts,
        timeout: service.ready.timeout,
        rhythm: Rhythm::UntilReady { started, every: service.ready.every },
        last: None,
    }
}

/// The liveness probe of one generation.
pub(super) fn alive(
    launcher: &Launcher<'_>,
    service: &Service,
    alive: &Alive,
    generation: u64,
    running: Option<(&Unit, Tick)>,
) -> Probe {
    let maker = Maker::new(launcher, service, running);
    Probe {
        name: service.name.clone(),
        generation,
        attempts: alive.checks.iter().map(|check| maker.attempt(check)).collect(),
        timeout: alive.timeout,
        rhythm: Rhythm::WhileAlive { every: alive.every },
        last: None,
    }
}

/// Makes attempts of declared checks.
struct Maker<'a> {
    launcher: &'a Launcher<'a>,
    service: &'a Service,
    unit: Option<&'a Unit>,
    /// Since when that runs; of an external service, now.
    started: Tick,
}

impl<'a> Maker<'a> {
    fn new(
        launcher: &'a Launcher<'a>,
        service: &'a Service,
        running: Option<(&'a Unit, Tick)>,
    ) -> Self {
        let started = running.map_or_else(platform::now, |(_, started)| started);
        Self { launcher, service, unit: running.map(|(unit, _)| unit), started }
    }

    fn attempt(&self, check: &Check) -> Attempt {
        match check {
            Check::Tcp(None) => Attempt::Tcp(self.all_ports()),
            Check::Tcp(Some(port)) => match self.endpoint(port) {
                Some(endpoint) => Attempt::Tcp(vec![endpoint]),
                None => broken("tcp", "the service has no such port".into()),
            },
            Check::Http(http) => self.http(http),
            Check::Command(command) => match self.launcher.oneshot(self.service, command) {
                Ok(oneshot) => Attempt::Command(oneshot),
                Err(error) => broken("run", error),
            },
            Check::Prints(pattern) => match regex::bytes::Regex::new(pattern) {
                Ok(regex) => Attempt::Prints(LogSearch::new(regex, self.outputs())),
                Err(error) => broken("prints", error.to_string()),
            },
            Check::Notify => Attempt::Notified(
                self.unit.map(|unit| Arc::clone(&unit.notified)).unwrap_or_default(),
            ),
            Check::Delay(delay) => Attempt::Delay { started: self.started, delay: *delay },
        }
    }

    /// The logs that this generation writes to, and where it began.
    fn outputs(&self) -> Vec<(Log, Place)> {
        let log = Log::new(self.launcher.logs, &self.service.name);
        let begin = self.unit.map_or_else(|| log.end(), |unit| unit.log);
        let errors = self.service.log.split.then(|| {
            let log = Log::new(self.launcher.logs, &errors_of(&self.service.name));
            let known = self.unit.and_then(|unit| unit.errors);
            let begin = known.unwrap_or_else(|| self.begin_by_time(&log));
            (log, begin)
        });
        [(log, begin)].into_iter().chain(errors).collect()
    }

    /// Where a log was when the unit was started, which a supervisor before this one knew.
    fn begin_by_time(&self, log: &Log) -> Place {
        if self.unit.is_none() {
            return log.end();
        }
        let passed = platform::now().since(self.started);
        let started = platform::wall_clock().checked_sub(passed);
        let begin = started.map(|at| Lines::all(log).since(at).begin());
        let end = log.end();
        begin.map_or(end, |begin| begin.min(end))
    }

    fn http(&self, http: &HttpCheck) -> Attempt {
        let target = match &http.target {
            HttpTarget::Path { path, port } => {
                self.own_target(self.launcher.render(path), port.as_deref())
            }
            HttpTarget::Url(url) => parse_url(&self.launcher.render(url), http.insecure)
                .map(|target| self.with_owner(target)),
        };
        let Target { endpoint, scheme, authority, path } = match target {
            Ok(target) => target,
            Err(error) => return broken("http", error),
        };
        let label = match &http.target {
            HttpTarget::Path { .. } => path.clone(),
            HttpTarget::Url(url) => self.launcher.render(url),
        };
        let render = |(name, value): &(String, _)| (name.clone(), self.launcher.render(value));
        let headers = http.headers.iter().map(render).collect();
        let status = http.status.clone();
        let request = HttpRequest { endpoint, scheme, authority, path, headers, status, label };
        Attempt::Http(Box::new(request))
    }

    fn own_target(&self, path: String, port: Option<&str>) -> Result<Target, String> {
        let endpoint = match port {
            Some(name) => self.endpoint(&PortRef::Name(name.to_owned())),
            None => self.all_ports().into_iter().next(),
        };
        let endpoint = endpoint.ok_or("the service has no such port")?;
        let authority = authority(&endpoint);
        Ok(Target { endpoint, scheme: Scheme::Http, authority, path })
    }

    /// A URL may lead to one of the service's own ports: then its own processes must listen.
    fn with_owner(&self, mut target: Target) -> Target {
        let host = target.endpoint.host.as_deref();
        if matches!(host, Some("localhost" | "127.0.0.1" | "::1")) {
            let own = self.endpoint(&PortRef::Number(target.endpoint.port));
            target.endpoint.owner = own.and_then(|own| own.owner);
        }
        target
    }

    fn all_ports(&self) -> Vec<Endpoint> {
        let ports = self.launcher.ports.all(self.service);
        ports.map(|(port, number)| self.declared(port, number)).collect()
    }

    fn endpoint(&self, port: &PortRef) -> Option<Endpoint> {
        let mut declared = self.launcher.ports.all(self.service);
        match port {
            PortRef::Name(name) => declared
                .find(|(port, _)| port.name.as_deref() == Some(name))
                .map(|(port, number)| self.declared(port, number)),
            PortRef::Number(wanted) => {
                let own = declared.find(|(_, number)| number == wanted);
                // Any other number is somebody else's, who may be anybody.
                let foreign = Endpoint { host: None, port: *wanted, owner: None };
                Some(own.map_or(foreign, |(port, number)| self.declared(port, number)))
            }
        }
    }

    fn declared(&self, port: &Port, number: u16) -> Endpoint {
        let owner: Option<Owner> = self.unit.map(|unit| unit.owner.clone());
        let owner = owner.filter(|_| !port.any_owner);
        Endpoint { host: port.host.clone(), port: number, owner }
    }
}

fn authority(endpoint: &Endpoint) -> String {
    let host = endpoint.host.as_deref().unwrap_or("localhost");
    if host.contains(':') {
        format!("[{host}]:{}", endpoint.port)
    } else {
        format!("{host}:{}", endpoint.port)
    }
}

fn broken(check: &str, error: String) -> Attempt {
    let (check, answer) = (CheckLabel::Other(check.to_owned()), CheckAnswer::Error(error));
    Attempt::Broken(FailedCheck { check, answer })
}
