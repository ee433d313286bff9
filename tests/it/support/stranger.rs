//! A program that no stack has started.

use std::process::{Child, Command, Stdio};

/// A program that no stack has started. It ends with this.
#[derive(Debug)]
pub(crate) struct Stranger(Child);

impl Stranger {
    pub(super) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("the helper starts"))
    }

    /// Its process; a number that is not used again before this is dropped.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
