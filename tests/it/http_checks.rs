//! `http` checks against a real server: what they send, what they take, and what bounds them.

use std::process::Command;

use crate::support::{Stack, Stranger, eventually, have, ipv6, listening};

/// A server of Node that answers each path in its own way, and writes down what it was asked.
const SERVER: &str = r#"
const fs = require('fs')
const http = require('http')
const [host, port] = process.argv.slice(2)
http.createServer((request, answer) => {
    fs.appendFileSync('asked.txt', `${request.method} ${request.url} ${request.headers['x-key']}\n`)
    const way = {
        '/moved': () => { answer.writeHead(302, { location: '/elsewhere' }); answer.end() },
        '/host': () => {
            const hosts = request.rawHeaders.filter(name => name.toLowerCase() === 'host').length
            answer.writeHead(hosts === 1 && request.headers.host === 'shop.test' ? 200 : 400)
            answer.end()
        },
        '/key': () => { answer.writeHead(request.headers['x-key'] === 'open' ? 204 : 401); answer.end() },
        '/endless': () => {
            answer.writeHead(200)
            const more = () => { while (answer.write(Buffer.alloc(65536))); }
            answer.on('drain', more); more()
        },
        '/drip': () => {
            const socket = request.socket
            socket.write('HTTP/1.1 200 OK\r\n')
            setInterval(() => socket.write('X-More: x\r\n'), 20)
        },
    }[request.url.split('?')[0]]
    way ? way() : (answer.writeHead(404), answer.end())
}).listen(port, host)
"#;

/// A service of that server on this address, with these nodes.
fn server(host: &str, nodes: &str) -> Stack {
    let stack = Stack::new(&format!(
        r#"service "a" {{ run "node server.js {host} {{{{port}}}}"; port @0; restart "never"; {nodes} }}"#
    ));
    stack.put("server.js", SERVER);
    stack
}

/// A service with these nodes and that server, which listens on `@0` before anybody looks: how
/// long Node takes to start is no part of how long a check may take.
fn beside_server(nodes: &str) -> (Stack, Stranger) {
    let stack =
        Stack::new(&format!(r#"service "a" {{ run "@testbed"; restart "never"; {nodes} }}"#));
    stack.put("server.js", SERVER);
    let port = stack.port(0);
    let mut node = Command::new("node");
    let server = stack.foreign(node.args(["server.js", "127.0.0.1", &port.to_string()]));
    eventually("the server", || listening(port));
    (stack, server)
}

#[test]
fn headers_are_sent_and_a_status_outside_of_200_and_300_will_not_do() {
    if !have(&["node"]) {
        return;
    }
    let nodes = r#"ready within="3s" { http "http://127.0.0.1:@0/key" }"#;
    let (locked, _server) = beside_server(nodes);
    locked.run("up").exits(1).says("401");
    server("127.0.0.1", r#"ready { http "/key?x=1" { header "X-Key" "open" } }"#).up();
    server("127.0.0.1", r#"ready { http "/host" { header "Host" "shop.test" } }"#).up();
    server("127.0.0.1", r#"ready { http "/key" status=401 }"#).up();
    server("127.0.0.1", r#"ready { http "/key" status="2xx,400-401" }"#).up();
    let others = server("127.0.0.1", r#"ready within="3s" { http "/key" status="200-299,404" }"#);
    others.run("up").exits(1).says("401");
}

#[test]
fn a_redirection_will_do_and_is_not_followed() {
    if !have(&["node"]) {
        return;
    }
    let stack = server("127.0.0.1", r#"ready { http "/moved" }"#);
    stack.up();
    assert!(!stack.read("asked.txt").contains("elsewhere"));
    server("127.0.0.1", r#"ready { http "http://127.0.0.1:{{port}}/moved" status=302 }"#).up();
}

#[test]
fn a_server_on_ipv6_alone_is_asked_there() {
    if !have(&["node"]) || !ipv6() {
        return;
    }
    let stack = server("::1", r#"ready { http "/moved" }"#);
    let address = format!("http://[::1]:{}", stack.port(0));
    stack.up().says(&address);
    stack.run("status").exits(0).says(&address);
    drop(stack);
    server("::1", r#"ready { http "http://[::1]:{{port}}/moved" }"#).up();
}

#[test]
fn a_body_without_end_is_not_read() {
    if !have(&["node"]) {
        return;
    }
    let stack =
        server("127.0.0.1", r#"ready { http "/endless" }; alive every="50ms" { http "/endless" }"#);
    stack.up();
    eventually("several checks", || stack.read("asked.txt").matches("endless").count() > 5);
    assert_eq!(stack.state("a"), "ready");
}

#[test]
fn an_answer_that_never_comes_to_an_end_is_bounded_by_the_timeout() {
    if !have(&["node"]) {
        return;
    }
    let nodes = r#"ready within="3s" timeout="300ms" { http "http://127.0.0.1:@0/drip" }"#;
    let (stack, _server) = beside_server(nodes);
    stack.run("up").exits(1).says("no answer within 300ms");
}
