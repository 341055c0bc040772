use super::*;

#[test]
fn a_directory_that_others_can_read_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = DataDir::open(temp.path()).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.exit),
        ("data_dir_open_to_others", 78)
    );
}

#[test]
fn one_process_owns_a_directory() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(&temp.path().join("new")).unwrap();
    let owned = dir.own().unwrap();
    let refused = dir.own().unwrap_err();
    assert_eq!(refused.code, "data_dir_in_use");
    assert!(refused.message.contains(&std::process::id().to_string()));
    drop(owned);
    dir.own().unwrap();
}

#[test]
fn an_owner_that_does_not_keep_a_new_directory_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::open(&temp.path().join("a/b")).unwrap();
    let owned = dir.own().unwrap();
    owned.master_key_file().read_or_make().unwrap();
    fs::create_dir(dir.at("audit")).unwrap();
    fs::write(dir.at("keystile.db-wal"), b"").unwrap();
    drop(owned);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);

    let mut owned = dir.own().unwrap();
    owned.master_key_file().read_or_make().unwrap();
    owned.keep();
    drop(owned);
    // Now it is an installation, and no owner takes it away.
    drop(dir.own().unwrap());
    assert!(dir.at("master.key").exists());

    // Nor what somebody else put there.
    fs::remove_file(dir.at("master.key")).unwrap();
    fs::write(dir.at("keystile.db"), b"theirs").unwrap();
    drop(dir.own().unwrap());
    assert!(dir.at("keystile.db").exists());
}

#[test]
fn a_163_the_key_is_made_once_private_and_a_lost_one_is_never_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let owned = DataDir::open(&temp.path().join("new"))
        .unwrap()
        .own()
        .unwrap();
    let key = || owned.master_key_file().read_or_make();
    let first = key().unwrap().to_bytes();
    assert_eq!(key().unwrap().to_bytes(), first);
    let path = owned.dir().at("master.key");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::write(owned.dir().at("keystile.db"), b"").unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        owned.master_key_file().read_or_make().err().unwrap().code,
        "master_key_missing"
    );
    fs::write(&path, [b'k'; 32]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        owned.master_key_file().read_or_make().err().unwrap().code,
        "master_key_bad"
    );
}
