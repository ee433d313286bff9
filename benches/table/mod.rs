//! Times beside each other: the least and the middle of each, and their ratio to the first.

use std::time::Duration;

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

fn summary(times: &[Duration]) -> (Duration, Duration) {
    let mut times = times.to_vec();
    times.sort_unstable();
    (times[0], times[times.len() / 2])
}
