//! What nobody should do to a program, done at random and many times over.
//!
//! STACKRUN_ROUNDS says how often (few by default, many in a nightly run), STACKRUN_SEED which
//! run of chance it is; a failure names the seed.

#![expect(clippy::print_stdout, reason = "what was done at random, for when it fails")]

mod clients;
mod flood;
mod killing;
mod neighbours;
mod trees;
mod window;
mod writes;

use std::env;

use crate::support::Stack;

/// How many rounds.
pub(crate) fn rounds(default: u64) -> u64 {
    let told = env::var("STACKRUN_ROUNDS").ok();
    told.map_or(default, |rounds| rounds.parse().expect("STACKRUN_ROUNDS is a number"))
}

/// No supervisor was without the note of the one before.
#[track_caller]
fn nothing_was_forgotten(stack: &Stack) {
    let events = stack.run("events").exits(0).out;
    let lost = events.lines().find(|line| line.contains("knew is lost"));
    assert_eq!(lost, None);
}

/// Chance that can be had again (xorshift64*).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let told = env::var("STACKRUN_SEED").ok();
        let seed = told.map_or_else(
            || u64::from(std::process::id()),
            |seed| seed.parse().expect("STACKRUN_SEED is a number"),
        );
        // Shown with a failure.
        println!("STACKRUN_SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).expect("an index")]
    }
}
