//! Which number each declared port has, and whether it is free.
//!
//! A number that the file leaves open (`port "auto"`) follows from the stack's folder and the
//! port's place in it, so that it is the same at every start and another one in another checkout;
//! the next free one where it is taken. It is kept bound from the moment it is chosen until its
//! service is about to be started: nobody can take it meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
};

use crate::{
    model::{Busy, Port, PortNumber, Service, Stack},
    platform::{self, Holder, Reserved, StackPaths, Subfolder},
};

/// How many numbers after a busy one `busy="next"` tries.
const NEXT_TRIES: u16 = 200;
/// Where open numbers are from, unless the system gives these to outgoing connections.
const OPEN: RangeInclusive<u16> = 30_000..=32_767;

/// The file that they are stored in.
const STORED: &str = "ports";

/// The numbers of the ports that the file leaves open, kept over restarts of the stack.
#[derive(Debug)]
pub(super) struct PortTable {
    places: StackPaths,
    /// Where it is stored.
    state: Subfolder,
    /// `service/index` → number, for `port "auto"`, a moved `busy="next"`, and one that may move by
    /// the answer to who holds it.
    chosen: BTreeMap<String, u16>,
    /// `service/index` → number of the stack in force, fixed ones included.
    numbers: BTreeMap<String, u16>,
    /// `service/name` → index.
    names: BTreeMap<String, usize>,
    /// `service/index` of the open ones.
    open: BTreeSet<String>,
    /// Open numbers that are kept for services which have not been started yet.
    kept: BTreeMap<String, Reserved>,
    /// Services that were let have theirs: something of them may be about to listen.
    given: BTreeSet<String>,
}

/// A port of a service that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BusyPort {
    pub(super) number: u16,
    /// Whether another number would do.
    pub(super) may_move: bool,
}

