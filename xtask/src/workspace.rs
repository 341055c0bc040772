//! Where things are, and how a child process is started there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The clone, and the folder outside of it that survives it.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// `$KEYSTILE_CACHE`, or `~/.cache/keystile`.
    pub(crate) cache: PathBuf,
    /// `$CARGO_TARGET_DIR`, or `target` in the cache.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Reads the environment; nothing is created.
    pub(crate) fn find() -> Result<Self> {
        let root = PathBuf::from(
            std::env::var_os("CARGO_MANIFEST_DIR").context("run me as `cargo xtask`")?,
        )
        .parent()
        .context("xtask stands in the workspace root")?
        .to_path_buf();
        let cache = match std::env::var_os("KEYSTILE_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(
                std::env::var_os("HOME").context("neither KEYSTILE_CACHE nor HOME is set")?,
            )
            .join(".cache/keystile"),
        };
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| cache.join("target"), PathBuf::from);
        Ok(Self {
            root,
            cache,
            target,
        })
    }

    /// A cargo command in the root, building into the target folder outside of the clone.
    pub(crate) fn cargo<I>(&self, arguments: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("KEYSTILE_TOOLS", self.tools_file());
        // Set by the outer `cargo run`; they would make the children's fingerprints differ from a plain cargo's.
        for name in [
            "CARGO_PKG_NAME",
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Tells the end-to-end tests where their tools are; `tools::ensure` writes it.
    pub(crate) fn tools_file(&self) -> PathBuf {
        self.cache.join("tools/tools.json")
    }

    /// Each Rust source file of the clone, relative to the root, sorted.
    pub(crate) fn rust_files(&self) -> Result<Vec<PathBuf>> {
        self.files("rs")
    }

    /// Each file of the clone with this extension, relative to the root, sorted.
    pub(crate) fn files(&self, extension: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        walk(&self.root, extension, &mut files)?;
        let mut files: Vec<_> = files
            .into_iter()
            .map(|file| {
                file.strip_prefix(&self.root)
                    .map(Path::to_path_buf)
                    .unwrap_or(file)
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// Reads a file of the clone.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = self.root.join(path);
        std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    }
}

/// Runs to the end, and makes a bad exit an error that names the command.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("can't start {}", say(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", say(command));
    }
    Ok(())
}

/// Runs to the end and gives what it printed; its error output stays on the terminal.
pub(crate) fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("can't start {}", say(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", say(command), output.status);
    }
    Ok(output.stdout)
}

fn say(command: &Command) -> String {
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .unwrap_or(command.get_program()),
    ];
    words.extend(command.get_args());
    words
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn walk(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let skipped = name == "target"
                || name == "node_modules"
                || name.to_string_lossy().starts_with('.');
            if !skipped {
                walk(&entry.path(), extension, files)?;
            }
        } else if kind.is_file() && entry.path().extension() == Some(OsStr::new(extension)) {
            files.push(entry.path());
        }
    }
    Ok(())
}
