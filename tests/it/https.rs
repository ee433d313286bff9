//! `http` checks over TLS.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    thread,
};

use crate::support::{Stack, Stranger, eventually, have, listening};

const SERVER: &str = r#"
import http.server, ssl, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// A server whose certificate nobody has signed but itself, asked with these properties. It
/// listens before anybody looks: how long Python takes to start is not what is asked here.
fn stack(properties: &str) -> (Stack, Stranger) {
    let stack = Stack::new(&format!(
        r#"
        service "a" {{
            run "@testbed"
            ready within="3s" {{ http "https://localhost:@0/" {properties} }}
            restart "never"
        }}
        "#
    ));
    stack.put("server.py", SERVER);
    let line = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 \
                -subj /CN=localhost -addext subjectAltName=DNS:localhost";
    let mut openssl = Command::new("openssl");
    let made = openssl.args(line.split_whitespace()).current_dir(stack.folder()).output();
    let made = made.expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let port = stack.port(0);
    let mut python = Command::new("python3");
    let server = stack.foreign(python.args(["server.py", &port.to_string()]));
    eventually("the server", || listening(port));
    (stack, server)
}

#[test]
fn the_wrong_one_of_http_and_https_is_named() {
    if !have(&["python3", "openssl"]) {
        return;
    }
    let (stack, _server) = stack("");
    let secure = format!("https://localhost:{}/", stack.port(0));
    stack.edit("https://", "http://");
    stack.run("up").exits(1).says(&format!("the port speaks TLS: ask `{secure}`"));

    // As nginx and Node.js answer what they cannot read.
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = server.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut client in server.incoming().flatten() {
            let _hello = client.read(&mut [0; 4096]);
            let _gone = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let other = Stack::new(&format!(
        r#"
        service "a" {{
            run "@testbed"
            ready within="3s" {{ http "https://localhost:{port}/" }}
            restart "never"
        }}
        "#
    ));
    let plain = format!("the port speaks plain HTTP: ask `http://localhost:{port}/`");
    other.run("up").exits(1).says(&plain);
}

#[test]
fn a_certificate_of_nobody_is_refused_unless_the_file_says_so() {
    if !have(&["python3", "openssl"]) {
        return;
    }
    let up = |properties: &str| {
        let (stack, _server) = stack(properties);
        stack.run("up")
    };
    up("").exits(1).says("`insecure=#true` accepts any certificate");
    up("insecure=#true").exits(0);
    up("insecure=#true status=404").exits(1).says("200");
}
