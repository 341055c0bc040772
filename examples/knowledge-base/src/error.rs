use std::path::PathBuf;

/// Why the knowledge base could not do what it was asked.
///
/// Every text says what was expected and what to change: it is shown to a person as it stands, on standard error when
/// the server can't start, as the text of a failed tool call otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of documents can't be used.
    #[error("can't read the folder of documents {}: {problem}", path.display())]
    Folder {
        /// As it was given.
        path: PathBuf,
        /// What the file system said, or what is wrong with the folder.
        problem: String,
    },
    /// The folder that keeps notes and the index can't be used.
    #[error("can't use the state folder {}: {problem}. Give a folder that this user can write to", path.display())]
    State {
        /// As it was given.
        path: PathBuf,
        /// What the file system or the database said.
        problem: String,
    },
    /// The address to listen on is not on this machine only, or is taken.
    #[error("can't listen on {address}: {problem}")]
    Listen {
        /// As it was given.
        address: std::net::SocketAddr,
        /// Why not.
        problem: String,
    },
    /// What the client sent can't be answered.
    #[error("{0}")]
    Request(String),
    /// The index failed in the middle of its work.
    #[error("the index of the knowledge base failed: {0}")]
    Index(#[from] sqlx::Error),
    /// The transport of MCP failed.
    #[error("the MCP session failed: {0}")]
    Session(String),
}
