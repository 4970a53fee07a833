//! Which addresses a remote may have. A name in a setting must not become a way into the network behind us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` may be talked to. Metadata services and addresses that are no single host are refused always;
/// loopback and private networks unless `allow_private`.
pub(super) fn is_allowed(address: IpAddr, allow_private: bool) -> bool {
    match address {
        IpAddr::V4(v4) => is_allowed_v4(v4, allow_private),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_allowed_v4(v4, allow_private),
            None => is_allowed_v6(v6, allow_private),
        },
    }
}

/// Serves platform secrets to every machine in Azure although it lies in a public range.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn is_allowed_v4(address: Ipv4Addr, allow_private: bool) -> bool {
    let [a, b, c, _] = address.octets();
    let never = address == AZURE_WIRE_SERVER
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a, b, c) == (192, 0, 0);
    let carrier_grade = a == 100 && (64..128).contains(&b);
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let private =
        address.is_loopback() || address.is_private() || carrier_grade || benchmarking || address.is_documentation();
    !never && (allow_private || !private)
}

fn is_allowed_v6(address: Ipv6Addr, allow_private: bool) -> bool {
    let [first, second, ..] = address.segments();
    let never = address == AWS_METADATA_V6
        || address.is_unspecified()
        || address.is_multicast()
        || first & 0xffc0 == 0xfe80
        // Site-local, abolished and still routed here and there.
        || first & 0xffc0 == 0xfec0;
    let unique_local = first & 0xfe00 == 0xfc00;
    let documentation = first == 0x2001 && second == 0xdb8;
    !never && (allow_private || !(address.is_loopback() || unique_local || documentation))
}

/// The IPv4 address that a mapped, compatible, NAT64 or 6to4 address stands for.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from = |high: u16, low: u16| {
        let [[p, q], [r, s]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(p, q, r, s)
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(from(g, h)),
        [0, 0, 0, 0, 0, 0] if g != 0 => Some(from(g, h)),
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, allow_private: bool) -> bool {
        text.parse().is_ok_and(|address| is_allowed(address, allow_private))
    }

    #[test]
    fn public_addresses_are_allowed() {
        for text in ["140.82.121.4", "1.1.1.1", "2606:4700::1111", "64:ff9b::8c52:7904"] {
            assert!(allowed(text, false), "{text}");
        }
    }

    #[test]
    fn private_and_loopback_addresses_need_the_policys_word() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.5.4",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
        ] {
            assert!(!allowed(text, false), "{text}");
            assert!(allowed(text, true), "{text}");
        }
    }

    #[test]
    fn metadata_services_and_addresses_of_no_single_host_are_refused_whatever_the_policy() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "168.63.129.16",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "192.0.0.192",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(!allowed(text, true), "{text}");
        }
    }
}
