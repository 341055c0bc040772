//! Whether a trail is whole: nothing altered, removed from the middle, or reordered.
//!
//! What the chain alone can't show is that its end was cut off; signed checkpoints are for that.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::line::{GENESIS, LineHash, hash};
use super::segment::{Link, segment_numbers, segment_path};

/// A whole trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Sequence number of the first line: 1, unless old segments were taken away.
    pub first: u64,
    /// Sequence number of the last line; 0 in an empty trail.
    pub last: u64,
    /// How many segments there are.
    pub segments: usize,
}

/// Where a trail is broken.
#[derive(Debug, Error)]
pub enum Broken {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no link of the chain.
    #[error("{path} line {line}: {why}")]
    Line {
        /// The segment.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A segment is missing between two others.
    #[error("segment {0} is missing")]
    Missing(u64),
}

/// Reads the whole trail in this folder.
///
/// # Errors
/// [`Broken`] at the first line that does not fit.
pub fn verify(folder: &Path) -> Result<Verified, Broken> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Broken::Unreadable { path, source }
    };
    let numbers = segment_numbers(folder).map_err(unreadable(folder))?;
    let mut walk = Walk {
        first: None,
        expected: None,
    };
    let mut before = None;
    for &number in &numbers {
        if let Some(missing) = before
            .map(|before| before + 1)
            .filter(|next| *next != number)
        {
            return Err(Broken::Missing(missing));
        }
        before = Some(number);
        let path = segment_path(folder, number);
        let file = File::open(&path).map_err(unreadable(&path))?;
        let mut reader = BufReader::new(file);
        let mut bytes = Vec::new();
        let mut line = 0;
        while reader
            .read_until(b'\n', &mut bytes)
            .map_err(unreadable(&path))?
            > 0
        {
            line += 1;
            walk.step(number, line, &bytes)
                .map_err(|why| Broken::Line {
                    path: path.clone(),
                    line,
                    why,
                })?;
            bytes.clear();
        }
    }
    let last = walk.expected.map_or(0, |(next, _)| next - 1);
    Ok(Verified {
        first: walk.first.unwrap_or(0),
        last,
        segments: numbers.len(),
    })
}

struct Walk {
    first: Option<u64>,
    /// Sequence number and `prev` of the next line.
    expected: Option<(u64, LineHash)>,
}

impl Walk {
    fn step(&mut self, segment: u64, line: u64, bytes: &[u8]) -> Result<(), &'static str> {
        let text = bytes.strip_suffix(b"\n").ok_or("the line is not whole")?;
        let link: Link<'_> =
            serde_json::from_slice(text).map_err(|_| "it is no line of a trail")?;
        if (line == 1) != (link.kind == "segment") {
            return Err("a segment begins with its head, and only there is one");
        }
        match &self.expected {
            Some((seq, _)) if link.seq != *seq => return Err("lines are missing or out of order"),
            Some((_, prev)) if link.prev.as_bytes() != prev => {
                return Err("the line before it was altered");
            }
            None if segment == 1 && (link.seq != 1 || link.prev.as_bytes() != GENESIS) => {
                return Err("the trail does not begin at its beginning");
            }
            _ => {}
        }
        self.first.get_or_insert(link.seq);
        self.expected = Some((link.seq + 1, hash(text)));
        Ok(())
    }
}
