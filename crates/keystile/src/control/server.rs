//! The control socket of a serving process: one JSON line in, one out; only for its own user.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::admin::{Admin, Answer};
use crate::control::LARGEST;
use crate::failure::Failure;

/// The socket in the data directory; it goes away with its owner.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Without it, administrators open the store themselves; with it, they would wait.
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds the socket (0600). The caller owns the data directory, so a socket that is there is stale.
///
/// # Errors
/// `control_socket_unusable`.
pub(crate) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), Failure> {
    let made = || -> io::Result<UnixListener> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    let listener = made().map_err(|error| {
        Failure::configuration(
            "control_socket_unusable",
            format!("the control socket {} can't be made: {error}", path.display()),
            "a socket's path has at most 107 bytes and its folder must be writable: choose another --data-dir",
        )
    })?;
    Ok((listener, SocketFile(path.to_owned())))
}

/// Answers administrators until the task is ended.
pub(crate) async fn serve(listener: UnixListener, admin: Arc<Admin>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = Arc::clone(&admin);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &admin).await {
                        tracing::debug!(%error, "a control connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket can't accept");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, admin: &Admin) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let ours = rustix::process::geteuid().as_raw();
    if peer != ours && peer != 0 {
        tracing::warn!(peer, "another user tried the control socket");
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(LARGEST))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => admin.answer(request).await,
        Err(error) => Answer::Failed(Failure::failed(
            "control_version",
            format!("the running keystile does not understand this command: {error}"),
            "use the same version of keystile for both",
        )),
    };
    let mut text = serde_json::to_string(&answer).expect("an answer is plain data");
    text.push('\n');
    writer.write_all(text.as_bytes()).await
}
