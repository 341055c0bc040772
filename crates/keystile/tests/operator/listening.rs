//! Where it listens, who is in the way, and to which name it answers.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt as _;

use serde_json::Value;

use super::fake_server::dead;
use super::http::Request;
use super::installation::{Gate, Installation};

#[test]
fn a_busy_port_names_the_process_that_holds_it() {
    let installation = Installation::new();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = held.local_addr().expect("it is bound").port().to_string();
    let holder = format!("process {} (", std::process::id());
    let failed = installation.failure(&["protect", "--port", &port, &dead()]);
    failed
        .is(1, "port_in_use")
        .says(&port)
        .says(&holder)
        .advises("--port");
    let ops = format!("127.0.0.1:{port}");
    let words = ["protect", "--port", "0", "--ops-listen", &ops, &dead()];
    let failed = installation.failure(&words);
    failed
        .is(1, "port_in_use")
        .says(&holder)
        .advises("--ops-listen");
    let mut words = vec!["protect", "--listen", "192.0.2.1:7717"];
    words.extend(["--trusted-proxy", "10.0.0.0/8"]);
    words.extend(["--public-url", "https://mcp.example.com"]);
    words.push("http://127.0.0.1:1/mcp");
    installation
        .failure(&words)
        .is(1, "cannot_listen")
        .says("192.0.2.1:7717");
    // Nothing was made, and it can start as soon as the port is free.
    assert!(!installation.data().exists());
    // A directory that was there stays, as empty as it was.
    let mut private = fs::DirBuilder::new();
    private.mode(0o700);
    private
        .create(installation.data())
        .expect("the folder beside it exists");
    let failed = installation.failure(&["protect", "--port", &port, &dead()]);
    failed.is(1, "port_in_use");
    let left = fs::read_dir(installation.data()).expect("it stays");
    assert_eq!(left.count(), 0);
    drop(held);
    let mut command = installation.command(&["--json", "protect", "--port", &port]);
    let command = command.args(["--ops-listen", "127.0.0.1:0", &dead()]);
    Gate::start(command).stop();
}

#[test]
fn a_port_that_is_taken_on_the_other_family_is_busy_too() {
    let installation = Installation::new();
    let Ok(held) = TcpListener::bind("[::1]:0") else {
        // A host without IPv6 has no second family.
        return;
    };
    let port = held.local_addr().expect("it is bound").port().to_string();
    let failed = installation.failure(&["protect", "--port", &port, &dead()]);
    failed.is(1, "port_in_use").says("[::1]");
}

#[test]
fn n_tr_03_by_default_nothing_listens_beyond_loopback() {
    let installation = Installation::new();
    let gate = installation.serve(&["demo"]);
    let sockets = listening(gate.program.pid());
    // The gate on one or two families, and the ops listener.
    assert!((2..=3).contains(&sockets.len()), "{sockets:?}");
    let loopback = ["0100007F", "00000000000000000000000001000000"];
    for socket in &sockets {
        let (ip, _) = socket.split_once(':').expect("proc_net_tcp(5)");
        assert!(loopback.contains(&ip), "{sockets:?}");
    }
    gate.stop();
}

/// The local addresses of the listening TCP sockets of a process, as `/proc/net/tcp` writes them.
fn listening(pid: u32) -> Vec<String> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).expect("it is ours");
    let links = fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    let links: Vec<String> = links
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let tables = ["tcp", "tcp6"].map(|name| {
        let path = format!("/proc/{pid}/net/{name}");
        fs::read_to_string(path).unwrap_or_default()
    });
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let fields = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields[3] == "0A" && links.contains(&format!("socket:[{}]", fields[9])))
        .map(|fields| fields[1].to_owned())
        .collect()
}

#[test]
fn n_as_03_no_header_changes_the_issuer() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let issuer = gate.text("issuer");
    let metadata = "/.well-known/oauth-authorization-server";
    let plain = Request::get(metadata).send(gate.port).value();
    assert_eq!(plain["issuer"], Value::from(issuer.clone()));
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
    ] {
        let reply = Request::get(metadata).header(name, value).send(gate.port);
        assert_eq!(reply.value(), plain, "{name}: {value}");
    }
    let endpoint = gate.endpoint();
    for path in [
        metadata,
        "/.well-known/oauth-protected-resource/notes/mcp",
        &endpoint,
        "/",
        "/ks/sign-in",
    ] {
        for host in [
            "evil.example",
            "localhost",
            "localhost:1",
            "localhost.evil.example",
            "127.0.0.1",
        ] {
            let reply = Request::get(path).header("host", host).send(gate.port);
            assert_eq!(reply.status, 421, "{path} {host}");
            assert!(reply.body.contains(&issuer), "{}", reply.body);
            assert!(!reply.body.contains("evil"), "{}", reply.body);
        }
    }
    gate.stop();
}

#[test]
fn health_is_on_its_own_listener_and_no_web_page_can_ask() {
    let installation = Installation::new();
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    let ops = gate.text("ops_url");
    let (_, port) = ops.rsplit_once(':').expect("it has a port");
    let port: u16 = port.parse().expect("it is a number");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(Request::get(path).send(port).status, 200);
        assert_eq!(Request::get(path).send(gate.port).status, 404);
        let rebound = Request::get(path).header("host", "evil.example").send(port);
        assert_eq!(rebound.status, 403);
        let page = Request::get(path).header("origin", "https://evil.example");
        assert_eq!(page.send(port).status, 403);
    }
    gate.stop();
}
