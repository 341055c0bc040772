//! Which process listens on an address: read from `/proc` (Linux).

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// A process that holds a port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub(crate) pid: u32,
    /// Its name, as `/proc/PID/comm` has it.
    pub(crate) name: String,
}

/// The process that listens on this address, if this user can see it.
#[must_use]
pub(crate) fn of(address: SocketAddr) -> Option<Holder> {
    let inode = listening_inode("/proc/net/tcp", address)
        .or_else(|| listening_inode("/proc/net/tcp6", address))?;
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files
            .find(|file| fs::read_link(file.path()).is_ok_and(|link| link == Path::new(&wanted)))?;
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        Some(Holder {
            pid,
            name: name.trim().to_owned(),
        })
    })
}

/// The inode of the listening socket, from a table of `proc_net_tcp(5)`.
fn listening_inode(table: &str, address: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let text = fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (host, port) = fields.get(1)?.split_once(':')?;
        let here =
            u16::from_str_radix(port, 16).ok()? == address.port() && covers(host, address.ip());
        (here && *fields.get(3)? == LISTEN).then(|| fields.get(9)?.parse().ok())?
    })
}

/// Whether a bound address (hexadecimal, words in host order) takes this one: equal, or a wildcard.
fn covers(host: &str, ip: IpAddr) -> bool {
    if host.bytes().all(|byte| byte == b'0') {
        return true;
    }
    let words: Vec<u8> = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let hex: String = words
        .chunks(4)
        .filter_map(|word| Some(format!("{:08X}", u32::from_le_bytes(word.try_into().ok()?))))
        .collect();
    host == hex
}
