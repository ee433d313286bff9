//! A script of our own, for a command that no line of a crontab takes: many a cron refuses one of
//! more than about a thousand bytes, and none can write down every byte that a path may hold.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::{Job, config, mark};
use crate::cli::error::Error;

/// Where the script of a stack is.
fn place(folder: &Path) -> Option<PathBuf> {
    Some(config()?.join("stackrun").join(format!("boot-{}.sh", mark(folder))))
}

/// The command that starts the job, with these arguments, for `/bin/sh` in an empty environment.
pub(super) fn command(job: &Job, arguments: &str) -> Vec<u8> {
    let mut command = Vec::new();
    for (name, value) in &job.env {
        command.extend_from_slice(name.as_bytes());
        command.push(b'=');
        quote(&mut command, value.as_bytes());
        command.push(b' ');
    }
    quote(&mut command, job.program.as_os_str().as_bytes());
    command.extend_from_slice(b" --file ");
    quote(&mut command, job.file.as_os_str().as_bytes());
    command.extend_from_slice(b" --color never ");
    command.extend_from_slice(arguments.as_bytes());
    command
}

/// Adds a word as the shell reads it, whatever it holds.
pub(super) fn quote(command: &mut Vec<u8>, word: &[u8]) {
    command.push(b'\'');
    for &byte in word {
        match byte {
            b'\'' => command.extend_from_slice(br"'\''"),
            byte => command.push(byte),
        }
    }
    command.push(b'\'');
}

/// Writes the script; where it is.
///
/// It is beside the user's other settings, not in the stack's folder, which may be cleaned.
pub(super) fn write(job: &Job) -> Result<PathBuf, Error> {
    let path = place(&job.folder).ok_or_else(|| Error::Other("HOME is not set".into()))?;
    let mut text = b"#!/bin/sh\n\
        # Written by `stackrun boot enable`; `stackrun boot disable` removes it.\n"
        .to_vec();
    text.extend_from_slice(&command(job, "\"$@\""));
    text.push(b'\n');
    let written = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // The environment in it is no other user's business.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        file.write_all(&text)?;
        file.sync_all()
    };
    written().map_err(|error| Error::Io { path: path.clone(), error })?;
    Ok(path)
}

/// What is in the script of a stack, if it has one.
pub(super) fn read(folder: &Path) -> Option<String> {
    let bytes = fs::read(place(folder)?).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes the script of a stack, if it has one.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    let Some(path) = place(folder) else { return Ok(()) };
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Io { path, error }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, process::Command};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_shell_reads_every_word_as_it_is(bytes in prop::collection::vec(1..=255_u8, 0..40)) {
            let mut line = b"printf %s ".to_vec();
            quote(&mut line, &bytes);
            #[expect(clippy::disallowed_methods, reason = "the shell itself is asked")]
            let out = Command::new("sh").arg("-c").arg(OsStr::from_bytes(&line)).output();
            prop_assert_eq!(out.expect("sh runs").stdout, bytes);
        }
    }
}
