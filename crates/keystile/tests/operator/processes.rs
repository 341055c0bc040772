//! Which processes there are, and that they end.

use std::fs;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The processes that this one started, and those that they started.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let tasks = fs::read_dir(format!("/proc/{of}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
        {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

/// Waits until none of these is left; one that stays is an orphan.
pub(crate) fn wait_for_the_end_of(processes: &[u32]) {
    for process in processes {
        let pid = Pid::from_raw(i32::try_from(*process).expect("a process id")).expect("not 0");
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => continue,
            Err(error) => panic!("can't watch process {process}: {error}"),
        };
        let mut watched = [PollFd::new(&handle, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 30,
            tv_nsec: 0,
        };
        let ended = poll(&mut watched, Some(&limit)).expect("a pidfd can be polled");
        let command = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        assert_eq!(ended, 1, "an orphan: {process} {command}");
    }
}
