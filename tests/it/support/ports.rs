//! Ports that no two tests share, whoever else tests on this machine.

use std::{
    net::{TcpListener, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
};

/// A TCP port that is ours until this is dropped.
///
/// The lease is a UDP socket of the same number: exclusive among all processes, gone with ours
/// whatever happens, and in nobody's way. A free TCP port that is merely looked up could be given
/// away twice.
#[derive(Debug)]
pub(crate) struct Lease {
    port: u16,
    _lease: UdpSocket,
}

impl Lease {
    pub(crate) fn new() -> Self {
        // Below the ports from which the system takes those of outgoing connections.
        const FIRST: u16 = 20_000;
        const COUNT: u16 = 1_000;
        // Room for a service that moves to the next free port, which must not be another test's.
        const GAP: u16 = 10;
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
        for _ in 0..COUNT {
            let slot = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
            let port = FIRST + slot * GAP;
            let Ok(lease) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
            if TcpListener::bind(("0.0.0.0", port)).is_ok() {
                return Self { port, _lease: lease };
            }
        }
        panic!("no free port");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
