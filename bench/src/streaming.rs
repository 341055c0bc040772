//! HTTP/1.1 whose answers are read as they come: what an MCP client needs.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One connection out of an address of 127/8. Closed at once when it is dropped, whatever is on its way.
pub struct Line {
    to: SocketAddr,
    from: Ipv4Addr,
    host: HeaderValue,
    requests: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    used: Instant,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// An answer that may go on.
pub struct Answer {
    /// As in the status line.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    body: Incoming,
    ended: bool,
    /// What has come of the next line.
    begun: Vec<u8>,
    parts: VecDeque<Part>,
    event: Event,
}

/// A part of an event stream; the content of another answer is one event.
pub enum Part {
    /// Between events: a sign of life.
    Comment,
    /// With its data.
    Event(Event),
}

/// An event (HTML, "Server-sent events").
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    /// Empty unless it says one.
    pub kind: String,
    /// Its lines.
    pub data: String,
}

impl Line {
    /// To a server that knows itself as `host`.
    ///
    /// # Errors
    /// Nobody listens there, or the address is none of this computer's.
    pub async fn open(to: SocketAddr, from: Ipv4Addr, host: &str) -> Result<Self> {
        let (requests, connection) = dial(to, from).await?;
        Ok(Self {
            to,
            from,
            host: HeaderValue::from_str(host)?,
            requests,
            connection,
            used: Instant::now(),
        })
    }

    /// Sends a request, whose target is a path, and waits until its answer begins. The last one was read to its end.
    ///
    /// # Errors
    /// The server hung up.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let mut request = request;
        request.headers_mut().insert(HOST, self.host.clone());
        if self.used.elapsed() > RESTS || self.requests.ready().await.is_err() {
            self.redial().await?;
        }
        self.used = Instant::now();
        let answer = match self.requests.try_send_request(request).await {
            Ok(answer) => answer,
            Err(mut error) => match error.take_message() {
                // Hung up on before it was sent.
                Some(request) => {
                    self.redial().await?;
                    self.requests.send_request(request).await?
                }
                None => return Err(error.into_error().into()),
            },
        };
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            ended: false,
            begun: Vec::new(),
            parts: VecDeque::new(),
            event: Event::default(),
        })
    }

    async fn redial(&mut self) -> Result<()> {
        (self.requests, self.connection) = dial(self.to, self.from).await?;
        Ok(())
    }
}

async fn dial(
    to: SocketAddr,
    from: Ipv4Addr,
) -> Result<(SendRequest<Full<Bytes>>, JoinHandle<()>)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let (requests, connection) = handshake(TokioIo::new(stream)).await?;
    // How it ends is seen by whoever waits for an answer.
    let connection = tokio::spawn(async move { drop(connection.await) });
    Ok((requests, connection))
}

impl Answer {
    /// The text of a header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let text = value.and_then(|value| value.to_str().ok());
        text.unwrap_or_default()
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// It broke off.
    pub async fn event(&mut self) -> Result<Option<Event>> {
        loop {
            match self.next().await? {
                Some(Part::Event(event)) => return Ok(Some(event)),
                Some(Part::Comment) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next part; `None` at the end. Safe to cancel.
    ///
    /// # Errors
    /// It broke off.
    pub async fn next(&mut self) -> Result<Option<Part>> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Ok(Some(part));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(bytes) = frame.context("it broke off")?.into_data() {
                        self.take(&bytes)?;
                    }
                }
                None => self.end()?,
            }
        }
    }

    fn is_stream(&self) -> bool {
        self.header(CONTENT_TYPE.as_str())
            .starts_with("text/event-stream")
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.begun.extend_from_slice(bytes);
        if !self.is_stream() {
            return Ok(());
        }
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let rest = self.begun.split_off(end + 1);
            let line = String::from_utf8(std::mem::replace(&mut self.begun, rest))?;
            self.line(line.trim_end());
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else {
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                self.parts.push_back(Part::Event(event));
            }
            return;
        };
        match name {
            "" => self.parts.push_back(Part::Comment),
            "event" => value.trim_start().clone_into(&mut self.event.kind),
            "data" => self.event.data += value.trim_start(),
            _ => {}
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if !self.is_stream() && !self.begun.is_empty() {
            let data = String::from_utf8(std::mem::take(&mut self.begun))?;
            let kind = String::new();
            self.parts.push_back(Part::Event(Event { kind, data }));
        }
        Ok(())
    }
}

/// A connection that has rested for so long is not used again: the server closes it after 10 s, perhaps just then.
const RESTS: Duration = Duration::from_secs(4);
