use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn peer(number: u32) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::from_bits(0xC633_0000 + number))
}

fn tries(limits: &Limits, name: &str, now: Timestamp) -> bool {
    limits.attempt(Guess::Password(name), PEER, now).is_ok()
}

#[test]
fn a_160_every_spelling_and_network_shares_one_counter_per_name() {
    let limits = Limits::new();
    let spellings = ["alice", "Alice", "ALICE", " alice "];
    let mut through = 0;
    for number in 0..10_000_u32 {
        let name = spellings[number as usize % spellings.len()];
        let attempt = limits.attempt(Guess::Password(name), peer(number), Timestamp(1_000));
        through += u32::from(attempt.is_ok());
    }
    assert_eq!(through, 10);
}

#[test]
fn one_network_cannot_try_many_names() {
    let limits = Limits::new();
    let through = (0..1_000).filter(|name| tries(&limits, &format!("person {name}"), Timestamp(5)));
    assert_eq!(through.count(), 30);
}

#[test]
fn ipv6_addresses_of_one_subscriber_count_together() {
    let of = |text: &str| network(text.parse().expect("an address"));
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
}

#[test]
fn attempts_come_back_with_time_and_the_wait_says_when() {
    let limits = Limits::new();
    let start = Timestamp(1_000_000);
    for _ in 0..10 {
        assert!(tries(&limits, "alice", start));
    }
    let wanted = |first| TooMany {
        wait: Duration::from_secs(30),
        first,
    };
    let refused = |now| limits.attempt(Guess::Password("alice"), PEER, now).err();
    assert_eq!(refused(start), Some(wanted(true)));
    assert_eq!(refused(start), Some(wanted(false)), "told once");
    let wait = Duration::from_secs(30);
    assert!(!tries(
        &limits,
        "alice",
        start.plus(Duration::from_secs(29))
    ));
    assert!(tries(&limits, "alice", start.plus(wait)));
}

#[test]
fn a_060_one_network_makes_a_bounded_number_of_fetches() {
    let limits = Limits::new();
    let start = Timestamp(1_000_000);
    let through = (0..10_000).filter(|_| limits.fetch_document(PEER, start).is_ok());
    assert_eq!(through.count(), 20);
    assert!(limits.fetch_document(peer(1), start).is_ok(), "a neighbour");
    let wait = limits.fetch_document(PEER, start).expect_err("too many");
    assert_eq!(wait, Duration::from_secs(6));
    assert!(limits.fetch_document(PEER, start.plus(wait)).is_ok());
    assert!(tries(&limits, "alice", start), "guesses are counted apart");
}

#[test]
fn right_passwords_never_count() {
    let limits = Limits::new();
    for _ in 0..1_000 {
        let attempt = limits.attempt(Guess::Password("alice"), PEER, Timestamp(7));
        attempt
            .unwrap_or_else(|wait| panic!("limited for {wait:?}"))
            .settle();
    }
}

#[test]
fn a_refused_attempt_costs_the_network_nothing() {
    let limits = Limits::new();
    for _ in 0..200 {
        let _ = limits
            .attempt(Guess::Password("alice"), PEER, Timestamp(7))
            .map(drop);
    }
    assert!(tries(&limits, "bob", Timestamp(7)));
}

#[test]
fn a_065_one_network_registers_a_bounded_number_of_clients() {
    let limits = Limits::new();
    let start = Timestamp(1_000_000);
    let asks = |peer| limits.request(Endpoint::Register, peer, start);
    let through = (0..10_000).filter(|_| asks(PEER).map(Request::answered).is_ok());
    assert_eq!(through.count(), 120);
    assert!(asks(peer(1)).is_ok(), "a neighbour");
    let wait = asks(PEER).err().expect("too many");
    assert_eq!(wait, Duration::from_millis(500));
    assert!(limits.request(Endpoint::Authorize, PEER, start).is_ok());
    assert!(tries(&limits, "alice", start), "guesses are counted apart");
}

#[test]
fn requests_for_tokens_are_cheap_when_they_are_answered() {
    let limits = Limits::new();
    let start = Timestamp(1_000_000);
    let asks = |now| limits.request(Endpoint::Token, PEER, now);
    for _ in 0..5_000 {
        asks(start)
            .map_err(|wait| panic!("{wait:?}"))
            .map(Request::answered)
            .ok();
    }
    let refused = (0..1_000).filter(|_| asks(start).is_ok()).count();
    assert!((245..=255).contains(&refused), "{refused}");
    assert!(asks(start).is_err());
    let later = start.plus(Duration::from_secs(1));
    assert_eq!((0..1_000).filter(|_| asks(later).is_ok()).count(), 50);
}
