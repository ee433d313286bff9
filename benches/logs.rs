//! How fast lines get to their logs, against `cat` from the same kind of pipe to a file, in turn;
//! and that every one of them gets there, over rotations, with the supervisor killed meanwhile.
//! Then how fast they are read: the end of a large log, and a search against ripgrep.
//!
//! `cargo bench --bench logs`; on a machine that is busy otherwise, by root, it says more as
//! `chrt -r 1 cargo bench --bench logs`.

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
    io::{Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, UNIX_EPOCH},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use stackrun::{
    logs::{Lines, Log, files, timestamps::Stamp},
    platform::Subfolder,
};
use support::{Stack, eventually};

/// A line, its newline included.
const LINE: usize = 100;
const ROUNDS: usize = 5;
/// The length of a large log, in bytes.
const LARGE: u64 = 10_000_000_000;
/// How many lines are searched.
const SEARCHED: usize = 8_000_000;

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
    /// The most memory that it had, in bytes.
    memory: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, verb, lines, go] = arguments.as_slice()
        && verb == "write"
    {
        return write(lines.parse().expect("a number"), Path::new(go));
    }
    println!(
        "{:<40} {:>9} {:>9} {:>7} {:>9} {:>7}",
        "lines to logs", "best", "median", "of cat", "cpu", "memory"
    );
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
            let best = costs.iter().map(|cost| cost.wall).min().unwrap_or_default();
            println!(
                "{:<40} {:>6.0} ms {:>6.0} ms {:>6.2}x {:>6.0} ms {:>3} MiB",
                format!("{} × {}, {name}", load.writers, load.lines),
                best.as_secs_f64() * 1e3,
                cost.wall.as_secs_f64() * 1e3,
                floor.wall.as_secs_f64() / cost.wall.as_secs_f64(),
                cost.cpu.as_secs_f64() * 1e3,
                cost.memory >> 20,
            );
        }
    }
    read_the_end();
    search();
}

/// The end of a log of 10 GB.
fn read_the_end() {
    let stack = Stack::new("service \"s\" { run \"sleep 600\" }");
    let logs = stack.folder().join(".stackrun/logs");
    std::fs::create_dir_all(&logs).expect("made");
    let log = logs.join("s.log");
    let mut file = File::create(&log).expect("made");
    file.set_len(LARGE).expect("a file with a hole");
    file.seek(SeekFrom::End(0)).expect("sought");
    file.write_all(b"\n").expect("written");
    let lines: String = (1..=10_000).map(|number| line(number) + "\n").collect();
    file.write_all(lines.as_bytes()).expect("written");
    let now = UNIX_EPOCH.elapsed().expect("after 1970").as_nanos();
    let now = u64::try_from(now).expect("before 2554");
    let stamps = [(0, now - 3_600_000_000_000), (LARGE + 1, now - 60_000_000_000)];
    let stamps = stamps.map(|(offset, nanos)| Stamp { offset, nanos }.to_bytes());
    std::fs::write(files::index_path(&log), stamps.concat()).expect("an index");
    println!("{:<40} {:>9} {:>9}", "the end of a log of 10 GB", "best", "median");
    for (arguments, expected) in
        [("logs s -n 100 --raw", 100), ("logs s --since 10m --raw", 10_000)]
    {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let out = stack.command(arguments).output().expect("it runs").stdout;
            times.push(start.elapsed());
            assert_eq!(memchr::memchr_iter(b'\n', &out).count(), expected, "{arguments}");
        }
        let (best, median) = best_and_median(&mut times);
        println!("{arguments:<40} {best:>6.0} ms {median:>6.0} ms");
    }
}

