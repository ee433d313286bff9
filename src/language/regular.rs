//! Reading a file that a stack file or a person names, and nothing else that has a name: whoever
//! opens a named pipe may wait for ever, and some devices never end.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

/// No file that a person has written is larger than this, in bytes.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// What is in a file.
///
/// # Errors
/// The system's; that it is no regular file, or larger than 64 MiB.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MOST_BYTES)
}

/// The same, of a file that is no larger than `most` bytes (whole MiB).
pub(super) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_within(open(path)?, most)
}

/// Reads to the end of what may be any stream: no more than is allowed of a file.
///
/// # Errors
/// Those of read(2); that there is more than 64 MiB.
pub fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    read_within(stream, MOST_BYTES)
}

/// Reads to the end, be it a file that says that it is empty (proc(5)) or one that grows.
fn read_within(stream: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = stream.take(most + 1).read_to_end(&mut bytes)? as u64;
    if count > most {
        let text = format!("it is larger than the {} MiB that are read", most >> 20);
        return Err(io::Error::other(text));
    }
    Ok(bytes)
}

/// The same, of a text.
///
/// # Errors
/// The same; that it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read_file(path)?);
    text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let opened = how.open(path);
    let kind = match &opened {
        Ok(file) => file.metadata()?.file_type(),
        // A socket cannot be opened.
        Err(_) => match path.metadata() {
            Ok(there) => there.file_type(),
            Err(_) => return opened,
        },
    };
    match what_else(kind) {
        None => opened,
        Some(what) => Err(io::Error::other(format!("it is a {what}, not a file"))),
    }
}

/// What it is, if it is no regular file.
fn what_else(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("folder"),
        _ if kind.is_fifo() => Some("named pipe"),
        _ if kind.is_socket() => Some("socket"),
        _ => Some("device"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_is_read_and_nothing_else_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
        assert_eq!(read_text(&at("link")).unwrap(), "text");
        let what = |path: &Path| read_file(path).unwrap_err().to_string();
        assert_eq!(what(&at("pipe")), "it is a named pipe, not a file");
        assert_eq!(what(&at("socket")), "it is a socket, not a file");
        assert_eq!(what(folder.path()), "it is a folder, not a file");
        assert_eq!(what(Path::new("/dev/zero")), "it is a device, not a file");
        File::create(at("large")).unwrap().set_len(5 << 30).unwrap();
        let error = read_at_most(&at("large"), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than the 1 MiB that are read");
        assert_eq!(read_file(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
