//! No child process outlives the gate.

use std::fs::read_dir;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Waits for the end of every process that has `mark` on its command line; one that doesn't end is an orphan.
pub(crate) fn wait_for_no_process_with(mark: &str) {
    for (pid, command) in processes_with(mark) {
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => continue,
            Err(error) => panic!("can't watch process {command}: {error}"),
        };
        let mut watched = [PollFd::new(&handle, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        };
        let ended = poll(&mut watched, Some(&limit)).expect("a pidfd can be polled");
        assert_eq!(ended, 1, "still there after the gate has ended: {command}");
    }
}

fn processes_with(mark: &str) -> Vec<(Pid, String)> {
    let entries = read_dir("/proc").expect("there is a /proc");
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter_map(|number| {
            let command = std::fs::read(format!("/proc/{number}/cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            Some((Pid::from_raw(number)?, command))
        })
        .filter(|(_, command)| command.contains(mark))
        .collect()
}
