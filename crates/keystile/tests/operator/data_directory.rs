//! A data directory that can't be used, or not by this one; keys and a database that are not what they were.

use std::fs;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use super::fake_server::dead;
use super::http::Request;
use super::installation::{Failed, Installation, bare, mode, set_mode};
use super::program::Program;
use super::{NAME, PASSWORD};

fn protect(data: &str) -> Vec<String> {
    let words = [
        "--data-dir",
        data,
        "protect",
        "--port",
        "0",
        "http://127.0.0.1:1/mcp",
    ];
    words.map(str::to_owned).to_vec()
}

#[test]
fn a_data_directory_that_can_not_be_written_is_said() {
    let installation = Installation::new();
    // Not even root can make a folder there.
    let failed = installation.failure(&protect("/proc/keystile"));
    failed
        .is(78, "data_dir_unwritable")
        .says("/proc/keystile")
        .advises("--data-dir");
    let file = installation.beside("file");
    fs::write(&file, "mine").expect("it can be written");
    let failed = installation.failure(&protect(file.to_str().expect("a plain path")));
    failed
        .is(78, "data_dir_not_a_directory")
        .advises("--data-dir");
    assert_eq!(fs::read(&file).expect("it is there"), b"mine");
}

#[test]
fn a_data_directory_that_others_can_read_is_refused_until_it_is_private() {
    let installation = Installation::new();
    fs::create_dir(installation.data()).expect("the folder beside it exists");
    for open in [0o755, 0o750, 0o701] {
        set_mode(&installation.data(), open);
        let failed = installation.failure(&["protect", "--port", "0", &dead()]);
        failed
            .is(78, "data_dir_open_to_others")
            .advises("chmod 700");
        installation
            .failure(&["user", "setup-link"])
            .is(78, "data_dir_open_to_others");
        assert!(installation.files().is_empty());
    }
    set_mode(&installation.data(), 0o700);
    installation.add_user(NAME, PASSWORD);
}

#[test]
fn a_data_directory_of_somebody_else_is_refused() {
    let installation = Installation::new();
    let foreign = match geteuid().is_root() {
        false => "/usr".to_owned(),
        true => {
            let folder = installation.beside("foreign");
            fs::create_dir(&folder).expect("the folder beside it exists");
            std::os::unix::fs::chown(&folder, Some(65534), None).expect("root may");
            folder.to_str().expect("a plain path").to_owned()
        }
    };
    let failed = installation.failure(&protect(&foreign));
    failed.is(78, "data_dir_foreign").advises("--data-dir");
}

/// `keystile --json ARGUMENTS`, stopped by permissions even if root runs it (capabilities(7)).
fn without_privileges(installation: &Installation, words: &[&str]) -> Failed {
    let command = installation.command(&[&["--json"], words].concat());
    let drop = "-dac_override,-dac_read_search";
    let mut wrapped = match geteuid().is_root() {
        true => Command::new("setpriv"),
        false => Command::new("env"),
    };
    if geteuid().is_root() {
        wrapped.args(["--bounding-set", drop, "--inh-caps", drop]);
    }
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    Failed::read(&Program::start(&mut wrapped, "").wait())
}

#[test]
fn what_is_there_but_not_for_this_user_is_not_called_missing() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let list = |code: &str| {
        let failed = without_privileges(&installation, &["user", "list"]);
        failed
            .is(78, code)
            .says("Permission denied")
            .advises("run this as the user");
    };
    let data = installation.data();
    let above = data.parent().expect("it is in a folder");
    for folder in [data.as_path(), above] {
        set_mode(folder, 0o000);
        list("data_dir_unreadable");
        set_mode(folder, 0o700);
    }
    let gate = installation.serve(&["protect", "--name", "notes", &dead()]);
    set_mode(&data.join("control.sock"), 0o000);
    list("control_socket_denied");
    gate.stop();
    assert_eq!(installation.answer(&["user", "list"])[0]["name"], NAME);
}

#[test]
fn without_a_home_the_data_directory_has_to_be_named() {
    let words = ["--json", "protect", "--port", "0", "http://127.0.0.1:1/mcp"];
    let ended = Program::start(&mut bare(&words), "").wait();
    assert_eq!(ended.status.code(), Some(78));
    assert!(ended.stderr.contains("no_data_dir"), "{}", ended.stderr);
}

#[test]
fn a_second_process_is_told_who_has_the_directory_and_disturbs_nobody() {
    let installation = Installation::new();
    let first = installation.serve(&["protect", "--name", "notes", &dead()]);
    let failed = installation.failure(&["protect", "--port", "0", "--name", "notes", &dead()]);
    failed
        .is(1, "data_dir_in_use")
        .says(&format!("process {}", first.program.pid()))
        .advises("--data-dir");
    assert_eq!(Request::get("/").send(first.port).status, 200);
    installation.answer(&["user", "list"]);
    // Not even a kill leaves the directory locked.
    let mut killed = first.program;
    killed.signal(Signal::KILL);
    killed.wait();
    installation.answer(&["user", "list"]);
}

