//! What the helper can do.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, no part of stackrun"
)]

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::{net::UnixDatagram, process::CommandExt},
    path::Path,
    process::{Command, exit},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

/// A file whose presence makes `/health` fail.
static TOGGLE: Mutex<Option<String>> = Mutex::new(None);
/// The lock, held until the process ends.
static LOCK: Mutex<Option<File>> = Mutex::new(None);

pub(crate) fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    // Signals that a thread waits for have to be blocked before any thread exists.
    let mut on_term = OnTerm { wait: Duration::ZERO, file: None, mark: None };
    let handles_term =
        words.iter().any(|word| matches!(&**word, "mark" | "slow-stop" | "stop-after"));
    if handles_term {
        block_term();
    }
    let mut rest = words.into_iter();
    while let Some(action) = rest.next() {
        let mut arg = || rest.next().unwrap_or_else(|| usage(&action));
        match action.as_str() {
            "mark" => {
                let (file, name) = (arg(), arg());
                append(&file, &format!("start {name} {}\n", nanoseconds()));
                on_term.mark = Some((file, name));
            }
            "slow-stop" => on_term.wait = milliseconds(&arg()),
            "stop-after" => on_term.file = Some(arg()),
            "lock" => lock(&arg()),
            "expect" => {
                let port = arg();
                if TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
                    append("violations.txt", &format!("nobody listens on {port}\n"));
                    exit(98);
                }
            }
            "absent" => {
                if Path::new(&arg()).exists() {
                    println!("still there");
                    exit(97);
                }
            }
            "unless" => {
                if Path::new(&arg()).exists() {
                    rest.by_ref().for_each(drop);
                }
            }
            // Written to, because untouched memory is none.
            "allocate" => {
                let bytes = usize::try_from(number(&arg()) << 20).unwrap_or(0);
                std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
            }
            "after" => thread::sleep(milliseconds(&arg())),
            "listen" => listen("127.0.0.1", &arg()),
            "listen6" => listen("[::1]", &arg()),
            "toggle" => *TOGGLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(arg()),
            "print" => println!("{}", arg()),
            "eprint" => eprintln!("{}", arg()),
            "env" => {
                let key = arg();
                println!("{key}={}", env::var(&key).unwrap_or_default());
            }
            "notify" => notify(&arg()),
            "flood" => flood(number(&arg())),
            "tick" => tick(milliseconds(&arg())),
            "child" => {
                let _ = this_program().args(arg().split_whitespace()).spawn();
            }
            "daemon" => {
                let actions = arg();
                let parent =
                    this_program().args(["setsid", "child", &actions, "exit", "0"]).spawn();
                let _ = parent.and_then(|mut parent| parent.wait());
            }
            // SAFETY: no memory is involved.
            "setsid" => unsafe {
                libc::setsid();
            },
            "stubborn" => ignore_signals(),
            "forget" => {
                let error = this_program().args(&mut rest).env_clear().exec();
                fail(&format!("exec: {error}"));
            }
            // SAFETY: system calls on numbers.
            "become" => unsafe {
                let user = libc::geteuid();
                if libc::setresuid(user, user, user) != 0 {
                    fail("it cannot become another user");
                }
            },
            "counted" => append(&arg(), "."),
            "fail-until" => {
                let (times, file) = (number(&arg()), arg());
                if fs::metadata(&file).map_or(0, |data| data.len()) < times {
                    fail("not yet");
                }
            }
            "trace" => {
                let (pid, file) = (number(&arg()), arg());
                trace(pid, &file);
            }
            "grab" => grab(&arg()),
            "exit" => exit(i32::try_from(number(&arg())).unwrap_or(1)),
            _ => usage(&action),
        }
    }
    if handles_term {
        on_term.serve();
    }
    loop {
        thread::park();
    }
}

fn this_program() -> Command {
    Command::new(env::current_exe().unwrap_or_else(|error| fail(&error.to_string())))
}

/// What to do before ending on SIGTERM.
struct OnTerm {
    wait: Duration,
    file: Option<String>,
    mark: Option<(String, String)>,
}

impl OnTerm {
    fn serve(&self) -> ! {
        wait_for_term();
        if let Some((file, name)) = &self.mark {
            append(file, &format!("term {name} {}\n", nanoseconds()));
        }
        thread::sleep(self.wait);
        while self.file.as_ref().is_some_and(|file| !Path::new(file).exists()) {
            thread::sleep(Duration::from_millis(5));
        }
        if let Some((file, name)) = &self.mark {
            append(file, &format!("stop {name} {}\n", nanoseconds()));
        }
        exit(0)
    }
}

/// The set of SIGTERM alone.
fn term() -> libc::sigset_t {
    // SAFETY: an all-zero set is a valid argument for `sigemptyset`, which initialises it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        set
    }
}

