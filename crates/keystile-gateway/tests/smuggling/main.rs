//! Foreign HTTP parsers behind the gateway, and in front of it: none may see another request than was authorized
//! (CHECKLIST A-127), none may hold an event back (N-TR-16).

mod buffering;
mod corpus;
mod judge;
#[path = "../../../keystile/tests/support/port.rs"]
mod port;
#[expect(dead_code, reason = "others talk to their programs")]
#[path = "../../../keystile/tests/support/process.rs"]
mod process;
#[path = "../../../keystile/tests/support/proxy.rs"]
mod proxy;
#[path = "../shared/serve.rs"]
mod serve;
#[expect(dead_code, reason = "the tests of the gateway alone use more of it")]
#[path = "../http/support.rs"]
mod support;
#[path = "../../../keystile/tests/support/tools.rs"]
mod tools;
#[path = "../shared/world.rs"]
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use corpus::{Case, cases};
use judge::{Judge, Read};
use keystile_gateway::HttpUpstream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::serve::serve;
use crate::support::{App, TOOL_CALL};

/// No HTTP parser takes it for a request, and what waits for more of a body has more than it waits for.
const END: &[u8] = b"\r\n\0\0\0 \0\r\n\r\n";

/// Sends these bytes on a connection of their own and reads until the gateway closes it.
async fn attack(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("works in a test");
    let mut told = Vec::new();
    let exchange = async {
        // Who refuses at once may close before all of it is written.
        drop(stream.write_all(&[bytes, END].concat()).await);
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut told).await);
    };
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, exchange)
        .await
        .expect("the gateway answers or closes");
    told
}

/// What the judge has read since `known`, seen in its answer to one plain call, which comes last.
async fn since(app: &App, known: &mut usize) -> Vec<Read> {
    let (status, text) = support::text(app.send(app.call()).await).await;
    assert_eq!(status, 200, "{text}");
    let all = judge::read_by(&text);
    let new = all[*known..].to_vec();
    *known = all.len();
    new
}

fn allowed(app: &App) -> usize {
    let mut trail = app.audit.events.lock();
    let allowed = trail
        .iter()
        .filter(|event| event["outcome"] == "allow")
        .count();
    trail.clear();
    allowed
}

/// Whatever comes in: behind the gateway each judge reads the requests that were authorized, and nothing else.
async fn judged(judge: Judge) {
    let app = App::in_front_of(
        judge.nobody().await,
        &judge.url,
        |upstream: HttpUpstream| upstream,
    );
    let address = serve(&app.gateway).await;
    let cases = cases(&app.token());
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut known = 0;
    since(&app, &mut known).await;
    let mut wrong = Vec::new();
    for Case {
        name,
        bytes,
        forwarded,
    } in cases
    {
        allowed(&app);
        let told = attack(address, &bytes).await;
        let authorized = allowed(&app);
        let mut read = since(&app, &mut known).await;
        read.pop();
        let honest = read.iter().all(|read| *read == Read::honest());
        if read.len() != forwarded || authorized != forwarded || !honest {
            let told = String::from_utf8_lossy(&told).into_owned();
            wrong.push(format!(
                "{name}: wanted {forwarded}, authorized {authorized}, {read:?}\n  {told:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}: {} cases\n{}",
        judge.name,
        wrong.len(),
        wrong.join("\n")
    );
    assert!(!TOOL_CALL.contains("smuggled"));
}

#[tokio::test]
async fn a_127_node_reads_only_what_was_authorized() {
    judged(Judge::node()).await;
}

#[tokio::test]
async fn a_127_uvicorn_reads_only_what_was_authorized() {
    judged(Judge::uvicorn()).await;
}

#[tokio::test]
async fn a_127_nginx_reads_only_what_was_authorized() {
    judged(Judge::nginx().await).await;
}

#[tokio::test]
async fn a_127_haproxy_reads_only_what_was_authorized() {
    judged(Judge::haproxy().await).await;
}
