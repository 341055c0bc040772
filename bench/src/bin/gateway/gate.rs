//! The gateway with everything that a call costs: strict parse, verified token, revocation feed,
//! audit trail on disk. Prints its address and the file with its tokens.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Result, anyhow};
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use keystile_domain::ids::{GrantId, PersonId, TokenId};
use keystile_domain::ports::{Clock, Rng};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::master::MasterKey;
use keystile_domain::time::Timestamp;
use keystile_gateway::relay::Ports;
use keystile_gateway::{Ending, Gateway, HttpUpstream, Settings, Upstream};
use keystile_protocol::issuer::Issuer;
use keystile_protocol::jwt::{AccessTokenClaims, Expectations, KeySet, SigningKey, UnverifiedJwt};
use keystile_protocol::resource::{ResourceTable, call_scope};
use keystile_resource::Verifier;
use keystile_store::Store;
use keystile_store::audit::AuditLog;
use tokio::net::TcpListener;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the bench's one clock")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

struct System;

impl Rng for System {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
    }
}

/// Signs so many tokens before it is ready, one a line of the file.
pub(crate) fn run(upstream: SocketAddr, tokens: usize, file: &Path) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(upstream, tokens, file))
}

async fn serve(upstream: SocketAddr, tokens: usize, file: &Path) -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let folder = tempfile::tempdir()?;
    let now = Wall.now();
    let store = Store::open(&folder.path().join("keystile.db"), now).await?;
    let audit = AuditLog::open(&folder.path().join("audit"), now)?;
    let public = Issuer::parse(&format!("http://{address}"))?;
    let table = ResourceTable::new(&public, &["bench".to_owned()]);
    let served = table.only().ok_or_else(|| anyhow!("one was given"))?;
    let http = HttpUpstream::new("bench", &format!("http://{upstream}/mcp"), None)?;
    let settings = Settings {
        public: public.clone(),
        loopback_ports: Vec::new(),
        origins: Vec::new(),
        served: vec![(served.clone(), Upstream::Http(http))],
    };
    let key = SigningKey::generate_es256()?;
    let mut keys = KeySet::new();
    keys.insert(key.kid(), key.verification_key())?;
    let ports = Ports {
        clock: Arc::new(Wall),
        rng: Arc::new(System),
        secrets: Arc::new(Secrets::new(&MasterKey::generate(&System))),
        revocations: store.revocations(),
        flows: Arc::default(),
        ending: Ending::never(),
    };
    let verifier = Arc::new(Verifier::new(public.as_str(), keys));
    let gateway = Gateway::new(settings, verifier, Arc::new(audit), ports);
    let gateway = Arc::new(gateway);
    let mut lines = String::new();
    for _ in 0..tokens {
        lines += &token(&key, &public, served.resource.as_str(), now)?;
        lines.push('\n');
    }
    std::fs::write(file, lines)?;
    println!("ready {address}");
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let gateway = Arc::clone(&gateway);
        let service = service_fn(move |request: Request<Incoming>| {
            let gateway = Arc::clone(&gateway);
            async move {
                let request = request.map(Body::new);
                let Some(place) = gateway.place(request.uri().path()) else {
                    return Ok::<_, Infallible>(gateway.handle(request).await);
                };
                Ok(gateway.answer(place, request, Some(peer.ip())).await)
            }
        });
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

fn token(key: &SigningKey, issuer: &Issuer, resource: &str, now: Timestamp) -> Result<String> {
    let seconds = u64::try_from(now.seconds())?;
    Ok(key.sign(&AccessTokenClaims {
        iss: issuer.as_str().to_owned(),
        sub: PersonId::new(now, &System).to_string(),
        aud: resource.to_owned(),
        client_id: "https://client.example/oauth/metadata.json".to_owned(),
        scope: call_scope("bench"),
        iat: seconds,
        exp: seconds + 3600,
        nbf: None,
        jti: TokenId::new(now, &System).to_string(),
        sid: Some(GrantId::new(now, &System).to_string()),
    })?)
}

/// CPU time of one ES256 check, in microseconds: what a token that was never seen must cost.
pub(crate) fn one_check() -> Result<f64> {
    let key = SigningKey::generate_es256()?;
    let mut keys = KeySet::new();
    keys.insert(key.kid(), key.verification_key())?;
    let public = Issuer::parse("http://127.0.0.1")?;
    let (now, resource) = (Wall.now(), public.at("/bench/mcp"));
    let tokens: Vec<_> = (0..2_000)
        .map(|_| token(&key, &public, &resource, now))
        .collect::<Result<_>>()?;
    let expected = Expectations {
        issuer: public.as_str(),
        resource: &resource,
        now: u64::try_from(now.seconds())?,
        skew: 0,
    };
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let begin = std::time::Instant::now();
    for token in &tokens {
        UnverifiedJwt::parse(token)?.verify(&keys, &expected)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = tokens.len() as f64;
    Ok(begin.elapsed().as_secs_f64() * 1e6 / count)
}
