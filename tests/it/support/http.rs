//! Just enough of HTTP to ask a service something.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use super::wait::PATIENCE;

/// The status and the body of `GET http://127.0.0.1:PORT/PATH`; none if there is no answer.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    request("GET", port, path).ok()
}

/// The same for `POST` without a body.
pub(crate) fn post(port: u16, path: &str) -> Option<(u16, String)> {
    request("POST", port, path).ok()
}

fn request(method: &str, port: u16, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // 1.0, so that nobody answers in chunks.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}
