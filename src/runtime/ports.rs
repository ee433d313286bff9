//! Which number each declared port has, and whether it is free.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use crate::{
    model::{Busy, Port, PortNumber, Service, Stack},
    platform,
};

/// How many numbers after a busy one `busy="next"` tries.
const NEXT_TRIES: u16 = 200;

/// The numbers of the ports that the file leaves open, kept over restarts of the stack.
#[derive(Debug, Default)]
pub(super) struct PortTable {
    file: PathBuf,
    /// `service/index` → number, for `port "auto"` and a moved `busy="next"`.
    chosen: BTreeMap<String, u16>,
    /// `service/index` → number of the stack in force, fixed ones included.
    numbers: BTreeMap<String, u16>,
    /// `service/name` → index.
    names: BTreeMap<String, usize>,
}

impl PortTable {
    /// The table as it was last stored; an empty one if it cannot be read: it is only a hint.
    pub(super) fn load(file: &Path) -> Self {
        let stored = std::fs::read(file).ok();
        let chosen = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file: file.to_owned(), chosen: chosen.unwrap_or_default(), ..Self::default() }
    }

    /// Takes up a stack: chooses a number for every open port that has none yet. A port that had
    /// to move goes back to its own number, but for a service that `lives`.
    pub(super) fn adopt(&mut self, stack: &Stack, lives: impl Fn(&str) -> bool) {
        self.numbers.clear();
        self.names.clear();
        let before = self.chosen.clone();
        for service in &stack.services {
            for (index, port) in service.ports.iter().enumerate() {
                let key = key(&service.name, index);
                if let Some(name) = &port.name {
                    self.names.insert(format!("{}/{name}", service.name), index);
                }
                let number = match port.number {
                    PortNumber::Fixed(number) => match self.chosen.get(&key) {
                        Some(moved) if port.busy == Busy::Next && lives(&service.name) => *moved,
                        Some(_) | None => {
                            self.chosen.remove(&key);
                            number
                        }
                    },
                    PortNumber::Auto => match self.chosen.get(&key) {
                        Some(number) => *number,
                        None => self.free_number().unwrap_or(0),
                    },
                };
                if port.number == PortNumber::Auto {
                    self.chosen.insert(key.clone(), number);
                }
                self.numbers.insert(key, number);
            }
        }
        if self.chosen != before {
            self.store();
        }
    }

    /// The number of a service's port: by name, or its first.
    pub(super) fn number(&self, service: &str, port: Option<&str>) -> Option<u16> {
        let index = match port {
            Some(name) => *self.names.get(&format!("{service}/{name}"))?,
            None => 0,
        };
        self.at(service, index)
    }

    /// The number of a service's port, by its place among them.
    pub(super) fn at(&self, service: &str, index: usize) -> Option<u16> {
        self.numbers.get(&key(service, index)).copied()
    }

    /// The numbers of all of a service's ports, in order.
    pub(super) fn all<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = (&'a Port, u16)> {
        let numbered = service.ports.iter().enumerate();
        numbered.filter_map(|(index, port)| Some((port, self.at(&service.name, index)?)))
    }

    /// The first port of a service that somebody holds, once those that may move have moved.
    pub(super) fn find(&mut self, service: &Service) -> Option<u16> {
        for (index, port) in service.ports.iter().enumerate() {
            let Some(number) = self.at(&service.name, index).filter(|port| is_busy(*port)) else {
                continue;
            };
            let moves = port.number == PortNumber::Auto || port.busy == Busy::Next;
            let next = if moves { self.next_free(port, number) } else { None };
            let Some(next) = next else { return Some(number) };
            self.chosen.insert(key(&service.name, index), next);
            self.numbers.insert(key(&service.name, index), next);
            self.store();
        }
        None
    }

    /// The first port of a service that somebody holds.
    pub(super) fn first_busy(&self, service: &Service) -> Option<u16> {
        self.all(service).map(|(_, number)| number).find(|number| is_busy(*number))
    }

    fn next_free(&self, port: &Port, number: u16) -> Option<u16> {
        match port.number {
            PortNumber::Auto => self.free_number(),
            PortNumber::Fixed(_) => {
                let candidates = number.saturating_add(1)..=number.saturating_add(NEXT_TRIES);
                candidates.into_iter().find(|next| {
                    !self.numbers.values().any(|taken| taken == next) && !is_busy(*next)
                })
            }
        }
    }

    /// A number that the system says is free and that no other service has.
    fn free_number(&self) -> Option<u16> {
        for _ in 0..100 {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let number = socket.local_addr().ok()?.port();
            if !self.numbers.values().chain(self.chosen.values()).any(|taken| *taken == number) {
                return Some(number);
            }
        }
        None
    }

    fn store(&self) {
        let bytes = serde_json::to_vec(&self.chosen).unwrap_or_default();
        if let Err(error) = super::files::replace(&self.file, &bytes) {
            tracing::warn!(%error, "cannot store the chosen ports");
        }
    }
}

/// Whether somebody listens on it; a closed connection that lingers does not count.
fn is_busy(port: u16) -> bool {
    platform::listeners(&[port]).is_ok_and(|found| !found.is_empty())
}

fn key(service: &str, index: usize) -> String {
    format!("{service}/{index}")
}
