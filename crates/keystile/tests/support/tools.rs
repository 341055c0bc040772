//! Where the real clients, servers and browser are: what `cargo xtask tools` wrote.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The contents of `tools.json`.
pub(crate) struct Tools(Value);

impl Tools {
    /// Reads `$KEYSTILE_TOOLS`, or the file in the cache.
    pub(crate) fn find() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test run itself is told by its environment"
        )]
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let file = variable("KEYSTILE_TOOLS")
            .or_else(|| Some(variable("KEYSTILE_CACHE")?.join("tools/tools.json")))
            .or_else(|| Some(variable("HOME")?.join(".cache/keystile/tools/tools.json")))
            .expect("HOME or KEYSTILE_TOOLS is set");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run `cargo xtask test`, which installs the tools",
                file.display()
            )
        });
        Self(serde_json::from_str(&text).expect("tools.json is JSON"))
    }

    /// A tool by its name in `tools.json`; it must be there.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.0[name].as_str().map(PathBuf::from);
        path.filter(|path| path.exists()).unwrap_or_else(|| {
            panic!("the tool `{name}` is missing: run `cargo xtask tools` and read what it says")
        })
    }
}

/// A file of `conformance/`.
pub(crate) fn conformance(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
    root.join(path)
        .canonicalize()
        .unwrap_or_else(|error| panic!("conformance/{path}: {error}"))
}
