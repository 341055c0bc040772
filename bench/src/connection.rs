//! HTTP/1.1 with as little work as possible: the load must not be what is measured.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// One kept-alive connection out of an address of 127/8.
pub struct Connection {
    stream: TcpStream,
    host: String,
}

/// An answer, read to its end.
pub struct Answer {
    /// As in the status line.
    pub status: u16,
    head: String,
    /// Of `Content-Length` bytes.
    pub body: String,
}

impl Connection {
    /// To a server that knows itself as `host`.
    ///
    /// # Errors
    /// Nobody listens there, or the address is none of this computer's.
    pub async fn open(to: SocketAddr, from: Ipv4Addr, host: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let host = host.to_owned();
        Ok(Self { stream, host })
    }

    /// Opens an address.
    ///
    /// # Errors
    /// The server hung up, or its answer has no length.
    pub async fn get(&mut self, path: &str, cookie: &str) -> Result<Answer> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n",
            self.host
        );
        self.send(&request).await
    }

    /// Sends a form, as a page of the server's own does.
    ///
    /// # Errors
    /// As of [`Self::get`].
    pub async fn form(&mut self, path: &str, cookie: &str, body: &str) -> Result<Answer> {
        let media = "application/x-www-form-urlencoded";
        self.post(path, cookie, media, body).await
    }

    /// Sends anything.
    ///
    /// # Errors
    /// As of [`Self::get`].
    pub async fn post(
        &mut self,
        path: &str,
        cookie: &str,
        media: &str,
        body: &str,
    ) -> Result<Answer> {
        let host = &self.host;
        // A form of a page comes with it, what a client sends does not.
        let origin = match cookie.is_empty() && !path.starts_with("/ks/") {
            true => String::new(),
            false => format!("origin: http://{host}\r\ncookie: {cookie}\r\n"),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\n{origin}content-type: {media}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&request).await
    }

    async fn send(&mut self, request: &str) -> Result<Answer> {
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::with_capacity(16 * 1024);
        let (head, length) = loop {
            ensure!(
                self.stream.read_buf(&mut bytes).await? > 0,
                "the server hung up"
            );
            let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").context("an answer has a length")?;
            break (head.clone(), length.parse::<usize>()?);
        };
        while bytes.len() < head.len() + 4 + length {
            ensure!(
                self.stream.read_buf(&mut bytes).await? > 0,
                "the server hung up"
            );
        }
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = String::from_utf8(bytes.split_off(head.len() + 4))?;
        Ok(Answer {
            status: status.context("an answer has a status")?,
            head,
            body,
        })
    }
}

impl Answer {
    /// The first header of this name, which is in lower case here.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The part of an address behind `name=`, as it is.
    #[must_use]
    pub fn location_param(&self, name: &str) -> Option<&str> {
        let (_, query) = self.header("location")?.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The code with which an authorization request comes back, for the state that it was sent with.
    ///
    /// # Errors
    /// There is none, or the state is another.
    pub fn code(&self, state: u64) -> Result<&str> {
        let code = self.location_param("code");
        let code = code.with_context(|| format!("no code: {}", self.body))?;
        ensure!(
            self.location_param("state") == Some(&*state.to_string()),
            "the state came back as another"
        );
        Ok(code)
    }

    /// `name=value` of each cookie that it sets; not of those that it takes away.
    #[must_use]
    pub fn cookies(&self) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let set = lines.filter(|(name, value)| {
            name.eq_ignore_ascii_case("set-cookie") && !value.contains("01 Jan 1970")
        });
        let pairs: Vec<_> = set
            .filter_map(|(_, value)| value.split(';').next())
            .collect();
        pairs.join("; ")
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}
