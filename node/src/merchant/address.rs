//! Where a webhook may go: a URL of somebody else must not lead into the own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which addresses are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What everybody on the Internet reaches, by https.
    Public,
    /// The own machine and network too, also by http.
    Anywhere,
}

/// Why nothing is brought there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadTarget {
    #[error("this is no URL: {0}")]
    Url(String),
    #[error("a webhook goes to an https URL")]
    Scheme,
    #[error("a URL with user, password or fragment")]
    Parts,
    #[error("{0} is no address of the public Internet")]
    Private(IpAddr),
    #[error("{host} has no address: {reason}")]
    Unresolved { host: String, reason: String },
}

/// Reads a URL as far as that goes without asking for its addresses.
pub(super) fn read(text: &str, reach: Reach) -> Result<reqwest::Url, BadTarget> {
    let url = reqwest::Url::parse(text).map_err(|error| BadTarget::Url(error.to_string()))?;
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Anywhere) => {}
        _ => return Err(BadTarget::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(BadTarget::Parts);
    }
    if let Some(address) = literal(&url) {
        check(address, reach)?;
    }
    Ok(url)
}

/// The address that a URL names itself.
fn literal(url: &reqwest::Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// The addresses of a URL, every one of them checked: whoever connects to these and asks no name server again goes
/// where it was allowed to.
pub(super) async fn resolve(url: &reqwest::Url, reach: Reach) -> Result<Vec<SocketAddr>, BadTarget> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let unresolved = |reason: String| BadTarget::Unresolved { host: host.clone(), reason };
    let found: Vec<SocketAddr> = match literal(url) {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|error| unresolved(error.to_string()))?
            .collect(),
    };
    if found.is_empty() {
        return Err(unresolved("none".to_owned()));
    }
    found.iter().try_for_each(|address| check(address.ip(), reach))?;
    Ok(found)
}

fn check(address: IpAddr, reach: Reach) -> Result<(), BadTarget> {
    match reach {
        Reach::Anywhere => Ok(()),
        Reach::Public if is_public(address) => Ok(()),
        Reach::Public => Err(BadTarget::Private(address)),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the registry of special addresses (RFC 6890 and later).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast, and of it nothing that leads elsewhere. Addresses that stand for those of IPv4 are none.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    let is_global = (0x2000..0x4000).contains(&a);
    let special = (a == 0x2001 && b < 0x200) || (a, b) == (0x2001, 0xDB8) || (a == 0x3FFF && b < 0x1000);
    // 6to4 carries an IPv4 address.
    let [high, low] = [b.to_be_bytes(), c.to_be_bytes()];
    let inner = Ipv4Addr::new(high[0], high[1], low[0], low[1]);
    is_global && !special && (a != 0x2002 || is_public_v4(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_form() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111", "2002:101:101::"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_url_is_refused_for_what_it_is() {
        let public = |text: &str| read(text, Reach::Public);
        assert!(public("https://shop.example/hook?x=1").is_ok());
        assert_eq!(public("http://shop.example/"), Err(BadTarget::Scheme));
        assert_eq!(public("ftp://shop.example/"), Err(BadTarget::Scheme));
        assert_eq!(public("https://u:p@shop.example/"), Err(BadTarget::Parts));
        assert_eq!(public("https://shop.example/#a"), Err(BadTarget::Parts));
        assert!(matches!(public("shop.example"), Err(BadTarget::Url(_))));
        // The standard for URLs reads all of these as 127.0.0.1.
        for hidden in
            ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://[::1]/"]
        {
            assert!(matches!(public(hidden), Err(BadTarget::Private(_))), "{hidden}");
        }
        assert!(read("http://127.0.0.1:8080/", Reach::Anywhere).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_when_it_is_resolved() {
        let url = read("https://localhost/hook", Reach::Public).unwrap();
        assert!(matches!(resolve(&url, Reach::Public).await, Err(BadTarget::Private(_))));
        assert!(!resolve(&url, Reach::Anywhere).await.unwrap().is_empty());
    }
}
