//! Where the documents come from: this project's own Markdown, or a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::Error;

/// A source of documents, read again whenever its stamps no longer match the index.
#[derive(Debug, Clone)]
pub(crate) enum Corpus {
    /// What `build.rs` found.
    Embedded,
    /// A folder, by its canonical path.
    Folder(PathBuf),
}

/// A document that exists, without its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    /// Relative to the corpus, with `/` on every system; never leaves it.
    pub(crate) path: String,
    /// Changes whenever the text may have changed.
    pub(crate) stamp: String,
}

/// A document's text, or why there is none.
pub(crate) type Text = Result<String, String>;

impl Corpus {
    /// Checks the folder once, at start, so that a typing mistake is said then and not at the first search.
    ///
    /// # Errors
    /// [`Error::Folder`] if it is missing, no folder, or not readable.
    pub(crate) fn open(folder: Option<PathBuf>) -> Result<Self, Error> {
        let Some(folder) = folder else {
            return Ok(Self::Embedded);
        };
        let refuse = |problem: String| Error::Folder {
            path: folder.clone(),
            problem,
        };
        let path = folder
            .canonicalize()
            .map_err(|error| refuse(error.to_string()))?;
        if !path.is_dir() {
            return Err(refuse(
                "it is a file, and a folder of .md files was expected".to_owned(),
            ));
        }
        fs::read_dir(&path).map_err(|error| refuse(error.to_string()))?;
        Ok(Self::Folder(path))
    }

    /// The key under which the index keeps this corpus, so that several can share one state folder.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Embedded => "embedded".to_owned(),
            Self::Folder(path) => format!("folder:{}", path.display()),
        }
    }

    /// All documents, sorted by path. Looks at names, sizes and times only: cheap enough for every request.
    ///
    /// # Errors
    /// [`Error::Folder`] if the folder is gone or holds more than [`DOCUMENTS_MAX`] documents.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = match self {
            Self::Embedded => EMBEDDED
                .iter()
                .map(|(path, text)| Listed {
                    path: (*path).to_owned(),
                    stamp: digest(text),
                })
                .collect(),
            Self::Folder(root) => {
                let mut listed = Vec::new();
                walk(root, &mut Vec::new(), &mut listed).map_err(|problem| Error::Folder {
                    path: root.clone(),
                    problem,
                })?;
                listed
            }
        };
        listed.sort_unstable();
        Ok(listed)
    }

    /// The text of a listed document. `path` must come from [`Corpus::list`], never from a client.
    pub(crate) fn text(&self, path: &str) -> Text {
        match self {
            Self::Embedded => EMBEDDED
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| "it is not in this build".to_owned()),
            Self::Folder(root) => read(&root.join(path)),
        }
    }
}

/// The first heading, or else the file's name.
pub(crate) fn title<'a>(path: &'a str, text: &'a str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix("# "))
        .map(str::trim)
        .filter(|heading| !heading.is_empty())
        .unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path))
}

fn read(file: &Path) -> Text {
    let size = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > DOCUMENT_BYTES_MAX {
        return Err(format!(
            "it has {size} bytes, and at most {DOCUMENT_BYTES_MAX} are indexed"
        ));
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 (first wrong byte at offset {at}); save it as UTF-8")
    })
}

/// Symbolic links are not followed, so that nothing outside of the folder is served; names with a leading dot are
/// skipped, so that `.git` and editors' files are not.
fn walk(root: &Path, inside: &mut Vec<String>, listed: &mut Vec<Listed>) -> Result<(), String> {
    if inside.len() > DEPTH_MAX {
        return Err(format!(
            "{} lies deeper than {DEPTH_MAX} folders",
            inside.join("/")
        ));
    }
    let folder = inside
        .iter()
        .fold(root.to_owned(), |folder, name| folder.join(name));
    for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        if name.starts_with('.') {
            continue;
        }
        inside.push(name);
        if kind.is_dir() {
            walk(root, inside, listed)?;
        } else if kind.is_file() && is_markdown(&entry.path()) {
            // A file that went away since it was listed is simply not there.
            if let Ok(metadata) = entry.metadata() {
                listed.push(Listed {
                    path: inside.join("/"),
                    stamp: stamp(&metadata),
                });
            }
        }
        inside.pop();
        if listed.len() > DOCUMENTS_MAX {
            return Err(format!("it holds more than {DOCUMENTS_MAX} Markdown files"));
        }
    }
    Ok(())
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
    })
}

/// Size and time of last change in nanoseconds; a clock before 1970 counts as 1970.
fn stamp(metadata: &fs::Metadata) -> String {
    let nanos = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    format!("{}-{nanos}", metadata.len())
}

fn digest(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// More is another kind of tool; the walk runs before every answer.
const DOCUMENTS_MAX: usize = 5_000;
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_the_first_heading_or_the_file_name() {
        assert_eq!(
            title("a/b.md", "text\n\n# The heading \n## no"),
            "The heading"
        );
        assert_eq!(title("a/b.md", "no heading\n# \n"), "b.md");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_hidden_files_are_not_served() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.md"), "# secret").unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("deep/er")).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(folder.path().join(".git/x.md"), "x").unwrap();
        fs::write(folder.path().join("deep/er/a.MD"), "a").unwrap();
        fs::write(folder.path().join("b.txt"), "b").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.md"), folder.path().join("l.md"))
            .unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("dir")).unwrap();
        let corpus = Corpus::open(Some(folder.path().to_owned())).unwrap();
        let paths: Vec<_> = corpus
            .list()
            .unwrap()
            .into_iter()
            .map(|found| found.path)
            .collect();
        assert_eq!(paths, ["deep/er/a.MD"]);
    }

    #[test]
    fn a_folder_that_is_missing_or_a_file_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.md");
        fs::write(&file, "a").unwrap();
        let missing = Corpus::open(Some(folder.path().join("nope")))
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains("nope") && missing.contains("No such file"),
            "{missing}"
        );
        let not_a_folder = Corpus::open(Some(file)).unwrap_err().to_string();
        assert!(not_a_folder.contains("it is a file"), "{not_a_folder}");
    }

    #[test]
    fn a_file_that_is_not_utf8_says_where() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("latin1.md"), b"caf\xe9").unwrap();
        let corpus = Corpus::open(Some(folder.path().to_owned())).unwrap();
        let problem = corpus.text("latin1.md").unwrap_err();
        assert!(
            problem.contains("not UTF-8") && problem.contains("offset 3"),
            "{problem}"
        );
    }
}
