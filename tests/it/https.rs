//! `http` checks over TLS.

use std::process::Command;

use crate::support::{Stack, have};

const SERVER: &str = r#"
import http.server, ssl, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// A server whose certificate nobody has signed but itself, asked with these properties.
fn stack(properties: &str) -> Stack {
    let stack = Stack::new(&format!(
        r#"
        service "a" {{
            run "python3 server.py {{{{port}}}}"
            port @0
            ready within="3s" {{ http "https://localhost:{{{{port}}}}/" {properties} }}
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
    stack
}

#[test]
fn a_certificate_of_nobody_is_refused_unless_the_file_says_so() {
    if !have(&["python3", "openssl"]) {
        return;
    }
    stack("").run("up").exits(1).says("`insecure=#true` accepts any certificate");
    stack("insecure=#true").up();
    stack("insecure=#true status=404").run("up").exits(1).says("200");
}
