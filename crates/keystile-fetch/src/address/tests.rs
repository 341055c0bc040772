use std::net::IpAddr;

use super::is_public;

fn address(text: &str) -> IpAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is an address"))
}

/// First and last address of each block; the blocks stand here a second time on purpose.
#[test]
fn a_052_no_iana_special_purpose_block_is_public() {
    let blocks = [
        // IANA IPv4 Special-Purpose Address Registry
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.0.8", "192.0.0.10"),
        ("192.0.0.170", "192.0.0.171"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.31.196.0", "192.31.196.255"),
        ("192.52.193.0", "192.52.193.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("192.175.48.0", "192.175.48.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("240.0.0.0", "255.255.255.254"),
        ("255.255.255.255", "255.255.255.255"),
        // multicast
        ("224.0.0.0", "239.255.255.255"),
        // IANA IPv6 Special-Purpose Address Registry
        ("::1", "::1"),
        ("::", "::"),
        ("::ffff:0.0.0.0", "::ffff:255.255.255.255"),
        ("::ffff:93.184.215.14", "::ffff:8.8.8.8"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
        ("64:ff9b:1::5db8:d70e", "64:ff9b:1:ffff::5db8:d70e"),
        ("100::", "100::ffff:ffff:ffff:ffff"),
        ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
        ),
        ("2001:1::1", "2001:1::3"),
        ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
        ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
        ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002:5db8:d70e::1", "2002:7f00:1::1"),
        ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
        ("3ffe::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        // site-local (RFC 3879), multicast, IPv4-compatible and -translated, and all that is not allocated
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::7f00:1", "::5db8:d70e"),
        ("::ffff:0:7f00:1", "::ffff:0:5db8:d70e"),
        ("200::", "3ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        // NAT64 of what is not public itself
        ("64:ff9b::0.0.0.0", "64:ff9b::255.255.255.255"),
        ("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1"),
        ("64:ff9b::169.254.169.254", "64:ff9b::192.168.1.1"),
        ("64:ff9b::100.64.0.1", "64:ff9b::172.31.255.255"),
        ("64:ff9b:0:1::5db8:d70e", "64:ff9b::1:5db8:d70e"),
        // ISATAP under a public prefix
        ("2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:a9fe:a9fe"),
        ("2600:1f18::5efe:5db8:d70e", "2600:1f18::200:5efe:5db8:d70e"),
    ];
    for (first, last) in blocks {
        for text in [first, last] {
            assert!(!is_public(address(text)), "{text} is not public");
        }
    }
}

#[test]
fn what_borders_on_a_special_block_is_public() {
    for text in [
        "1.0.0.0",
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.31.195.255",
        "192.52.194.0",
        "192.88.98.255",
        "192.167.255.255",
        "192.169.0.0",
        "192.175.49.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2001:200::",
        "2001:4860:4860::8888",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "2600::",
        "2606:4700::6812:202f",
        "2620:4f:7fff::",
        "2620:4f:8001::",
        "2a00:1450::5efd:7f00:1",
        "2a00:1450::100:5efe:1:1",
        "3ffd::",
        "3fff:1000::",
        "64:ff9b::5db8:d70e",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(is_public(address(text)), "{text} is public");
    }
}
