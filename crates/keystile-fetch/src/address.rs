//! Which addresses are on the public internet.
//!
//! The rule is an allow rule: globally routable unicast, and in no block of IANA's special-purpose
//! registries (RFC 6890, RFC 8190), not even in one that is "globally reachable", because no
//! document lives there. IPv6 addresses that carry an IPv4 address are judged by it (NAT64) or
//! refused (mapped, compatible, 6to4, Teredo, ISATAP), because the packet may end up at the inner
//! address (CHECKLIST A-052).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keystile_protocol::mutation::weakened;

/// Whether a stranger may make this server connect to the address.
///
/// ```
/// use keystile_fetch::address::is_public;
///
/// assert!(is_public("93.184.215.14".parse()?));
/// assert!(!is_public("169.254.169.254".parse()?));
/// assert!(!is_public("64:ff9b::a9fe:a9fe".parse()?)); // the same through NAT64
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !SPECIAL_V4.iter().any(|(block, length)| {
        let shift = 32 - length;
        bits >> shift == block.to_bits() >> shift
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = nat64(address) {
        return is_public_v4(inner) || weakened("a_052");
    }
    let bits = address.to_bits();
    let within = |block: &Ipv6Addr, length: &u32| {
        let shift = 128 - length;
        bits >> shift == block.to_bits() >> shift
    };
    let unicast = within(&GLOBAL_UNICAST.0, &GLOBAL_UNICAST.1);
    let special = SPECIAL_V6
        .iter()
        .any(|(block, length)| within(block, length));
    unicast && ((!special && !is_isatap(address)) || weakened("a_052"))
}

/// The IPv4 address behind NAT64's well-known prefix `64:ff9b::/96` (RFC 6052 §2.1).
///
/// A name with only IPv4 addresses has such an address where DNS64 serves IPv6-only machines, so
/// the prefix as a whole must not be refused. `64:ff9b:1::/48` is for local use and is.
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

/// An interface identifier `[0200:]0:5efe:a.b.c.d` (RFC 5214 §6.1): a tunnel to that IPv4 address
/// under any prefix.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, flags, marker, _, _] = address.segments();
    marker == 0x5efe && flags & !0x0200 == 0
}

/// The only unicast space that IANA has allocated (RFC 4291 §2.4).
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IANA IPv4 Special-Purpose Address Registry, and multicast.
const SPECIAL_V4: [(Ipv4Addr, u32); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared address space
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link local, cloud metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24), // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// IANA IPv6 Special-Purpose Address Registry within [`GLOBAL_UNICAST`]; all else is outside.
const SPECIAL_V6: [(Ipv6Addr, u32); 6] = [
    // IETF protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, drone remote ID
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),     // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16),     // 6bone, given back
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // documentation
];

#[cfg(test)]
mod tests;
