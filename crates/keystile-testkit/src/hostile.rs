//! A TLS host on loopback that answers as badly as a test asks it to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How a path is answered.
#[derive(Clone)]
pub enum Answer {
    /// These bytes; then the connection is closed.
    Raw(Vec<u8>),
    /// A header and a good beginning, then one byte at a time without end.
    Drip,
    /// Nothing at all.
    Hold,
    /// Chunks without end, as fast as they are taken.
    Endless,
    /// 304 if asked with this entity tag, else the bytes.
    Unless(&'static str, Vec<u8>),
}

/// A host of client metadata documents, `client.example` or `localhost`, with an authority of its own.
pub struct Hostile {
    address: SocketAddr,
    ca: Arc<tempfile::TempPath>,
    acceptor: TlsAcceptor,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    answers: Mutex<HashMap<String, Answer>>,
    heads: Mutex<Vec<Head>>,
    accepted: Mutex<Vec<SocketAddr>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    changed: Notify,
}

/// What a request looked like.
#[derive(Clone, Debug)]
pub struct Head {
    /// The name in the TLS greeting.
    pub server_name: String,
    /// Its lines, as they came.
    pub text: String,
}

impl Head {
    fn path(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Hostile {
    /// On a free port of 127.0.0.1; every path is a 404 until it has an answer.
    pub async fn start() -> Self {
        let (acceptor, ca) = authority();
        Self::listen(Ipv4Addr::LOCALHOST, acceptor, Arc::new(ca)).await
    }

    /// Another host at another address with the same certificate.
    pub async fn start_beside(&self, address: Ipv4Addr) -> Self {
        Self::listen(address, self.acceptor.clone(), Arc::clone(&self.ca)).await
    }

    async fn listen(ip: Ipv4Addr, acceptor: TlsAcceptor, ca: Arc<tempfile::TempPath>) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn(serve(listener, acceptor.clone(), Arc::clone(&seen)));
        Self {
            address,
            ca,
            acceptor,
            seen,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Its authority, as PEM; the file lives as long as the host.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.ca.as_ref().to_path_buf()
    }

    /// The URL of a path under `client.example`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.url_at("client.example", path)
    }

    /// The URL of a path under another name for the same host.
    #[must_use]
    pub fn url_at(&self, name: &str, path: &str) -> String {
        format!("https://{name}:{}{path}", self.address.port())
    }

    /// From now on this path is answered so; `*` stands for every other one.
    pub fn answer(&self, path: &str, answer: Answer) {
        let mut answers = self.seen.answers.lock().expect("not poisoned");
        answers.insert(path.to_owned(), answer);
    }

    /// Nothing that has no answer of its own is ever answered.
    pub fn hold_all(&self) {
        self.answer("*", Answer::Hold);
    }

    /// Answers with a good document, with these header lines.
    pub fn serve_good(&self, path: &str, header: &str) {
        self.serve(path, header, &self.good(path));
    }

    /// Answers with this document, with these header lines.
    pub fn serve(&self, path: &str, header: &str, document: &Value) {
        self.answer(path, Answer::Raw(json_reply(header, document)));
    }

    /// Answers with a status and nothing more.
    pub fn status(&self, path: &str, status: &str) {
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        self.answer(path, Answer::Raw(reply.into_bytes()));
    }

    /// A document with nothing wrong about it.
    #[must_use]
    pub fn good(&self, path: &str) -> Value {
        json!({
            "client_id": self.url(path),
            "client_name": "Example",
            "redirect_uris": ["https://client.example/callback"],
            "token_endpoint_auth_method": "none",
        })
    }

    /// How often this path was asked for.
    #[must_use]
    pub fn hits(&self, path: &str) -> usize {
        self.heads()
            .iter()
            .filter(|head| head.path() == path)
            .count()
    }

    /// Every request so far.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.seen.heads.lock().expect("not poisoned").clone()
    }

    /// The most connections that were open at the same time.
    #[must_use]
    pub fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }

    /// How many connections anybody made so far. To overlook none that is still under way it makes
    /// one itself, which counts the next time.
    pub async fn connections(&self) -> usize {
        let probe = TcpStream::connect(self.address).await.expect("it listens");
        let us = probe.local_addr().expect("it is connected");
        loop {
            let changed = self.seen.changed.notified();
            if let Some(before) = self.accepted_before(us) {
                return before;
            }
            changed.await;
        }
    }

