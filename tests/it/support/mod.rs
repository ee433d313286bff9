//! What every scenario uses: a stack in a folder of its own, driven through the real binary.

mod able;
mod http;
mod machine;
mod ports;
mod process;
mod program;
mod pty;
mod readme;
mod stack;
mod stranger;
mod tracer;
mod wait;

pub(crate) use able::{
    may_choose_numbers, may_make_clocks, may_make_networks, may_make_worlds, may_mount,
    may_read_the_kernel_log,
};
pub(crate) use http::{get, post};
pub(crate) use machine::NOTHING;
pub(crate) use process::{Process, alive, anonymous_kib, listening};
pub(crate) use program::{Ran, Running};
pub(crate) use pty::Terminal;
pub(crate) use stack::Stack;
pub(crate) use stranger::Stranger;
pub(crate) use tracer::Traced;
pub(crate) use wait::{eventually, wait_for};

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The helper that the scenarios run as a service; see `testbed/main.rs` for what it can do.
pub(crate) fn testbed() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let deps = env::current_exe().expect("this program has a path");
        let profile = deps.ancestors().nth(2).expect("target/PROFILE/deps/it");
        let path = profile.join("examples/testbed");
        // `cargo test` has built it, `cargo test --test it` has not.
        let built = path.metadata().and_then(|data| data.modified());
        let sources = ["main.rs", "actions.rs"].map(|file| {
            let file = repository().join("tests/it/testbed").join(file);
            file.metadata().and_then(|data| data.modified()).expect("the helper's sources")
        });
        if !built.is_ok_and(|built| sources.iter().all(|source| *source <= built)) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--locked", "--quiet", "--example", "testbed"]);
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            let status = cargo.current_dir(repository()).status().expect("cargo runs");
            assert!(status.success(), "the helper does not compile");
        }
        path
    })
}

/// Whether the servers of a scenario are here. In CI they must be.
#[must_use]
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|name| find(name).is_none()).collect();
    missing.is_empty() || skip(&format!("not installed: {}", missing.join(", ")))
}

/// Whether this is an ordinary user, as PostgreSQL demands.
#[must_use]
pub(crate) fn ordinary_user() -> bool {
    !rustix::process::geteuid().is_root() || skip("its database refuses root: use an ordinary user")
}

/// Whether this is root, who may do what is said here.
#[must_use]
pub(crate) fn root_for(what: &str) -> bool {
    rustix::process::geteuid().is_root() || note(&format!("{what}: run it as root, too"))
}

/// Whether this user may look into processes that it has not started, as debuggers do.
#[must_use]
pub(crate) fn may_trace() -> bool {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let others = rustix::process::geteuid().is_root() || matches!(scope.trim(), "" | "0");
    (others || note("this system lets nobody trace others' children: run it as root, too"))
        // The filter of a container may leave out ptrace(2) altogether.
        && (Traced::is_allowed() || note("this system lets nobody trace anybody"))
}

/// Whether this machine has the loopback address of IPv6, which containers may lack.
#[must_use]
pub(crate) fn ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok() || note("this machine has no IPv6")
}

/// Says that a scenario does not run for this user: a visible line, in CI too.
fn note(reason: &str) -> bool {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
    false
}

/// Says that a scenario does not run: an error in CI, a visible line otherwise.
fn skip(reason: &str) -> bool {
    assert!(env::var_os("CI").is_none(), "{reason}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`, whose output the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
    false
}

/// Where a program is: in PATH, or where distributions hide servers.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let hidden = ["/usr/sbin".to_owned()]
        .into_iter()
        .chain((14..=18).map(|version| format!("/usr/lib/postgresql/{version}/bin")));
    env::split_paths(&path)
        .chain(hidden.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
}
