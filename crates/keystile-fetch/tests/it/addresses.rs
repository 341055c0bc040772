//! Where a connection may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystile_fetch::{Allow, FetchError, FetchOptions, Fetched, Fetcher, Get};
use tokio::net::TcpListener;
use url::Url;

use crate::names::Names;
use crate::{Hostile, fetcher, impatient, names};

fn get(url: &Url) -> Get<'_> {
    Get {
        url,
        accept: "application/json",
        max_bytes: 5120,
        if_none_match: None,
    }
}

fn strict(names: &Arc<Names>) -> Fetcher {
    let resolver = Some(Arc::clone(names) as _);
    let options = FetchOptions {
        resolver,
        limits: impatient(),
        ..FetchOptions::default()
    };
    Fetcher::new(options).expect("a fetcher")
}

/// Every way to write an address that is not on the public internet.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let (low16, low24) = (bits & 0xffff, bits & 0x00ff_ffff);
    let (high, low) = (bits >> 16, bits & 0xffff);
    let wide: String = address
        .to_string()
        .chars()
        .map(|c| match c {
            '.' => '\u{ff0e}',
            digit => char::from_u32(u32::from(digit) - 0x30 + 0xff10).expect("a digit"),
        })
        .collect();
    vec![
        format!("{address}"),
        format!("{address}."),
        format!("{bits}"),
        format!("{bits:#x}"),
        format!("0X{bits:X}"),
        format!("0{bits:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0{a:o}.{b:#x}.{c}.{d}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{low24}"),
        format!("{a:#x}.{low24:#x}"),
        format!(
            "%3{}{}",
            a.to_string().split_at(1).0,
            &address.to_string()[1..]
        ),
        wide,
        format!("[::ffff:{address}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:FFFF:{high:x}:{low:x}]"),
        format!("[::{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2a00:1450::5efe:{high:x}:{low:x}]"),
    ]
}

#[tokio::test]
async fn a_051_an_address_is_judged_however_it_is_written() {
    let inside = [
        Ipv4Addr::new(127, 0, 0, 1),
        Ipv4Addr::new(127, 1, 2, 3),
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::new(192, 168, 1, 1),
        Ipv4Addr::new(172, 16, 0, 1),
        Ipv4Addr::new(100, 64, 0, 1),
    ];
    let mut hosts: Vec<String> = inside.into_iter().flat_map(spellings).collect();
    let rest = [
        "0",
        "0.0.0.0",
        "0x0",
        "00",
        "127.1",
        "127.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[5f00::1]",
        "[100::1]",
    ];
    hosts.extend(rest.map(str::to_owned));
    assert!(hosts.len() >= 120, "{} rows", hosts.len());

    let names = Arc::new(Names::default());
    let fetcher = strict(&names);
    for host in &hosts {
        let text = format!("https://{host}/client.json");
        let url = Url::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let error = fetcher.get(get(&url)).await.expect_err(&text);
        assert!(
            matches!(error, FetchError::ForbiddenAddress(_)),
            "{text}: {error}"
        );
    }
    assert_eq!(names.asked(), 0, "an address is not resolved");
}

#[tokio::test]
async fn a_052_a_name_with_one_address_inside_is_refused_as_a_whole() {
    let public = IpAddr::from(Ipv4Addr::new(93, 184, 215, 14));
    let inside: [IpAddr; 6] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv4Addr::new(169, 254, 169, 254).into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        "64:ff9b::7f00:1".parse().expect("an address"),
        "2002:7f00:1::1".parse().expect("an address"),
    ];
    for address in inside {
        for answer in [vec![address], vec![public, address], vec![address, public]] {
            let names = Arc::new(Names::default());
            names.always("client.example", &answer);
            let url = Url::parse("https://client.example/c.json").expect("a URL");
            let error = strict(&names).get(get(&url)).await.expect_err("refused");
            assert_eq!(error, FetchError::ForbiddenAddress(address), "{answer:?}");
            assert!(!error.to_string().contains(&address.to_string()), "{error}");
        }
    }
}

/// Two listeners on one port; the name points now to the one, now to the other, now to both.
#[tokio::test]
async fn a_053_a_connection_goes_only_to_an_address_that_was_judged() {
    let (permitted, forbidden) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    let good = TcpListener::bind((permitted, 0)).await.expect("loopback");
    let port = good.local_addr().expect("an address").port();
    let evil = TcpListener::bind((forbidden, port))
        .await
        .expect("the same port");
    let connections = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    for (listener, count) in [good, evil].into_iter().zip(&connections) {
        let count = Arc::clone(count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    }

    let names = Arc::new(Names::default());
    let answer = move |turn: usize| match scramble(turn) % 4 {
        0 => vec![forbidden.into()],
        1 => vec![permitted.into(), forbidden.into()],
        _ => vec![permitted.into()],
    };
    names.by_turn("client.example", answer);
    let options = FetchOptions {
        danger_allow: vec![Allow::Net(IpAddr::from(permitted).into())],
        resolver: Some(names.clone()),
        ..FetchOptions::default()
    };
    let fetcher = Fetcher::new(options).expect("a fetcher");
    let url = Url::parse(&format!("https://client.example:{port}/c.json")).expect("a URL");
    let mut connected = 0;
    for _ in 0..1000 {
        let turn = names.asked();
        let clean = answer(turn) == [IpAddr::from(permitted)];
        match fetcher
            .get(get(&url))
            .await
            .expect_err("nobody speaks TLS there")
        {
            FetchError::ForbiddenAddress(address) => {
                assert_eq!(address, IpAddr::from(forbidden));
                assert!(!clean);
            }
            error => {
                assert!(clean, "{error}");
                connected += 1;
            }
        }
        assert_eq!(
            names.asked(),
            turn + 1,
            "a name is resolved once for each fetch"
        );
    }
    assert_eq!(
        connections[1].load(Ordering::SeqCst),
        0,
        "connections to the forbidden address"
    );
    assert_eq!(connections[0].load(Ordering::SeqCst), connected);
    assert!(
        (300..700).contains(&connected),
        "{connected} of 1,000 went through"
    );
}

/// Any even spread will do (a step of SplitMix64).
fn scramble(turn: usize) -> u64 {
    let mut bits = (turn as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^ (bits >> 27)
}

#[tokio::test]
async fn a_permitted_name_may_be_inside_but_not_its_neighbour() {
    let host = Hostile::start().await;
    host.serve_good("/c.json", "");
    let names = names(&host);
    let options = FetchOptions {
        danger_allow: vec!["client.example".parse().expect("a host")],
        extra_ca_file: Some(host.ca_file()),
        resolver: Some(names.clone()),
        ..FetchOptions::default()
    };
    let by_name = Fetcher::new(options).expect("a fetcher");
    let client = Url::parse(&host.url("/c.json")).expect("a URL");
    let other = Url::parse(&host.url_at("other.example", "/c.json")).expect("a URL");
    let literal = Url::parse(&host.url_at("127.0.0.1", "/c.json")).expect("a URL");
    assert!(matches!(
        by_name.get(get(&client)).await,
        Ok(Fetched::Body { .. })
    ));
    for url in [&other, &literal] {
        let error = by_name.get(get(url)).await.expect_err("refused");
        assert_eq!(error, FetchError::ForbiddenAddress(host.ip()));
    }
    let by_net = fetcher(&host, &names, impatient());
    for url in [&client, &other, &literal] {
        assert!(
            matches!(by_net.get(get(url)).await, Ok(Fetched::Body { .. })),
            "{url}"
        );
    }
}