#[test]
fn everything_in_the_directory_is_private() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["demo"]);
    assert_eq!(mode(&installation.data()), 0o700);
    assert_eq!(mode(&installation.data().join("audit")), 0o700);
    let files = installation.files();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
    gate.stop();
}

#[test]
fn a_163_every_installation_makes_its_own_key_and_takes_no_sample_one() {
    let (one, two) = (Installation::new(), Installation::new());
    let key = |installation: &Installation| {
        installation.add_user(NAME, PASSWORD);
        let path = installation.data().join("master.key");
        assert_eq!(mode(&path), 0o600);
        fs::read(path).expect("it was made")
    };
    let (first, second) = (key(&one), key(&two));
    assert_eq!((first.len(), second.len()), (32, 32));
    assert_ne!(first, second);

    let samples: [&[u8]; 5] = [
        &[0; 32],
        &[0xff; 32],
        b"secret-api-key-secret-api-key-00",
        b"0123456789abcdef0123456789abcdef",
        b"changeme",
    ];
    for sample in samples {
        let fresh = Installation::new();
        fs::create_dir(fresh.data()).expect("the folder beside it exists");
        set_mode(&fresh.data(), 0o700);
        let path = fresh.data().join("master.key");
        fs::write(&path, sample).expect("it can be written");
        set_mode(&path, 0o600);
        let failed = fresh.failure(&["protect", "--port", "0", &dead()]);
        failed.is(78, "master_key_bad").says("32 random bytes");
        assert_eq!(
            fs::read(&path).expect("it is there"),
            sample,
            "never replaced"
        );
        assert!(!fresh.data().join("keystile.db").exists());
    }
}

#[test]
fn a_master_key_that_is_lost_or_open_to_others_is_said_and_never_replaced() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let path = installation.data().join("master.key");
    let key = fs::read(&path).expect("it was made");

    set_mode(&path, 0o644);
    let failed = installation.failure(&["user", "list"]);
    failed
        .is(78, "master_key_open_to_others")
        .advises("chmod 600");
    set_mode(&path, 0o600);

    fs::write(&path, &key[..31]).expect("it is ours");
    let failed = installation.failure(&["protect", "--port", "0", &dead()]);
    failed
        .is(78, "master_key_bad")
        .says("31")
        .advises("put back");

    fs::remove_file(&path).expect("it is ours");
    let failed = installation.failure(&["protect", "--port", "0", &dead()]);
    failed
        .is(78, "master_key_missing")
        .says("is missing")
        .advises("put the file back");
    assert!(!path.exists(), "never replaced");

    fs::write(&path, &key).expect("it is ours");
    set_mode(&path, 0o600);
    let people = installation.answer(&["user", "list"]);
    assert_eq!(people[0]["name"], NAME);
}

#[test]
fn the_key_of_another_installation_is_noticed() {
    let (one, two) = (Installation::new(), Installation::new());
    one.serve(&["protect", "--name", "notes", &dead()]).stop();
    two.add_user(NAME, PASSWORD);
    let key = fs::read(two.data().join("master.key")).expect("it was made");
    fs::write(one.data().join("master.key"), key).expect("it is ours");
    let failed = one.failure(&["protect", "--port", "0", "--name", "notes", &dead()]);
    failed.is(78, "signing_key").advises("master.key");
}

#[test]
fn a_damaged_database_is_said_and_left_as_it_is() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let path = installation.data().join("keystile.db");
    let good = fs::read(&path).expect("it was made");
    let mut bad = good.clone();
    bad[..16].copy_from_slice(b"not SQLite at al");
    fs::write(&path, &bad).expect("it is ours");
    for words in [
        &["protect", "--port", "0", "http://127.0.0.1:1/mcp"][..],
        &["user", "list"],
    ] {
        let failed = installation.failure(words);
        failed
            .is(78, "database")
            .says("keystile.db")
            .says("no intact database");
    }
    assert_eq!(fs::read(&path).expect("it is there"), bad);
    fs::write(&path, good).expect("it is ours");
    assert_eq!(installation.answer(&["user", "list"])[0]["name"], NAME);
}

#[test]
fn an_audit_trail_that_can_not_be_written_keeps_it_from_starting() {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let audit = installation.data().join("audit");
    fs::rename(&audit, installation.data().join("audit.away")).expect("it is ours");
    fs::write(&audit, "").expect("it is ours");
    let failed = installation.failure(&["protect", "--port", "0", &dead()]);
    failed.is(78, "audit").says("audit trail");
    fs::remove_file(&audit).expect("it is ours");
    fs::rename(installation.data().join("audit.away"), &audit).expect("it is ours");
    installation.answer(&["user", "list"]);
}