    fn accepted_before(&self, us: SocketAddr) -> Option<usize> {
        let accepted = self.seen.accepted.lock().expect("not poisoned");
        accepted.iter().position(|peer| *peer == us)
    }

    /// Waits until so many connections are open.
    pub async fn opened(&self, wanted: usize) {
        loop {
            let changed = self.seen.changed.notified();
            if self.seen.open.load(Ordering::SeqCst) >= wanted {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A 200 with this document and these header lines.
#[must_use]
pub fn json_reply(header: &str, document: &Value) -> Vec<u8> {
    reply(
        &format!("content-type: application/json\r\n{header}"),
        document.to_string().as_bytes(),
    )
}

/// A 200 with these header lines, each with its line end.
#[must_use]
pub fn reply(header: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut reply =
        format!("HTTP/1.1 200 OK\r\n{header}content-length: {length}\r\n\r\n").into_bytes();
    reply.extend_from_slice(body);
    reply
}

fn authority() -> (TlsAcceptor, tempfile::TempPath) {
    let mut params = CertificateParams::new(vec![]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    let ca = ca.expect("a certificate");
    let names = [
        "client.example",
        "other.example",
        "*.tarpit.example",
        "localhost",
        "127.0.0.1",
    ]
    .map(str::to_owned)
    .to_vec();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names).expect("parameters");
    let leaf = params.signed_by(&key, &ca).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("key and certificate fit");
    let file = tempfile::NamedTempFile::new()
        .expect("a file")
        .into_temp_path();
    std::fs::write(&file, ca.pem()).expect("written");
    (TlsAcceptor::from(Arc::new(config)), file)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Seen>) {
    while let Ok((stream, peer)) = listener.accept().await {
        seen.accepted.lock().expect("not poisoned").push(peer);
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most_open.fetch_max(open, Ordering::SeqCst);
            seen.changed.notify_waiters();
            // The other side goes away when it has had enough: that is no failure here.
            let _ = connection(stream, &acceptor, &seen).await;
            seen.open.fetch_sub(1, Ordering::SeqCst);
            seen.changed.notify_waiters();
        });
    }
}

async fn connection(stream: TcpStream, acceptor: &TlsAcceptor, seen: &Seen) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let head = head(&mut stream).await?;
    let answer = {
        let answers = seen.answers.lock().expect("not poisoned");
        answers
            .get(head.path())
            .or_else(|| answers.get("*"))
            .cloned()
    };
    seen.heads.lock().expect("not poisoned").push(head.clone());
    match answer {
        None => {
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .await?
        }
        Some(Answer::Raw(bytes)) => stream.write_all(&bytes).await?,
        Some(Answer::Unless(tag, bytes)) => {
            if head.header("if-none-match") == Some(tag) {
                let reply = format!("HTTP/1.1 304 Not Modified\r\netag: {tag}\r\n\r\n");
                stream.write_all(reply.as_bytes()).await?;
            } else {
                stream.write_all(&bytes).await?;
            }
        }
        Some(Answer::Hold) => while stream.read(&mut [0; 64]).await? > 0 {},
        Some(Answer::Drip) => drip(&mut stream).await?,
        Some(Answer::Endless) => endless(&mut stream).await?,
    }
    stream.shutdown().await
}

async fn drip(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let header =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n{";
    stream.write_all(header.as_bytes()).await?;
    // The pause is the attack: every read makes progress, the whole never ends.
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    loop {
        pause.tick().await;
        stream.write_all(b" ").await?;
        stream.flush().await?;
    }
}

async fn endless(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let header =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(header.as_bytes()).await?;
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    loop {
        stream.write_all(chunk.as_bytes()).await?;
    }
}

async fn head(stream: &mut TlsStream<TcpStream>) -> io::Result<Head> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") && text.len() < 16_384 {
        text.push(stream.read_u8().await?);
    }
    let server_name = stream
        .get_ref()
        .1
        .server_name()
        .unwrap_or_default()
        .to_owned();
    Ok(Head {
        server_name,
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
