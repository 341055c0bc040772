//! Connections whose other end takes nothing (CHECKLIST A-159): a stream nobody reads, a client that is gone without a word;
//! and those whose other end says nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use keystile_protocol::mutation::weakened;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Within this time the other end takes some of what it is sent, or at least says that it has come.
const LIMIT: Duration = Duration::from_secs(60);

/// Within this time it is to be known which HTTP the other end speaks. From then on hyper has times of its own: until
/// then it has none.
const FIRST_WORDS: Duration = Duration::from_secs(10);

/// How a connection of HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Has the system notice that the other end is gone. Keep-alive comments are too few to fill a buffer, so that no write
/// ever waits for one that vanished.
///
/// # Errors
/// The system takes no such option.
pub(super) fn notice_silence(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, LIMIT)?;
    sockopt::set_tcp_keepintvl(stream, LIMIT / 4)?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    let limit = u32::try_from(LIMIT.as_millis()).expect("a minute fits");
    sockopt::set_tcp_user_timeout(stream, limit)?;
    Ok(())
}

/// A stream on which a write that waits for too long is an error, and so is a beginning.
pub(super) struct Patient<S> {
    stream: S,
    limit: Duration,
    /// Since a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Until it is known what is spoken.
    beginning: Option<Beginning>,
}

/// What has come is as far as the beginning of [`PREFACE`].
struct Beginning {
    rest: &'static [u8],
    ends: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        let ends = Box::pin(sleep(FIRST_WORDS));
        Self {
            stream,
            limit: LIMIT,
            waiting: None,
            beginning: Some(Beginning {
                rest: PREFACE,
                ends,
            }),
        }
    }

    /// Looks at what came, while that says which HTTP it is.
    fn heard(&mut self, bytes: &[u8]) {
        let begins = |beginning: &Beginning| beginning.rest.strip_prefix(bytes);
        let rest = self.beginning.as_ref().and_then(begins);
        match (&mut self.beginning, rest) {
            (Some(beginning), Some(rest)) if !rest.is_empty() => beginning.rest = rest,
            (beginning, _) => *beginning = None,
        }
    }

    fn within_limit<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() || weakened("a_159") {
            self.waiting = None;
            return written;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.beginning.is_none() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.heard(&buffer.filled()[before..]);
            return read;
        }
        match &mut self.beginning {
            Some(beginning) if !weakened("a_159b") => {
                ready!(beginning.ends.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_limit(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.within_limit(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.within_limit(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within_limit(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::net::TcpListener;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_159_a_peer_that_takes_nothing_is_hung_up_on() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = Patient::new(ours);
        let event = [b'x'; 64];
        ours.write_all(&event).await.unwrap();
        let begun = Instant::now();
        let waited = timeout(LIMIT * 2, ours.write_all(&event)).await;
        let error = waited.expect("it is given up").expect_err("nobody read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), LIMIT);
        // And one that is slow is not.
        theirs.read_exact(&mut [0; 64]).await.unwrap();
        let mut ours = Patient::new(ours.stream);
        let slow = async {
            for _ in 0..64 {
                tokio::time::sleep(LIMIT / 2).await;
                theirs.read_exact(&mut [0; 8]).await.unwrap();
            }
        };
        let all = [b'y'; 512];
        let (written, ()) = tokio::join!(ours.write_all(&all), slow);
        written.unwrap();
        // Nor one that is sent nothing.
        tokio::time::sleep(LIMIT * 10).await;
        ours.write_all(b"z").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_159_who_does_not_begin_is_hung_up_on() {
        for (words, is_known) in [
            ("", false),
            ("P", false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", false),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
            ("POST", true),
            ("G", true),
        ] {
            let (ours, mut theirs) = duplex(64);
            let mut ours = Patient::new(ours);
            let mut took = vec![0; 64];
            for byte in words.as_bytes() {
                theirs.write_all(&[*byte]).await.unwrap();
                assert_eq!(ours.read(&mut took).await.unwrap(), 1, "{words}");
            }
            let begun = Instant::now();
            let waited = timeout(FIRST_WORDS * 3, ours.read(&mut took)).await;
            assert_eq!(waited.is_err(), is_known, "{words}");
            if let Ok(read) = waited {
                assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
                assert_eq!(begun.elapsed(), FIRST_WORDS);
            }
        }
    }

    #[tokio::test]
    async fn the_system_is_told_how_long_to_wait_for_one_that_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (_client, accepted) = tokio::join!(client, listener.accept());
        let (stream, _) = accepted.unwrap();
        notice_silence(&stream).unwrap();
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 60_000);
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), LIMIT);
    }
}
