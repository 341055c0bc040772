//! The page that the table stands on.

use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- The table is written by `cargo xtask generate --matrix`, from what the real clients saw. -->\n";
const END: &str = "<!-- The end of the table. -->\n";

/// `docs/compatibility.md`.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    pub(crate) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
        let text = std::fs::read_to_string(&path).expect("the page is in the repository");
        Self { path, text }
    }

    /// What stands between the two marks.
    pub(crate) fn table(&self) -> &str {
        self.parts().1
    }

    /// Puts another table there.
    pub(crate) fn write(&self, table: &str) {
        let (before, _, after) = self.parts();
        std::fs::write(&self.path, [before, table, after].concat())
            .expect("the page can be written");
    }

    fn parts(&self) -> (&str, &str, &str) {
        let marks = (self.text.find(BEGIN), self.text.find(END));
        let (Some(begin), Some(end)) = marks else {
            panic!("{} has lost the marks of the table", self.path.display());
        };
        let (before, rest) = self.text.split_at(begin + BEGIN.len());
        let (table, after) = rest.split_at(end - before.len());
        (before, table, after)
    }
}
