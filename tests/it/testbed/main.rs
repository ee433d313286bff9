//! A service that misbehaves on request: the helper of the integration tests.
//!
//! Its arguments are actions, carried out from left to right; after the last one it stays until
//! it is ended.
//!
//! ```text
//! mark FILE NAME    write "start NAME NANOSECONDS" to FILE, on SIGTERM "term …", at the end "stop …"
//! lock FILE         hold FILE alone; if another one has it, write that to FILE.violations, exit 99
//! after MS          wait
//! listen PORT       answer HTTP from now on (127.0.0.1)
//! listen6 PORT      the same on ::1
//! toggle FILE       /health answers 503 while FILE exists (200 otherwise)
//! print TEXT        one line to stdout
//! eprint TEXT       one line to stderr
//! env KEY           print KEY=value
//! notify TEXT       send TEXT to NOTIFY_SOCKET
//! flood N           N numbered lines
//! tick MS           a numbered line again and again, for ever
//! child ACTIONS     start another one of this program with these actions (one argument)
//! daemon ACTIONS    the same in a session of its own, whose parent is gone
//! setsid            a session of its own
//! stubborn          ignore SIGTERM, SIGINT and SIGHUP
//! forget            start anew with an empty environment
//! become            be the user that this file is setuid to, in every respect
//! slow-stop MS      on SIGTERM wait this long, then exit 0
//! stop-after FILE   on SIGTERM wait until FILE is there, then exit 0
//! expect PORT       somebody must listen there; if not, write that to violations.txt, exit 98
//! absent FILE       exit 97 if it is there
//! unless FILE       skip everything that follows if it is there
//! allocate MIB      use this much memory
//! counted FILE      one more byte in FILE: how often this was started
//! fail-until N FILE exit 1 unless FILE has N bytes
//! trace PID FILE    hold that process like a debugger that lets it not end; "traced" to FILE then
//! grab TERMINAL     try to become that terminal's owner, print how it went
//! exit CODE         end
//! ```

#[cfg(unix)]
mod actions;

#[cfg(unix)]
fn main() {
    actions::main();
}

#[cfg(not(unix))]
fn main() {}