fn block_term() {
    let set = term();
    // SAFETY: the set is initialised; the old one is not asked for.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

fn wait_for_term() {
    let set = term();
    let mut signal = 0;
    // SAFETY: both pointers are valid for the call.
    unsafe {
        libc::sigwait(&raw const set, &raw mut signal);
    }
}

fn ignore_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: ignoring installs no handler.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Holds `path` alone, or ends loudly: two instances of one service must never live at once.
fn lock(path: &str) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.unwrap_or_else(|error| fail(&format!("{path}: {error}")));
    if file.try_lock().is_err() {
        append(
            &format!("{path}.violations"),
            &format!("second instance: {}\n", std::process::id()),
        );
        println!("another instance is running");
        exit(99);
    }
    *LOCK.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// Answers HTTP in a thread of its own.
fn listen(host: &str, port: &str) {
    let address = format!("{host}:{port}");
    let listener = TcpListener::bind(&address)
        .unwrap_or_else(|error| fail(&format!("cannot listen on {address}: {error}")));
    println!("listening on {address}");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
}

fn answer(mut stream: &TcpStream) {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    let _ = reader.read_line(&mut request);
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|length| length > 2) {
        header.clear();
    }
    let toggle = TOGGLE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let sick = request.starts_with("GET /health") && toggle.is_some_and(|f| Path::new(&f).exists());
    let (status, body) =
        if sick { ("503 Service Unavailable", "sick\n") } else { ("200 OK", "fine\n") };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// What `sd_notify` does.
fn notify(text: &str) {
    let path = env::var("NOTIFY_SOCKET").unwrap_or_else(|_| fail("no NOTIFY_SOCKET"));
    let socket = UnixDatagram::unbound();
    let sent = socket.and_then(|socket| match path.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
            let address = <SocketAddr as SocketAddrExt>::from_abstract_name(name)?;
            socket.send_to_addr(text.as_bytes(), &address)
        }
        _ => socket.send_to(text.as_bytes(), path),
    });
    if let Err(error) = sent {
        fail(&format!("notify: {error}"));
    }
}

fn flood(lines: u64) {
    let mut out = std::io::stdout().lock();
    for line in 1..=lines {
        if writeln!(out, "line {line:09}").is_err() {
            exit(98);
        }
    }
}

fn tick(pause: Duration) -> ! {
    for line in 1u64.. {
        println!("line {line:09}");
        thread::sleep(pause);
    }
    exit(0)
}

/// One `write`, so that lines of several processes do not mix.
fn append(path: &str, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        fail(&format!("{path}: {error}"));
    }
}

/// Since boot, so that the marks of several processes compare.
fn nanoseconds() -> u128 {
    // SAFETY: the call fills in the structure it is given.
    let now = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now);
        now
    };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0)).as_nanos()
}

/// Holds a process as a debugger does, one that lets nobody end before it has looked (ptrace(2)).
fn trace(pid: u64, file: &str) {
    let pid = i32::try_from(pid).unwrap_or(0);
    // SAFETY: system calls on a number; `status` is a valid place.
    let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, libc::PTRACE_O_TRACEEXIT) == 0 };
    append(file, if seized { "traced\n" } else { "refused\n" });
    let mut status = 0;
    // SAFETY: as above.
    while seized && unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } == pid {
        let event = status >> 16;
        let signal = libc::WSTOPSIG(status);
        if !libc::WIFSTOPPED(status) || event == libc::PTRACE_EVENT_EXIT {
            return;
        }
        let signal = if event == libc::PTRACE_EVENT_STOP { 0 } else { signal };
        // SAFETY: as above.
        unsafe { libc::ptrace(libc::PTRACE_CONT, pid, 0, signal) };
    }
}

/// Wants a terminal for itself, with signals and all.
fn grab(path: &str) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let Ok(file) = file else { return println!("cannot open it") };
    let terminal = std::os::fd::AsRawFd::as_raw_fd(&file);
    // SAFETY: system calls on a descriptor that is open.
    let (taken, foreground) = unsafe {
        (
            libc::ioctl(terminal, libc::TIOCSCTTY, 0) == 0,
            libc::tcsetpgrp(terminal, libc::getpid()) == 0,
        )
    };
    println!("taken {taken}, foreground {foreground}");
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| fail(&format!("no number: {text}")))
}

fn milliseconds(text: &str) -> Duration {
    Duration::from_millis(number(text))
}

fn usage(action: &str) -> ! {
    fail(&format!("testbed: what is `{action}`, or what is missing after it?"))
}

fn fail(text: &str) -> ! {
    println!("{text}");
    exit(1)
}
