//! Lists this project's own Markdown, so that the sample server has something to search without being given a folder.
//!
//! Whatever is there at build time goes in: a checkout without some of these files still builds.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> std::io::Result<()> {
    // Not `env!`: a target folder that two clones share would keep the first one's path.
    let root = variable("CARGO_MANIFEST_DIR")
        .join("../..")
        .canonicalize()?;
    let mut found = Vec::new();
    found.extend(SINGLE.map(PathBuf::from));
    walk(&root, Path::new("docs"), &mut found)?;
    found.retain(|path| fs::read_to_string(root.join(path)).is_ok());
    found.sort();
    // Only what is there: naming a missing file would build this crate anew each time.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.join("docs").display());
    for path in &found {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }

    let mut list = String::from("&[\n");
    for path in &found {
        let name = path.to_string_lossy().replace('\\', "/");
        let file = root.join(path);
        writeln!(list, "    ({name:?}, include_str!({file:?})),")
            .expect("writing to a String never fails");
    }
    list.push_str("]\n");

    fs::write(variable("OUT_DIR").join("corpus.rs"), list)
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders this way"
)]
fn variable(name: &str) -> PathBuf {
    std::env::var_os(name).expect("cargo sets it").into()
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

const SINGLE: [&str; 6] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "examples/knowledge-base/README.md",
];
