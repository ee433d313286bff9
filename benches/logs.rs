//! How fast lines get to their logs, against `cat` from the same kind of pipe to a file, in turn;
//! and that every one of them gets there, over rotations, with the supervisor killed meanwhile.
//!
//! `cargo bench --bench logs`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement starts programs, reads the clock, and prints"
)]

#[expect(dead_code, unused_imports, reason = "a measurement needs a part of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::{
    fmt::Write as _,
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use stackrun::logs::{Lines, Log, files};
use support::{Stack, eventually};

/// A line, its newline included.
const LINE: usize = 100;
const ROUNDS: usize = 5;

/// What is written: by so many writers, so many lines each.
#[derive(Clone, Copy)]
struct Load {
    writers: usize,
    lines: usize,
}

/// What it took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    /// Processor time of whoever moved the bytes.
    cpu: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, verb, lines, go] = arguments.as_slice()
        && verb == "write"
    {
        return write(lines.parse().expect("a number"), Path::new(go));
    }
    println!("{:<34} {:>10} {:>8} {:>10} {:>7}", "", "wall", "of cat", "cpu", "of cat");
    for load in [Load { writers: 1, lines: 1_000_000 }, Load { writers: 50, lines: 20_000 }] {
        let mut costs: [Vec<Cost>; 4] = Default::default();
        for _ in 0..ROUNDS {
            costs[0].push(through_cat(load));
            costs[1].push(through_stackrun(load, "max-size=\"1GiB\"", false));
            costs[2].push(through_stackrun(load, "keep=100", false));
            costs[3].push(through_stackrun(load, "keep=100", true));
        }
        let names = ["cat", "stackrun, one file", "rotated", "rotated, supervisor killed"];
        let floor = middle(&costs[0]);
        for (name, costs) in names.iter().zip(&costs) {
            let cost = middle(costs);
            println!(
                "{:<34} {:>7.0} ms {:>7.2}x {:>7.0} ms {:>6.2}x",
                format!("{} × {}, {name}", load.writers, load.lines),
                cost.wall.as_secs_f64() * 1e3,
                floor.wall.as_secs_f64() / cost.wall.as_secs_f64(),
                cost.cpu.as_secs_f64() * 1e3,
                cost.cpu.as_secs_f64() / floor.cpu.as_secs_f64(),
            );
        }
    }
}

/// Waits for a file, then writes numbered lines as fast as they are taken; then it waits.
fn write(lines: usize, go: &Path) {
    let mut block = Vec::with_capacity(64 << 10);
    while !go.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut out = std::io::stdout().lock();
    for number in 1..=lines {
        block.extend_from_slice(line(number).as_bytes());
        block.push(b'\n');
        if block.len() + LINE > 64 << 10 || number == lines {
            out.write_all(&block).expect("taken");
            block.clear();
        }
    }
    out.flush().expect("taken");
    std::thread::sleep(Duration::from_secs(600));
}

fn line(number: usize) -> String {
    format!("{number:09} {:x>1$}", "", LINE - 11)
}

fn through_cat(load: Load) -> Cost {
    let dir = tempfile::tempdir().expect("a folder");
    let go = dir.path().join("go");
    let pair = |number: usize| {
        let (fifo, file) =
            (dir.path().join(format!("{number}.pipe")), dir.path().join(format!("{number}.log")));
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let both = File::options().read(true).write(true).open(&fifo).expect("open");
        let mut cat = Command::new("cat");
        cat.stdin(File::open(&fifo).expect("open")).stdout(File::create(file).expect("a file"));
        let cat = cat.spawn().expect("cat starts");
        let mut writer = Command::new(std::env::current_exe().expect("this program"));
        writer.args(["write", &load.lines.to_string()]).arg(&go).stdout(both);
        let writer = writer.stdin(Stdio::null()).spawn().expect("a writer starts");
        [cat, writer]
    };
    let mut pairs: Vec<_> = (0..load.writers).map(pair).collect();
    std::thread::sleep(Duration::from_millis(200));
    let wall = race(load, &go, dir.path());
    let cpu = pairs.iter().map(|[cat, _]| cpu_of(cat.id())).sum();
    for child in pairs.iter_mut().flatten() {
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }
    Cost { wall, cpu }
}

fn through_stackrun(load: Load, policy: &str, with_kills: bool) -> Cost {
    let (folder, program) = (tempfile::tempdir().expect("a folder"), std::env::current_exe());
    let (go, program) = (folder.path().join("go"), program.expect("this program"));
    let text = (0..load.writers).fold(String::new(), |mut text, number| {
        let run = format!("{} write {} {}", program.display(), load.lines, go.display());
        let _ = writeln!(text, "service \"s{number}\" {{ run \"{run}\"; log {policy} }}");
        text
    });
    let stack = Stack::new(&text);
    stack.up();
    let keeper = stack.supervisor().parent().expect("a keeper").pid;
    let before = cpu_of(keeper);
    let logs = stack.folder().join(".stackrun/logs");
    let killer = with_kills.then(|| {
        let supervisor = stack.supervisor();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            supervisor.kill();
        })
    });
    let wall = race(load, &go, &logs);
    let cpu = cpu_of(keeper).saturating_sub(before);
    if let Some(killer) = killer {
        killer.join().expect("killed");
    }
    for number in 0..load.writers {
        verify(&Log::new(&logs, &format!("s{number}")), load.lines);
    }
    eventually("a supervisor", || stack.run("status").code == 0);
    stack.down();
    Cost { wall, cpu }
}

/// Lets the writers go; how long until all is in the logs of a folder.
fn race(load: Load, go: &Path, logs: &Path) -> Duration {
    let start = Instant::now();
    File::create(go).expect("made");
    let all = (load.writers * load.lines * LINE) as u64;
    while size_of_logs(logs) < all {
        assert!(start.elapsed() < Duration::from_secs(60), "lines are missing");
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

fn size_of_logs(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let is_log = |name: &str| name.ends_with(".log") || files::is_rotated(name);
    let logs = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_log));
    logs.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

fn verify(log: &Log, lines: usize) {
    let mut count = 0;
    for found in Lines::all(log) {
        count += 1;
        assert!(found.text == line(count).as_bytes(), "line {count} of {}", log.name);
    }
    assert_eq!(count, lines, "lines of {}", log.name);
}

/// The processor time of all threads of a process (proc_pid_schedstat(5)).
fn cpu_of(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it lives").flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn middle(costs: &[Cost]) -> Cost {
    let mut walls: Vec<Duration> = costs.iter().map(|cost| cost.wall).collect();
    let mut cpus: Vec<Duration> = costs.iter().map(|cost| cost.cpu).collect();
    walls.sort_unstable();
    cpus.sort_unstable();
    Cost { wall: walls[walls.len() / 2], cpu: cpus[cpus.len() / 2] }
}
