//! The data directory: found, made private, owned by one process, with its master key.

mod fresh;
mod master_key;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use fresh::Fresh;

pub(crate) use master_key::MasterKeyFile;

/// A data directory that is ours and private, or not there yet.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

/// The proof that this process owns the data directory; released when dropped. What was made in a
/// directory that was empty goes with it, unless it was told to [keep](Self::keep) it: who failed to
/// start leaves nothing.
#[derive(Debug)]
pub(crate) struct Owned {
    // Goes before the lock does.
    fresh: Option<Fresh>,
    dir: DataDir,
    _lock: File,
}

/// Who holds the lock, if it is held.
#[derive(Debug)]
pub(crate) enum Lock {
    /// This process.
    Ours(Owned),
    /// Another one, with this process id if it could be read.
    Taken(Option<u32>),
}

/// The files of an installation.
const DATABASE: &str = "keystile.db";
const MASTER_KEY: &str = "master.key";
const LOCK: &str = "lock";

/// How often a lock that is held for a moment is looked at again, and the pause between.
const LOOKS: u32 = 10;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

impl DataDir {
    /// A directory that is there must be one, ours, and nobody else's to read; one that is not is made
    /// when it is locked.
    ///
    /// # Errors
    /// `data_dir_not_a_directory`, `data_dir_unreadable`, `data_dir_foreign` or
    /// `data_dir_open_to_others`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        match fs::metadata(path) {
            Ok(found) => private(path, &found)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
        Ok(Self(path.to_owned()))
    }

    /// The directory of an installation, which must be there: a mistyped one is said, and not made.
    ///
    /// # Errors
    /// `no_installation`, and as [`open`](Self::open).
    pub(crate) fn open_existing(path: &Path) -> Result<Self, Failure> {
        let opened = Self::open(path)?;
        match fs::metadata(opened.at(DATABASE)) {
            Ok(_) => Ok(opened),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::configuration(
                "no_installation",
                format!("there is no installation in {}", path.display()),
                "name the right directory with --data-dir or KEYSTILE_DATA_DIR, or make one: keystile protect, keystile user add NAME --password-stdin",
            )),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// Makes the directory if it is not there, mode 0700; which folders that took, inmost first.
    fn make(&self) -> Result<Vec<PathBuf>, Failure> {
        let path = &self.0;
        let missing = path.ancestors().take_while(|folder| !folder.exists());
        let missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        if !missing.is_empty() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            let made = builder.create(path);
            made.map_err(|error| unwritable(path, &error))?;
        }
        let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        private(path, &found)?;
        Ok(missing)
    }

    /// A path inside.
    #[must_use]
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The directory itself.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The control socket of the process that owns the directory.
    #[must_use]
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.at("control.sock")
    }

    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// `data_dir_unwritable`.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        let made = self.make()?;
        let path = self.at(LOCK);
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600);
        let mut file = options
            .open(&path)
            .map_err(|error| unwritable(&self.0, &error))?;
        match file.try_lock() {
            // A start that failed took its lock away, and somebody may have made another since.
            Ok(()) if !is_still(&file, &path) => Ok(Lock::Taken(None)),
            Ok(()) => {
                let fresh = Fresh::look(&self.0, made);
                let id = format!("{}\n", std::process::id());
                let written = file.set_len(0).and_then(|()| file.write_all(id.as_bytes()));
                written.map_err(|error| unwritable(&self.0, &error))?;
                Ok(Lock::Ours(Owned {
                    fresh,
                    dir: self.clone(),
                    _lock: file,
                }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let id = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                Ok(Lock::Taken(id))
            }
            Err(TryLockError::Error(error)) => Err(unwritable(&self.0, &error)),
        }
    }

    /// Takes the lock for a process that will serve.
    ///
    /// # Errors
    /// `data_dir_in_use`, with the process that has it.
    pub(crate) fn own(&self) -> Result<Owned, Failure> {
        let mut looks = 0;
        loop {
            let id = match self.lock()? {
                Lock::Ours(owned) => return Ok(owned),
                Lock::Taken(id) => id,
            };
            // A command of the administration has no socket, and is done in a moment.
            if looks < LOOKS && !self.control_socket().exists() {
                looks += 1;
                std::thread::sleep(PAUSE);
                continue;
            }
            return Err(Failure::failed(
                "data_dir_in_use",
                format!(
                    "another keystile{} uses the data directory {}",
                    id.map(|id| format!(" (process {id})")).unwrap_or_default(),
                    self.0.display()
                ),
                "end that one, or give this one a directory of its own with --data-dir",
            ));
        }
    }
}

impl Owned {
    /// From here on it is an installation: nothing is taken away any more.
    pub(crate) fn keep(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            fresh.keep();
        }
    }

    /// The directory.
    #[must_use]
    pub(crate) const fn dir(&self) -> &DataDir {
        &self.dir
    }
}

/// Whether what was opened is what stands at the path now.
fn is_still(file: &File, path: &Path) -> bool {
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    let (opened, there) = (file.metadata().map(id), fs::metadata(path).map(id));
    opened.is_ok_and(|opened| there.is_ok_and(|there| opened == there))
}

fn private(path: &Path, found: &fs::Metadata) -> Result<(), Failure> {
    if !found.is_dir() {
        return Err(Failure::configuration(
            "data_dir_not_a_directory",
            format!("the data directory {} is a file", path.display()),
            "name a directory with --data-dir or KEYSTILE_DATA_DIR",
        ));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::configuration(
            "data_dir_foreign",
            format!(
                "the data directory {} belongs to another user",
                path.display()
            ),
            "run this as that user, or name a directory of your own with --data-dir",
        ));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::configuration(
            "data_dir_open_to_others",
            format!(
                "the data directory {} can be read by others (mode {mode:03o}); it holds keys",
                path.display()
            ),
            format!("chmod 700 {}", path.display()),
        ));
    }
    Ok(())
}

/// Nobody can tell what is there.
fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::configuration(
        "data_dir_unreadable",
        format!(
            "the data directory {} can't be looked into: {error}",
            path.display()
        ),
        "run this as the user that it belongs to, or name another with --data-dir or KEYSTILE_DATA_DIR",
    )
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::configuration(
        "data_dir_unwritable",
        format!(
            "the data directory {} can't be used: {error}",
            path.display()
        ),
        "name a directory that you can write with --data-dir or KEYSTILE_DATA_DIR",
    )
}

#[cfg(test)]
mod tests;
