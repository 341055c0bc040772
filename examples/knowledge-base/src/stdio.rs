use rmcp::{ServiceExt as _, service::ServerInitializeError, transport::stdio_pipes};

use crate::{Eras, Error, Options, Server};

/// Serves one client on standard input and output, until standard input closes.
///
/// # Errors
/// As [`Server::open`] before anything is read; [`Error::Session`] if the client breaks the protocol's first steps.
pub async fn serve_stdio(options: Options) -> Result<(), Error> {
    serve_stdio_eras(options, Eras::Both).await
}

/// As [`serve_stdio`], speaking only some revisions.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_stdio_eras(options: Options, eras: Eras) -> Result<(), Error> {
    let server = Server::open(options, eras).await?;
    let running = match server.serve(stdio_pipes()).await {
        Ok(running) => running,
        // Somebody looked whether it starts, and left.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(Error::Session(error.to_string())),
    };
    running
        .waiting()
        .await
        .map(drop)
        .map_err(|error| Error::Session(error.to_string()))
}