/// A search in a log, against ripgrep in the same file, if it is there.
fn search() {
    let stack = Stack::new("service \"s\" { run \"sleep 600\" }");
    let logs = stack.folder().join(".stackrun/logs");
    std::fs::create_dir_all(&logs).expect("made");
    let log = logs.join("s.log");
    let words = ["GET /health 200", "POST /api/items 201", "cache miss, asking the database"];
    let mut out = std::io::BufWriter::with_capacity(1 << 20, File::create(&log).expect("made"));
    for number in 0..SEARCHED {
        let level = match number {
            _ if number % 1000 == 0 => "ERROR",
            _ if number % 20 == 0 => "WARN",
            _ => "INFO",
        };
        let word = words[number % words.len()];
        let rare = if number == SEARCHED / 2 { " needle" } else { "" };
        writeln!(out, "2026-01-01T10:00:00.000 {level} {number:09} {word} in 12 ms{rare}")
            .expect("written");
    }
    drop(out);
    let Ok(found) = Command::new("rg").arg("--version").output() else {
        return println!("ripgrep is not here: nothing to compare a search with");
    };
    assert!(found.status.success());
    println!("{:<40} {:>9} {:>9} {:>7}", "a search in 600 MB", "best", "median", "of rg");
    for pattern in ["needle", "ERROR", "WARN.*201", "INFO"] {
        let mut times: [Vec<Duration>; 2] = Default::default();
        for _ in 0..ROUNDS {
            let mut rg = Command::new("rg");
            rg.args(["-N", pattern]).arg(&log);
            let ours = stack.command(&format!("logs s --raw --grep {pattern}"));
            let mut outputs = Vec::new();
            for (command, times) in [rg, ours].iter_mut().zip(&mut times) {
                let start = Instant::now();
                outputs.push(command.output().expect("it runs").stdout);
                times.push(start.elapsed());
            }
            assert!(outputs[0] == outputs[1], "it finds the same: {pattern}");
        }
        let [(rg_best, rg_median), (best, median)] = times.each_mut().map(best_and_median);
        println!("{:<40} {rg_best:>6.0} ms {rg_median:>6.0} ms", format!("rg {pattern}"));
        println!(
            "{:<40} {best:>6.0} ms {median:>6.0} ms {:>6.2}x",
            format!("logs --grep {pattern}"),
            median / rg_median,
        );
    }
}

/// In milliseconds.
#[expect(clippy::ptr_arg, reason = "it is given to a map over vectors")]
fn best_and_median(times: &mut Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    (times[0].as_secs_f64() * 1e3, times[times.len() / 2].as_secs_f64() * 1e3)
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
        // In sessions of their own, as services are: the scheduler shares the time out among those.
        let cat = in_own_session(&mut cat).spawn().expect("cat starts");
        let mut writer = Command::new(std::env::current_exe().expect("this program"));
        writer.args(["write", &load.lines.to_string()]).arg(&go).stdout(both);
        let writer = in_own_session(writer.stdin(Stdio::null()));
        let writer = writer.spawn().expect("a writer starts");
        [cat, writer]
    };
    let mut pairs: Vec<_> = (0..load.writers).map(pair).collect();
    std::thread::sleep(Duration::from_millis(200));
    let wall = race(load, &go, dir.path());
    let cpu = pairs.iter().map(|[cat, _]| cpu_of(cat.id())).sum();
    let memory = pairs.iter().map(|[cat, _]| memory_of(cat.id())).sum();
    for child in pairs.iter_mut().flatten() {
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }
    Cost { wall, cpu, memory }
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
    let memory = memory_of(keeper);
    if let Some(killer) = killer {
        killer.join().expect("killed");
    }
    for number in 0..load.writers {
        let folder = Subfolder::at(&logs).expect("the logs");
        verify(&Log::new(&folder, &format!("s{number}")), load.lines);
    }
    eventually("a supervisor", || stack.run("status").code == 0);
    stack.down();
    Cost { wall, cpu, memory }
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

/// The most memory that a process has had (proc_pid_status(5)).
fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn in_own_session(command: &mut Command) -> &mut Command {
    // SAFETY: setsid(2) is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        })
    }
}

fn middle(costs: &[Cost]) -> Cost {
    let mut walls: Vec<Duration> = costs.iter().map(|cost| cost.wall).collect();
    let mut cpus: Vec<Duration> = costs.iter().map(|cost| cost.cpu).collect();
    walls.sort_unstable();
    cpus.sort_unstable();
    let memory = costs.iter().map(|cost| cost.memory).max().unwrap_or(0);
    Cost { wall: walls[walls.len() / 2], cpu: cpus[cpus.len() / 2], memory }
}
