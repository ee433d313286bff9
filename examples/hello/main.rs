//! A very small HTTP server, so that the stacks beside it need nothing but a Rust toolchain.
//!
//! ```text
//! hello api   PORT FILE     answers with a counter and the last line of FILE
//! hello front PORT ADDRESS  a page made from what the server at ADDRESS answers
//! ```
//!
//! Both answer `/health`: the front only with 200 when the server behind it does.

#![expect(clippy::print_stdout, reason = "a program's own output is what its log is made of")]

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    time::Duration,
};

/// Where an answer comes from.
enum Role {
    /// Counts visits, and reads a file that another service writes.
    Api { visits: u64, file: String },
    /// Shows what the server at this address says.
    Front { behind: String },
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [role, port, from] = args.as_slice() else {
        println!("usage: hello api PORT FILE | hello front PORT ADDRESS");
        return ExitCode::from(2);
    };
    let role = match role.as_str() {
        "api" => Role::Api { visits: 0, file: from.clone() },
        _ => Role::Front { behind: from.clone() },
    };
    match serve(role, port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cannot serve on port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers one request after the other, for ever.
fn serve(mut role: Role, port: &str) -> io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    for stream in listener.incoming() {
        // A client that goes away in the middle is no reason to end.
        if let Err(error) = stream.and_then(|stream| exchange(&mut role, stream)) {
            println!("lost a client: {error}");
        }
    }
    Ok(())
}

fn exchange(role: &mut Role, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut reader = BufReader::new(&stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split_whitespace().nth(1).unwrap_or("/");
    let (status, body) = role.answer(path);
    if path != "/health" {
        println!("{} {status}", request.trim_end());
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

impl Role {
    fn answer(&mut self, path: &str) -> (&'static str, String) {
        match (self, path) {
            (Self::Api { .. }, "/health") => ("200 OK", "ok\n".to_owned()),
            (Self::Api { visits, file }, "/") => {
                *visits += 1;
                let line = fs::read_to_string(file).unwrap_or_default();
                ("200 OK", format!("visit {visits}: {}\n", line.trim()))
            }
            (Self::Front { behind }, "/health") => match get(behind, "/health") {
                Ok(_) => ("200 OK", "ok\n".to_owned()),
                Err(error) => ("503 Service Unavailable", format!("{behind}: {error}\n")),
            },
            (Self::Front { behind }, "/") => match get(behind, "/") {
                Ok(body) => ("200 OK", format!("Hello! This is {body}")),
                Err(error) => ("502 Bad Gateway", format!("{behind}: {error}\n")),
            },
            _ => ("404 Not Found", "nothing here\n".to_owned()),
        }
    }
}

/// The body of an answer with status 200.
fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(answer.lines().next().unwrap_or("no answer").to_owned())),
    }
}
