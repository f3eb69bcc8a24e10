use super::*;

fn rates(each: u32) -> Rates {
    let each = NonZeroU32::new(each).unwrap();
    Rates { requests_per_minute: each, batches_per_minute: each, faucet_per_minute: each, sockets_per_address: each }
}

#[test]
fn one_address_cannot_take_anothers_share() {
    let limits = Limits::new(&rates(2));
    let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    assert!(limits.admit(Kind::Request, a).is_ok());
    assert!(limits.admit(Kind::Request, a).is_ok());
    assert!(limits.admit(Kind::Request, a).is_err());
    assert!(limits.admit(Kind::Request, b).is_ok());
    assert!(limits.admit(Kind::Batch, a).is_ok(), "kinds are counted apart");
}

#[test]
fn addresses_of_one_ipv6_network_count_as_one() {
    let limits = Limits::new(&rates(1));
    assert!(limits.admit(Kind::Request, "2001:db8:0:1::1".parse().unwrap()).is_ok());
    assert!(limits.admit(Kind::Request, "2001:db8:0:1:ffff::2".parse().unwrap()).is_err());
    assert!(limits.admit(Kind::Request, "2001:db8:0:2::1".parse().unwrap()).is_ok());
    assert!(limits.admit(Kind::Request, "192.0.2.1".parse().unwrap()).is_ok());
    assert!(limits.admit(Kind::Request, "::ffff:192.0.2.1".parse().unwrap()).is_err());
}

#[test]
fn a_closed_socket_gives_its_place_back() {
    let limits = Limits::new(&rates(1));
    let a: IpAddr = "192.0.2.1".parse().unwrap();
    let permit = limits.open_socket(a).unwrap();
    assert!(limits.open_socket(a).is_err());
    drop(permit);
    assert_eq!(limits.open_sockets(), 0);
    assert!(limits.open_socket(a).is_ok());
}
