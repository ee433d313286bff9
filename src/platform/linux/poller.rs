//! Waiting for many descriptors at once (epoll(7)).

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
};

/// What happened to a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The number it was added under.
    pub token: u64,
    /// Something can be read, or the other side is gone.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
}

/// A set of descriptors to wait for, level-triggered.
#[derive(Debug)]
pub struct Poller {
    descriptor: OwnedFd,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// Those of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self { descriptor: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Adds a descriptor to be read from.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2).
    pub fn add(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        epoll::add(&self.descriptor, source, EventData::new_u64(token), EventFlags::IN)?;
        Ok(())
    }

    /// Adds a descriptor of which only what is urgent matters; it is told as readable.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2).
    pub fn add_urgent(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        epoll::add(&self.descriptor, source, EventData::new_u64(token), EventFlags::PRI)?;
        Ok(())
    }

    /// Says whether a descriptor is also to be written to.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2).
    pub fn also_writable(&self, source: impl AsFd, token: u64, wanted: bool) -> io::Result<()> {
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, wanted);
        epoll::modify(&self.descriptor, source, EventData::new_u64(token), flags)?;
        Ok(())
    }

    /// Takes a descriptor out. It must be done before it is closed.
    pub fn remove(&self, source: impl AsFd) {
        let _never_added = epoll::delete(&self.descriptor, source);
    }

    /// Waits until something happens, or the time is over.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2); an interruption is none.
    pub fn wait(&self, ready: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let timeout = timeout.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        let mut events: [Event; 128] =
            [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 128];
        let count = match wait(&self.descriptor, &mut events, timeout.as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        ready.extend(events[..count].iter().map(|event| {
            let flags = event.flags;
            let ended = EventFlags::HUP | EventFlags::ERR;
            Readiness {
                token: event.data.u64(),
                readable: flags.intersects(EventFlags::IN | EventFlags::PRI | ended),
                writable: flags.intersects(EventFlags::OUT | ended),
            }
        }));
        Ok(())
    }
}

fn wait(set: &OwnedFd, events: &mut [Event], timeout: Option<&Timespec>) -> Result<usize, Errno> {
    epoll::wait(set, events, timeout)
}
