//! One function per package manager, each through its ordinary client.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{digest, starts};
use crate::workspace::succeed;

/// Fills `<place>/<name>-<digest of pinned>` if that has not been done to its end before.
pub(super) fn once(
    place: &Path,
    name: &str,
    pinned: &[PathBuf],
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = place.join(format!("{name}-{}", digest(pinned)?));
    let complete = folder.join(".complete");
    if complete.is_file() {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    eprintln!("installing {name} packages once, into {}", folder.display());
    fill(&folder).with_context(|| format!("can't install {name} packages"))?;
    std::fs::write(&complete, "")?;
    Ok(folder)
}

/// The packages of a lock file, without their install scripts.
pub(super) fn npm_packages(files: &[PathBuf], folder: &Path) -> Result<()> {
    ensure!(
        starts("npm"),
        "npm is missing: install Node.js 20 or later with npm (it only fetches Node 24 and the packages)"
    );
    for file in files {
        let name = file.file_name().context("a pinned file has a name")?;
        std::fs::copy(file, folder.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-progress",
        "--loglevel=error",
    ]);
    succeed(npm.current_dir(folder))
}

/// A virtual environment with exactly the packages of a requirements file.
pub(super) fn python_packages(pinned: &Path, folder: &Path) -> Result<()> {
    ensure!(
        starts("python3"),
        "python3 is missing: install Python 3.10 or later with venv"
    );
    succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]);
    succeed(pip.arg("--requirement").arg(pinned))
}

/// A program of Debian's, installed where that is possible. Without it the tests that need it fail and say why.
pub(super) fn debian(package: &str, program: &str) -> Option<PathBuf> {
    let program = PathBuf::from(program);
    if !program.is_file() {
        eprintln!("installing Debian's {package}");
        let apt = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive");
            succeed(&mut command)
        };
        let install = ["install", "-y", "-qq", "--no-install-recommends", package];
        let installed = apt(&["update", "-qq"]).and_then(|()| apt(&install));
        if let Err(error) = installed {
            eprintln!("\nWARNING: no {package}, and it can't be installed: {error:#}");
            eprintln!(
                "WARNING: the tests with it WILL FAIL. Install the package `{package}` as root and run this again.\n"
            );
            return None;
        }
    }
    program.is_file().then_some(program)
}
