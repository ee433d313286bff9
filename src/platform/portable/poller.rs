//! Waiting for many descriptors at once (poll(2)).

use std::{
    cell::RefCell,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
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
    sources: RefCell<Vec<(RawFd, u64, PollFlags)>>,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// None.
    pub fn new() -> io::Result<Self> {
        Ok(Self { sources: RefCell::default() })
    }

    /// Adds a descriptor to be read from. It must be removed before it is closed.
    ///
    /// # Errors
    ///
    /// None.
    pub fn add(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        let descriptor = source.as_fd().as_raw_fd();
        self.sources.borrow_mut().push((descriptor, token, PollFlags::IN));
        Ok(())
    }

    /// Adds a descriptor of which only what is urgent matters.
    ///
    /// # Errors
    ///
    /// None.
    pub fn add_urgent(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        let descriptor = source.as_fd().as_raw_fd();
        self.sources.borrow_mut().push((descriptor, token, PollFlags::PRI));
        Ok(())
    }

    /// Says whether a descriptor is also to be written to.
    ///
    /// # Errors
    ///
    /// None.
    pub fn also_writable(&self, source: impl AsFd, token: u64, wanted: bool) -> io::Result<()> {
        self.remove(&source);
        self.add(source, token)?;
        if let Some((_, _, flags)) = self.sources.borrow_mut().last_mut() {
            flags.set(PollFlags::OUT, wanted);
        }
        Ok(())
    }

    /// Takes a descriptor out. It must be done before it is closed.
    pub fn remove(&self, source: impl AsFd) {
        let descriptor = source.as_fd().as_raw_fd();
        self.sources.borrow_mut().retain(|&(known, ..)| known != descriptor);
    }

    /// Waits until something happens, or the time is over.
    ///
    /// # Errors
    ///
    /// Those of poll(2); an interruption is none.
    pub fn wait(&self, ready: &mut Vec<Readiness>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let sources = self.sources.borrow();
        // SAFETY: what was added is removed before it is closed.
        let borrow = |descriptor| unsafe { BorrowedFd::borrow_raw(descriptor) };
        let mut polled: Vec<PollFd<'_>> = sources
            .iter()
            .map(|&(descriptor, _, flags)| PollFd::from_borrowed_fd(borrow(descriptor), flags))
            .collect();
        let timeout = timeout.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for (polled, &(_, token, _)) in polled.iter().zip(sources.iter()) {
            let flags = polled.revents();
            let ended = PollFlags::HUP | PollFlags::ERR;
            let readable = flags.intersects(PollFlags::IN | ended);
            let writable = flags.intersects(PollFlags::OUT | ended);
            if readable || writable {
                ready.push(Readiness { token, readable, writable });
            }
        }
        Ok(())
    }
}
