//! How long a service is away that was killed: from the kill to the first words of the next start
//! (delay 0), against a loop that does nothing but wait and spawn.
//!
//! `cargo bench --bench crash`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement starts programs, reads the clock, and prints"
)]

#[expect(dead_code, unused_imports, reason = "a measurement needs a part of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "a measurement needs a part of it")]
mod table;

use std::{
    env,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::{Process, Stack};

/// The first argument of this program where it is the service.
const SPEAK: &str = "speak";
const KILLS: usize = 100;
/// So long each instance lives, so that what follows a start is over.
const ALIVE: Duration = Duration::from_millis(150);

fn main() {
    let mut args = env::args().skip(1);
    if args.next().is_some_and(|first| first == SPEAK) {
        return speak(&args.next().expect("a socket"));
    }
    let ours = under_stackrun();
    let bare = under_a_loop();
    table::print_tail(
        &format!("{KILLS} kills, exit to start"),
        &[("wait and spawn", bare), ("stackrun", ours)],
    );
}

fn under_stackrun() -> Vec<Duration> {
    let program = env::current_exe().expect("this program has a path");
    let stack = Stack::new(&format!(
        "service \"s\" {{\n run \"{}\" \"{SPEAK}\" \"starts\"\n \
         restart \"always\" tries=1000 delay=\"0s\"\n}}\n",
        program.display()
    ));
    let starts = UnixDatagram::bind(stack.path("starts")).expect("a socket");
    stack.up();
    let times = times(&starts, || stack.process("s"));
    stack.down();
    times
}

fn under_a_loop() -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("starts");
    let starts = UnixDatagram::bind(&path).expect("a socket");
    let (over, pid) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let spawning = {
        let (over, pid) = (Arc::clone(&over), Arc::clone(&pid));
        thread::spawn(move || wait_and_spawn(&path, &over, &pid))
    };
    let alive = || Process::get(pid.load(Ordering::SeqCst)).expect("it was just started");
    let times = times(&starts, alive);
    over.store(true, Ordering::SeqCst);
    alive().kill();
    spawning.join().expect("it ends");
    times
}

/// The service: it says that it runs, and stays.
fn speak(socket: &str) {
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.send_to(b"up", socket).expect("somebody listens");
    loop {
        thread::park();
    }
}

fn wait_and_spawn(starts: &Path, over: &AtomicBool, pid: &AtomicU32) {
    while !over.load(Ordering::SeqCst) {
        let mut service = Command::new(env::current_exe().expect("this program has a path"));
        service.arg(SPEAK).arg(starts);
        service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut service = service.spawn().expect("the helper starts");
        pid.store(service.id(), Ordering::SeqCst);
        let _ = service.wait();
    }
}

/// From each kill to what the next start says first.
fn times(starts: &UnixDatagram, alive: impl Fn() -> Process) -> Vec<Duration> {
    let mut word = [0; 64];
    starts.recv(&mut word).expect("a start");
    let one = |_| {
        thread::sleep(ALIVE);
        let process = alive();
        let killed = Instant::now();
        process.kill();
        starts.recv(&mut word).expect("a start");
        killed.elapsed()
    };
    (0..KILLS).map(one).collect()
}
