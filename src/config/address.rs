//! What may be said of an address before anything is sent there.

use url::Url;

/// Whether the address can only mean this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Whether what is sent to the address can be read on the way by nobody, and nothing else is said in it.
pub(super) fn is_private(url: &Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none() && url.has_host();
    plain && bare && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
}
