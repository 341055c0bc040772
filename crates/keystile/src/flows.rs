//! The failed attempts on disk: one bounded file, written anew as a whole and never more often than
//! every two seconds, whatever comes (docs/adr/0011-flow-traces.md).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keystile_domain::flow::{Attempt, FlowBook, MOST_FAILED_BYTES};
use keystile_domain::ports::Clock;
use keystile_gateway::{Ending, Phase};
use serde::{Deserialize, Serialize};

/// The file in the data directory.
pub(crate) const FILE: &str = "failed-attempts.json";

/// The shortest time from one writing to the next.
const PAUSE: Duration = Duration::from_secs(2);

/// The longest file that is read: names of members and escapes come to what the texts have.
const LONGEST: u64 = 4 * MOST_FAILED_BYTES as u64;

#[derive(Serialize, Deserialize)]
struct Kept {
    attempts: Vec<Attempt>,
}

/// The failed attempts of earlier processes, oldest first. A file that can't be read is said and
/// forgotten: nothing depends on it.
pub(crate) fn load(path: &Path) -> Vec<Attempt> {
    let read = || -> io::Result<Kept> {
        let mut text = String::new();
        File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    };
    match read() {
        Ok(kept) => kept.attempts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "the failed attempts of earlier can't be read and are forgotten");
            Vec::new()
        }
    }
}

/// Where and what to write.
pub(crate) struct Keeper {
    flows: Arc<FlowBook>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    written: u64,
}

impl Keeper {
    pub(crate) fn new(flows: Arc<FlowBook>, clock: Arc<dyn Clock>, path: PathBuf) -> Self {
        let written = flows.changes();
        Self {
            flows,
            clock,
            path,
            written,
        }
    }

    /// Writes what failed, until the process ends, and once more then.
    pub(crate) async fn run(mut self, ending: Ending) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => self.keep(),
                () = ending.reached(Phase::Draining) => break,
            }
        }
        self.keep();
    }

    /// Writes if there is anything new.
    pub(crate) fn keep(&mut self) {
        let changes = self.flows.changes();
        if changes == self.written {
            return;
        }
        let attempts = self.flows.failed(self.clock.now());
        match save(&self.path, &Kept { attempts }) {
            Ok(()) => self.written = changes,
            // Said each time, at most every two seconds; a full disk says more than this already.
            Err(error) => tracing::warn!(%error, "failed attempts can't be kept on disk"),
        }
    }
}

/// Written beside and renamed, so that a crash leaves the earlier one whole. Not synced: losing it
/// costs an explanation.
fn save(path: &Path, kept: &Kept) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let written = options.open(&new).and_then(|mut file| {
        let text = serde_json::to_vec(kept)?;
        file.write_all(&text)
    });
    let renamed = written.and_then(|()| fs::rename(&new, path));
    if renamed.is_err() {
        // It may be half.
        let _ = fs::remove_file(&new);
    }
    renamed
}
