//! A data directory that was empty when it was locked: who fails to start in it leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DATABASE, LOCK, MASTER_KEY};

/// What is in the directory was made by this process, and is taken away with this.
#[derive(Debug)]
pub(super) struct Fresh {
    dir: PathBuf,
    /// Folders that had to be made, the directory first, then those above it.
    made: Vec<PathBuf>,
}

impl Fresh {
    /// Looks whether it is; the lock is held.
    pub(super) fn look(dir: &Path, made: Vec<PathBuf>) -> Option<Self> {
        let mut entries = fs::read_dir(dir).ok()?;
        let empty = entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK));
        empty.then(|| Self {
            dir: dir.to_owned(),
            made,
        })
    }

    /// Nothing is taken away.
    pub(super) fn keep(mut self) {
        self.dir.clear();
        self.made.clear();
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.dir.as_os_str().is_empty() {
            return;
        }
        // What can't be taken away stays; there is an error to be told already.
        for name in FILES {
            let _ = fs::remove_file(self.dir.join(name));
        }
        for name in FOLDERS {
            let _ = fs::remove_dir_all(self.dir.join(name));
        }
        let _ = fs::remove_file(self.dir.join(LOCK));
        // Folders that somebody has put something into stay, too.
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// What a start makes; nothing else is touched.
const FILES: [&str; 6] = [
    "control.sock",
    DATABASE,
    "keystile.db-wal",
    "keystile.db-shm",
    MASTER_KEY,
    super::master_key::NEW,
];
const FOLDERS: [&str; 2] = ["audit", "knowledge-base"];