impl PortTable {
    /// The table as it was last stored; an empty one if it cannot be read: it is only a hint.
    pub(super) fn load(places: &StackPaths, state: Subfolder) -> Self {
        let stored = state.read(STORED).ok();
        let chosen = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            places: places.clone(),
            state,
            chosen: chosen.unwrap_or_default(),
            numbers: BTreeMap::new(),
            names: BTreeMap::new(),
            open: BTreeSet::new(),
            kept: BTreeMap::new(),
            given: BTreeSet::new(),
        }
    }

    /// Applies a stack: chooses a number for every open port that has none yet. A port that had to
    /// move returns to its own number, unless the service `lives`. Those of services in `moved` may
    /// move although the file does not say so.
    pub(super) fn adopt(
        &mut self,
        stack: &Stack,
        moved: &BTreeSet<String>,
        lives: impl Fn(&str) -> bool,
    ) {
        self.numbers.clear();
        self.names.clear();
        let open_before = std::mem::take(&mut self.open);
        let before = self.chosen.clone();
        for service in &stack.services {
            let lives = lives(&service.name) || self.given.contains(&service.name);
            for (index, port) in service.ports.iter().enumerate() {
                let key = key(&service.name, index);
                if let Some(name) = &port.name {
                    self.names.insert(format!("{}/{name}", service.name), index);
                }
                let number = match port.number {
                    PortNumber::Fixed(number) => match (self.chosen.get(&key), port.busy) {
                        (Some(moved), Busy::Next | Busy::Ask)
                            if lives && !open_before.contains(&key) =>
                        {
                            *moved
                        }
                        (_, Busy::Ask) if moved.contains(&service.name) => {
                            self.chosen.insert(key.clone(), number);
                            number
                        }
                        _ => {
                            self.chosen.remove(&key);
                            number
                        }
                    },
                    PortNumber::Auto => {
                        self.open.insert(key.clone());
                        match self.chosen.get(&key) {
                            Some(number) if lives => *number,
                            Some(_) | None => self.choose(&key),
                        }
                    }
                };
                self.numbers.insert(key, number);
            }
        }
        let numbers = &self.numbers;
        self.kept.retain(|key, _| numbers.contains_key(key));
        if self.chosen != before {
            self.store();
        }
    }

    /// The number of a service's port: by name, or its first.
    pub(super) fn number(&self, service: &str, port: Option<&str>) -> Option<u16> {
        self.at(service, self.index(service, port)?)
    }

    /// The number of a service's port that is not the declared one: by name, or its first.
    pub(super) fn moved(&self, service: &str, port: Option<&str>) -> Option<u16> {
        let index = self.index(service, port)?;
        self.chosen.get(&key(service, index)).copied()
    }

    /// Whether another number would do for the port of this number.
    pub(super) fn may_move(&self, service: &Service, number: u16) -> bool {
        self.numbered(service).any(|(index, port, own)| {
            own == number && (port.may_move() || self.gives_way(&service.name, index, port))
        })
    }

    /// Whether that was the answer to who holds it.
    fn gives_way(&self, service: &str, index: usize, port: &Port) -> bool {
        port.busy == Busy::Ask && self.chosen.contains_key(&key(service, index))
    }

    fn index(&self, service: &str, port: Option<&str>) -> Option<usize> {
        match port {
            Some(name) => self.names.get(&format!("{service}/{name}")).copied(),
            None => Some(0),
        }
    }

    /// The number of a service's port, by its place among them.
    pub(super) fn at(&self, service: &str, index: usize) -> Option<u16> {
        self.numbers.get(&key(service, index)).copied()
    }

    /// The numbers of all of a service's ports, in order.
    pub(super) fn all<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = (&'a Port, u16)> {
        self.numbered(service).map(|(_, port, number)| (port, number))
    }

    fn numbered<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl Iterator<Item = (usize, &'a Port, u16)> {
        let numbered = service.ports.iter().enumerate();
        numbered.filter_map(|(index, port)| Some((index, port, self.at(&service.name, index)?)))
    }

    /// The first port of a service about to start that somebody holds; the open ones are kept for
    /// it from now on.
    pub(super) fn find(&mut self, service: &Service) -> Option<BusyPort> {
        self.given.remove(&service.name);
        for (index, port) in service.ports.iter().enumerate() {
            let key = key(&service.name, index);
            let Some(&number) = self.numbers.get(&key) else { continue };
            // Whose listener may be anybody's may be there already.
            if self.kept.contains_key(&key) || port.any_owner {
                continue;
            }
            let is_auto = port.number == PortNumber::Auto;
            if is_busy(number, port.address()) || is_auto && !self.keep(&key, number) {
                let may_move = port.may_move() || self.gives_way(&service.name, index, port);
                return Some(BusyPort { number, may_move });
            }
        }
        None
    }

    /// Gives the port of this number another one; `false` where none is free.
    pub(super) fn move_on(&mut self, service: &Service, number: u16) -> bool {
        let index = (0..service.ports.len()).find(|&i| self.at(&service.name, i) == Some(number));
        let Some(index) = index else { return false };
        let key = key(&service.name, index);
        let next = match service.ports[index].number {
            PortNumber::Auto => self.keep_any(&key, number.saturating_add(1)),
            PortNumber::Fixed(_) => {
                let mut candidates = number.saturating_add(1)..=number.saturating_add(NEXT_TRIES);
                let host = service.ports[index].address();
                candidates.find(|next| !self.is_taken(*next) && !is_busy(*next, host))
            }
        };
        let Some(next) = next else { return false };
        self.chosen.insert(key.clone(), next);
        self.numbers.insert(key, next);
        self.store();
        true
    }

    /// Lets a service that is started this very moment have what was kept for it.
    pub(super) fn give(&mut self, service: &str) {
        let own = format!("{service}/");
        self.kept.retain(|key, _| !key.starts_with(&own));
        self.given.insert(service.to_owned());
    }

    /// Whether a port of a service is in use.
    pub(super) fn is_any_busy(&self, service: &Service) -> bool {
        let mut own = self.all(service).filter(|(port, _)| !port.any_owner);
        own.any(|(port, number)| is_busy(number, port.address()))
    }

    /// A number for an open port: the one that it has had, if that is free or held by what an
    /// earlier run has left, which is swept before it is needed.
    fn choose(&mut self, key: &str) -> u16 {
        let own = self.chosen.get(key).copied();
        if let Some(own) = own
            && (self.kept.contains_key(key) || self.keep(key, own) || self.is_leftover(own))
        {
            return own;
        }
        let number = self.keep_any(key, self.first_choice(key)).or(own).unwrap_or(0);
        self.chosen.insert(key.to_owned(), number);
        number
    }

    fn is_leftover(&self, number: u16) -> bool {
        match Holder::of(number) {
            Ok(Holder::Service { mark, .. }) => mark.is_of(&self.places),
            Ok(Holder::Free | Holder::Stranger(_) | Holder::Hidden { .. }) | Err(_) => false,
        }
    }

    /// Where the search for the number of an open port begins.
    fn first_choice(&self, key: &str) -> u16 {
        let range = open_range();
        let count = u64::from(range.end() - range.start()) + 1;
        range.start() + u16::try_from(self.places.hash_of(key) % count).unwrap_or(0)
    }

    /// Keeps the first free number from this one on.
    fn keep_any(&mut self, key: &str, from: u16) -> Option<u16> {
        let range = open_range();
        let from = if range.contains(&from) { from } else { *range.start() };
        let candidates = (from..=*range.end()).chain(*range.start()..from);
        candidates.into_iter().find(|number| !self.is_taken(*number) && self.keep(key, *number))
    }

    fn keep(&mut self, key: &str, number: u16) -> bool {
        match platform::reserve(number) {
            Ok(reserved) => {
                self.kept.insert(key.to_owned(), reserved);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether another port of this stack has it.
    fn is_taken(&self, number: u16) -> bool {
        self.numbers.values().chain(self.chosen.values()).any(|taken| *taken == number)
    }

    fn store(&self) {
        let bytes = serde_json::to_vec(&self.chosen).unwrap_or_default();
        let stored = self.state.make().and_then(|folder| folder.replace(STORED, &bytes));
        if let Err(error) = stored {
            tracing::warn!(%error, "cannot store the chosen ports");
        }
    }
}

/// The numbers that open ports get: none that an outgoing connection could be using.
fn open_range() -> RangeInclusive<u16> {
    let ephemeral = platform::ephemeral_ports();
    match ephemeral.contains(OPEN.start()) || ephemeral.start() <= OPEN.start() {
        true => OPEN,
        false => *OPEN.start()..=(*OPEN.end()).min(ephemeral.start() - 1),
    }
}

/// Whether somebody listens on it so that nobody else can at this address.
fn is_busy(port: u16, host: Option<IpAddr>) -> bool {
    platform::in_the_way(port, host).is_ok_and(|found| !found.is_empty())
}

fn key(service: &str, index: usize) -> String {
    format!("{service}/{index}")
}
