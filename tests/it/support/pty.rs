//! A terminal window that can be closed.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::wait::{eventually, wait_for};

/// A pseudo-terminal with a program on it, in a session of its own like a terminal window's shell.
#[derive(Debug)]
pub(crate) struct Terminal {
    window: Arc<Mutex<Window>>,
    child: Child,
}

/// The side of the person.
#[derive(Debug)]
struct Window {
    /// The only descriptor of this side: with its end the kernel hangs up.
    master: Option<File>,
    shown: Vec<u8>,
    /// Nothing more will be shown.
    is_over: bool,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a window size");
        let end = || Stdio::from(ioctl_tiocgptpeer(&master, flags).expect("its other end"));
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: both calls are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        let flags = fcntl_getfl(master.as_fd()).expect("flags");
        fcntl_setfl(master.as_fd(), flags | OFlags::NONBLOCK).expect("flags");
        let window = Window { master: Some(File::from(master)), shown: Vec::new(), is_over: false };
        let window = Arc::new(Mutex::new(window));
        let shared = Arc::clone(&window);
        thread::spawn(move || {
            while lock(&shared).read() {
                thread::sleep(Duration::from_millis(5));
            }
            lock(&shared).is_over = true;
        });
        Self { window, child }
    }

    /// All that was written to it, control sequences included.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&lock(&self.window).shown).into_owned()
    }

    /// Waits until this was shown.
    #[track_caller]
    pub(crate) fn has_shown(&self, text: &str) {
        eventually(&format!("the terminal showing `{text}`"), || self.shown().contains(text));
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &[u8]) {
        let mut window = lock(&self.window);
        let master = window.master.as_mut().expect("an open window");
        master.write_all(keys).expect("the terminal takes keys");
    }

    /// Closes the window: the kernel sends SIGHUP to what runs there.
    pub(crate) fn close(&self) {
        lock(&self.window).master = None;
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Waits for the program's end and for all it has shown; its exit status, if no signal ended
    /// it. Nobody else may hold the terminal.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let what = "the end of the program on the terminal";
        let status = wait_for(what, || child.try_wait().expect("a child"));
        eventually("the end of what it shows", || lock(&self.window).is_over);
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.close();
    }
}

impl Window {
    /// Takes what there is to read; false once there will be no more.
    fn read(&mut self) -> bool {
        let Some(master) = &mut self.master else { return false };
        let mut buffer = [0; 4096];
        match master.read(&mut buffer) {
            Ok(length @ 1..) => {
                self.shown.extend(&buffer[..length]);
                true
            }
            Ok(0) => false,
            // EIO: the program has closed its side.
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(PoisonError::into_inner)
}
