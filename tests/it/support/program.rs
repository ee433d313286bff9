//! Runs of the real binary, none without a limit of time.

use std::{
    io::Read,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::PATIENCE;

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Demands an exit status.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let Self { line, code: got, out, err } = &self;
        assert!(*got == code, "`{line}` → {got}, not {code}\n--- out\n{out}--- err\n{err}---");
        self
    }

    /// Demands that this is said, on stdout or stderr.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let Self { line, out, err, .. } = &self;
        assert!(
            out.contains(text) || err.contains(text),
            "`{line}` does not say `{text}`\n--- out\n{out}--- err\n{err}---"
        );
        self
    }
}

/// A run on its way.
#[derive(Debug)]
pub(crate) struct Running {
    line: String,
    child: Child,
    out: Output,
    err: Output,
    patience: Duration,
}

impl Running {
    pub(crate) fn start(line: String, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{line}: {error}"));
        let out = Output::of(child.stdout.take().expect("a pipe"));
        let err = Output::of(child.stderr.take().expect("a pipe"));
        Self { line, child, out, err, patience: PATIENCE }
    }

    /// Allows another time than usual.
    pub(crate) fn patience(mut self, seconds: u64) -> Self {
        self.patience = Duration::from_secs(seconds);
        self
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its stdout up to now.
    pub(crate) fn out(&self) -> String {
        self.out.so_far()
    }

    /// Its stderr up to now.
    pub(crate) fn err(&self) -> String {
        self.err.so_far()
    }

    /// Signals it; without effect if it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // Not reaped yet, so the pid is still this child's.
        if self.status().is_none() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let _ = kill_process(pid.expect("a pid"), signal);
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end **and** for the end of its output: a daemon that inherited the caller's
    /// descriptors would keep every pipe open.
    #[must_use = "its exit status says whether it went well"]
    #[track_caller]
    pub(crate) fn ends(mut self) -> Ran {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.status() {
                break status;
            }
            assert!(start.elapsed() < self.patience, "hangs: {}", self.so_far());
            thread::sleep(Duration::from_millis(5));
        };
        let closed = Instant::now();
        while !(self.out.is_closed() && self.err.is_closed()) {
            assert!(
                closed.elapsed() < PATIENCE,
                "has ended, but something holds its output open: {}",
                self.so_far()
            );
            thread::sleep(Duration::from_millis(1));
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let (out, err) = (self.out.so_far(), self.err.so_far());
        Ran { line: self.line.clone(), code, out, err }
    }

    fn so_far(&self) -> String {
        let Self { line, out, err, .. } = self;
        format!("`{line}`\n--- out\n{}--- err\n{}---", out.so_far(), err.so_far())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A scenario that failed halfway must not leave its command behind.
        if self.status().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What comes out of a pipe, as it comes.
#[derive(Debug)]
pub(crate) struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    pub(crate) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal ends with an error (EIO) in place of an end of file.
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend(&buffer[..length]);
            }
        });
        Self { text, reader }
    }

    pub(crate) fn so_far(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.reader.is_finished()
    }
}
