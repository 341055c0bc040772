//! Segment files: `audit-00000001.jsonl` and so on, and finding the end of the last one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::AuditOpenError;
use super::line::{Chain, GENESIS, Note, hash};

/// A segment that is open for appending.
pub(super) struct SegmentFile {
    pub(super) file: Arc<File>,
    pub(super) number: u64,
    /// Bytes of whole lines.
    pub(super) size: u64,
}

impl SegmentFile {
    pub(super) fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(segment_path(folder, number))?;
        Ok(Self {
            file: Arc::new(file),
            number,
            size: 0,
        })
    }
}

/// Where a trail goes on.
pub(super) struct End {
    pub(super) file: SegmentFile,
    pub(super) chain: Chain,
    /// What was cut off.
    pub(super) torn: Option<Note>,
}

/// The members of a line that the chain needs.
#[derive(Deserialize)]
pub(super) struct Link<'a> {
    pub(super) seq: u64,
    pub(super) prev: &'a str,
    pub(super) kind: &'a str,
}

/// Opens the last segment at its last whole line, or the first one of a new trail.
pub(super) fn open_last(folder: &Path) -> Result<End, AuditOpenError> {
    let unwritable = |source| AuditOpenError::Unwritable {
        path: folder.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unwritable)?;
    let numbers = segment_numbers(folder).map_err(unwritable)?;
    let Some((&last, earlier)) = numbers.split_last() else {
        let file = SegmentFile::create(folder, 1).map_err(unwritable)?;
        return Ok(End {
            file,
            chain: Chain::new(1, GENESIS),
            torn: None,
        });
    };
    let path = segment_path(folder, last);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(&path)
        .map_err(unwritable)?;
    let tail = read_tail(&mut file).map_err(unwritable)?;
    if tail.chain.is_none() && tail.rest >= FIRST_LINE {
        return Err(AuditOpenError::Foreign { path });
    }
    let torn = move_aside(folder, last, &mut file, &tail).map_err(unwritable)?;
    let chain = match (tail.chain, earlier.last()) {
        (Some(chain), _) => chain,
        // It was cut off in its first line: the chain goes on from the segment before it.
        (None, Some(&before)) => {
            let path = segment_path(folder, before);
            let mut file = File::open(&path).map_err(unwritable)?;
            let tail = read_tail(&mut file).map_err(unwritable)?;
            tail.chain.ok_or(AuditOpenError::Foreign { path })?
        }
        (None, None) => Chain::new(1, GENESIS),
    };
    let file = SegmentFile {
        file: Arc::new(file),
        number: last,
        size: tail.whole,
    };
    Ok(End { file, chain, torn })
}

/// The end of a segment.
struct Tail {
    /// After its last whole line, if there is one.
    chain: Option<Chain>,
    /// Bytes up to there.
    whole: u64,
    /// Bytes behind.
    rest: u64,
}

/// Looks backwards for the last line that is whole: ends with a line feed and is a link of a chain.
fn read_tail(file: &mut File) -> io::Result<Tail> {
    let size = file.metadata()?.len();
    for window in [TAIL_WINDOW, size] {
        let start = size.saturating_sub(window);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(size - start).read_to_end(&mut bytes)?;
        let mut end = bytes.len();
        while let Some(feed) = bytes
            .get(..end)
            .and_then(|head| head.iter().rposition(|b| *b == b'\n'))
        {
            let head = bytes.get(..feed).unwrap_or_default();
            let begin = head
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1);
            let line = head.get(begin..).unwrap_or_default();
            // The first line of a window may have lost its beginning.
            let uncut = begin > 0 || start == 0;
            if let (true, Ok(link)) = (uncut, serde_json::from_slice::<Link<'_>>(line)) {
                let whole = start + feed as u64 + 1;
                let chain = Some(Chain::new(link.seq + 1, hash(line)));
                return Ok(Tail {
                    chain,
                    whole,
                    rest: size - whole,
                });
            }
            end = begin;
        }
        if start == 0 {
            break;
        }
    }
    Ok(Tail {
        chain: None,
        whole: 0,
        rest: size,
    })
}

/// Keeps what a crash left half-written beside the segment and cuts it off.
fn move_aside(
    folder: &Path,
    number: u64,
    file: &mut File,
    tail: &Tail,
) -> io::Result<Option<Note>> {
    if tail.rest == 0 {
        return Ok(None);
    }
    let name = format!("audit-{number:08}.torn-at-{}", tail.whole);
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(tail.whole))?;
    file.read_to_end(&mut torn)?;
    let mut aside = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join(&name))?;
    aside.write_all(&torn)?;
    aside.sync_all()?;
    file.set_len(tail.whole)?;
    Ok(Some(Note {
        word: "torn_line",
        bytes: tail.rest,
        kept_in: name,
    }))
}

/// The numbers of all segments, in order.
pub(super) fn segment_numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            name.strip_prefix("audit-")?
                .strip_suffix(".jsonl")?
                .parse::<u64>()
                .ok()
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:08}.jsonl"))
}

/// A new file is only durable with its folder.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// More than the longest line.
const TAIL_WINDOW: u64 = 256 * 1024;
/// A half-written first line is shorter than this; anything longer is no trail of ours.
const FIRST_LINE: u64 = 512;
