//! Redirects that somebody asked for and nobody knows: for the owner to look at (DESIGN §5).
//!
//! In memory and bounded: a flood of registrations leaves nothing behind (CHECKLIST A-065). What is
//! forgotten is asked again when the app registers again.

use std::collections::VecDeque;
use std::net::IpAddr;

use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;
use serde::Serialize;

use crate::limits::network;

/// How many places are remembered.
pub const MOST: usize = 100;
/// How many of them for one network, so that it does not push out everybody else's.
pub const MOST_OF_ONE_NETWORK: usize = 5;

/// The places that registrations asked for and that wait for an approval.
#[derive(Default)]
pub struct AskedRedirects(Mutex<VecDeque<Asked>>);

/// A place that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// As [`RedirectUri::place`](keystile_protocol::redirect::RedirectUri::place) writes it.
    pub place: String,
    /// What the client that asked last calls itself; nobody checked that.
    pub client_name: Option<String>,
    /// From where it was asked last.
    pub peer: IpAddr,
    /// How often, since it was first remembered.
    pub times: u32,
    /// When it was first remembered.
    pub first_at: Timestamp,
    /// When it was asked for last.
    pub last_at: Timestamp,
}

impl AskedRedirects {
    /// Remembers that a client at `peer` asked for a place.
    pub fn remember(&self, place: &str, client_name: Option<&str>, peer: IpAddr, now: Timestamp) {
        let mut asked = self.0.lock();
        let known = asked.iter().position(|known| known.place == place);
        let before = known.and_then(|at| asked.remove(at));
        let same = |other: &Asked| network(other.peer) == network(peer);
        let full = asked.iter().filter(|other| same(other)).count() >= MOST_OF_ONE_NETWORK;
        if before.is_none() && full {
            // The oldest of its own makes room.
            let at = asked.iter().rposition(same);
            at.and_then(|at| asked.remove(at));
        }
        if !weakened("a_065b") {
            asked.truncate(MOST - 1);
        }
        asked.push_front(Asked {
            place: place.to_owned(),
            client_name: client_name.map(str::to_owned),
            peer,
            times: before
                .as_ref()
                .map_or(0, |before| before.times)
                .saturating_add(1),
            first_at: before.map_or(now, |before| before.first_at),
            last_at: now,
        });
    }

    /// The owner decided about a place.
    pub fn forget(&self, place: &str) {
        self.0.lock().retain(|asked| asked.place != place);
    }

    /// What is remembered, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Asked> {
        self.0.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0xC633_0000 + number).into()
    }

    #[test]
    fn what_was_asked_for_is_remembered_once_and_newest_first() {
        let asked = AskedRedirects::default();
        for (place, at) in [
            ("https://a.example", 1),
            ("https://b.example", 2),
            ("https://a.example", 3),
        ] {
            asked.remember(place, Some("An app"), peer(1), Timestamp(at));
        }
        let list = asked.list();
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].place.as_str(), list[0].times),
            ("https://a.example", 2)
        );
        assert_eq!(
            (list[0].first_at, list[0].last_at),
            (Timestamp(1), Timestamp(3))
        );
        asked.forget("https://a.example");
        assert_eq!(asked.list()[0].place, "https://b.example");
    }

    #[test]
    fn a_065_what_was_asked_for_is_bounded() {
        let asked = AskedRedirects::default();
        asked.remember("https://honest.example", None, peer(0), Timestamp(0));
        for number in 0..10_000 {
            let place = format!("https://flood{number}.example");
            asked.remember(&place, None, peer(1), Timestamp(number));
        }
        let list = asked.list();
        assert_eq!(list.len(), 1 + MOST_OF_ONE_NETWORK);
        assert_eq!(list[0].place, "https://flood9999.example");
        assert!(list.iter().any(|one| one.place == "https://honest.example"));
        for number in 0..10_000 {
            let place = format!("https://wide{number}.example");
            asked.remember(&place, None, peer(number), Timestamp(20_000));
        }
        assert_eq!(asked.list().len(), MOST);
    }
}
