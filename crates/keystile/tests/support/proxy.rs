//! Reverse proxies of other makes.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::port;
use super::process::Process;
use super::tools::Tools;

/// Longer than a proxy takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// nginx on a free port.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    /// In front of `behind`, which it calls by that name, with what stands `inside` its server block.
    pub(crate) fn start(behind: SocketAddr, inside: &str) -> Self {
        Self::start_at(port::free(), behind, inside)
    }

    /// The same on this port.
    pub(crate) fn start_at(port: u16, behind: SocketAddr, inside: &str) -> Self {
        let folder = TempDir::new().expect("a temporary directory can be made");
        let place = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
             {temporary}upstream behind {{ server {behind}; keepalive 4; }}\n\
             server {{ listen 127.0.0.1:{port};\n{inside}\n}}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, text).expect("it is a new file");
        let mut command = Command::new(Tools::find().path("nginx"));
        command.args(["-e", "stderr", "-p"]).arg(folder.path());
        let process = Process::start(command.arg("-c").arg(&file));
        listening(port);
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }
}

/// Proxies do not say when they are ready: tries until it is.
pub(crate) fn listening(port: u16) {
    let begun = now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let waited = now().duration_since(begun);
        assert!(waited < PATIENCE, "the proxy does not start");
        thread::yield_now();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a foreign program takes to start"
)]
fn now() -> Instant {
    Instant::now()
}
