//! Times beside each other: the least and the middle of each, and their ratio to the first.

use std::{fs, time::Duration};

/// Prints one row for each way of doing it; the first one is what the others are held against.
pub(crate) fn print(title: &str, rows: &[(&str, Vec<Duration>)]) {
    println!("{title:<28} {:>10} {:>7} {:>10} {:>7}", "least", "ratio", "median", "ratio");
    let (least, middle) = summary(&rows[0].1);
    for (name, times) in rows {
        let (min, median) = summary(times);
        println!(
            "{name:<28} {:>7.1} ms {:>7.2} {:>7.1} ms {:>7.2}",
            min.as_secs_f64() * 1e3,
            min.as_secs_f64() / least.as_secs_f64(),
            median.as_secs_f64() * 1e3,
            median.as_secs_f64() / middle.as_secs_f64(),
        );
    }
}

/// Prints the middle and the slow end of each, and their ratio to the first.
pub(crate) fn print_tail(title: &str, rows: &[(&str, Vec<Duration>)]) {
    println!("{title:<28} {:>10} {:>7} {:>10} {:>7}", "p50", "ratio", "p99", "ratio");
    let (first_middle, first_late) = tail(&rows[0].1);
    for (name, times) in rows {
        let (middle, late) = tail(times);
        println!(
            "{name:<28} {:>7.2} ms {:>7.2} {:>7.2} ms {:>7.2}",
            middle.as_secs_f64() * 1e3,
            middle.as_secs_f64() / first_middle.as_secs_f64(),
            late.as_secs_f64() * 1e3,
            late.as_secs_f64() / first_late.as_secs_f64(),
        );
    }
}

fn tail(times: &[Duration]) -> (Duration, Duration) {
    let mut times = times.to_vec();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn summary(times: &[Duration]) -> (Duration, Duration) {
    let mut times = times.to_vec();
    times.sort_unstable();
    (times[0], times[times.len() / 2])
}

/// The processor time that a process has used, to a hundredth of a second.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process that lives");
    let fields = stat.rsplit_once(") ").expect("fields").1.split(' ').skip(11);
    let ticks: u64 = fields.take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
