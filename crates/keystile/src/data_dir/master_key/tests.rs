use keystile_domain::time::Timestamp;

use super::super::DataDir;
use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn owned(temp: &tempfile::TempDir) -> Owned {
    let dir = DataDir::open(&temp.path().join("new")).unwrap();
    dir.own().unwrap()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_keys_in_the_file_are_replaced_as_a_whole() {
    let temp = tempfile::tempdir().unwrap();
    let owned = owned(&temp);
    let file = owned.master_key_file();
    let first = file.read_or_make().unwrap();
    let second = first.rotated(&SystemRng, NOW, false).unwrap();
    file.replace(&second).unwrap();
    assert_eq!(file.read().unwrap().to_bytes(), second.to_bytes());
    assert_eq!(second.old()[0].key().as_bytes(), first.sealing().as_bytes());
    assert_eq!(mode(&owned.dir().at(MASTER_KEY)), 0o600);
    assert!(!owned.dir().at(NEW).exists());
}

/// A crash can come before the rename, when a part of the new file or all of it stands beside the old
/// one, or after it. Nothing else is written.
#[test]
fn a_crash_at_any_moment_of_a_rotation_leaves_keys_that_work() {
    let temp = tempfile::tempdir().unwrap();
    let owned = owned(&temp);
    let file = owned.master_key_file();
    let first = file.read_or_make().unwrap();
    let second = first.rotated(&SystemRng, NOW, false).unwrap();
    let whole = second.to_bytes();
    for written in 0..=whole.len() {
        // Left by a crash, and readable by others because somebody copied it.
        let new = owned.dir().at(NEW);
        fs::write(&new, &whole[..written]).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        let kept = file.read_or_make().unwrap();
        assert_eq!(kept.to_bytes(), first.to_bytes(), "{written} bytes written");
    }
    file.replace(&second).unwrap();
    assert_eq!(file.read_or_make().unwrap().to_bytes(), whole);
    assert_eq!(mode(&owned.dir().at(MASTER_KEY)), 0o600);
}
