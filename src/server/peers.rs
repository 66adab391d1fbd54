//! How many connections each address has, all of an IPv6 /64 being one. Loopback is exempt: there
//! all peers share one address.

use crate::store::Source;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Default)]
pub(super) struct Peers(Arc<Mutex<HashMap<Source, usize>>>);

/// One connection of an address, counted until it is dropped.
pub(super) struct Seat {
    peers: Peers,
    address: Option<Source>,
}

impl Peers {
    /// A seat that counts for nobody: a proxy's connection, until it says whose it is.
    pub(super) fn standing(&self) -> Seat {
        Seat {
            peers: self.clone(),
            address: None,
        }
    }

    /// A seat for one more connection from `address`, if it has less than `limit`.
    pub(super) fn seat(&self, address: IpAddr, limit: usize) -> Option<Seat> {
        if address.to_canonical().is_loopback() {
            return Some(self.standing());
        }
        // By what failed logins are counted too: a host has a whole /64 to connect from.
        let address = Source::address(address);
        let mut counts = self.0.lock();
        let count = counts.entry(address.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Seat {
            peers: self.clone(),
            address: Some(address),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(address) = &self.address else {
            return;
        };
        let mut counts = self.peers.0.lock();
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_seats_and_gets_them_back() {
        let (peers, far) = (Peers::default(), IpAddr::from([192, 0, 2, 1]));
        let first = peers.seat(far, 2).unwrap();
        let _second = peers.seat(far, 2).unwrap();
        assert!(peers.seat(far, 2).is_none());
        assert!(
            peers.seat("::ffff:192.0.2.1".parse().unwrap(), 2).is_none(),
            "the same address"
        );
        assert!(peers.seat(IpAddr::from([192, 0, 2, 2]), 2).is_some());
        drop(first);
        let third = peers.seat(far, 2);
        assert!(third.is_some());
        drop((third, _second));
        assert!(peers.0.lock().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_host_with_an_ipv6_network_has_no_more_seats_than_any_other() {
        let peers = Peers::default();
        let seat = |address: &str| peers.seat(address.parse().unwrap(), 2);
        let seats = [seat("2001:db8::1"), seat("2001:db8::ffff:1")];
        assert!(seats.iter().all(Option::is_some));
        assert!(seat("2001:db8::2").is_none(), "the same /64");
        assert!(seat("2001:db8:0:1::1").is_some(), "another one");
        drop(seats);
        assert!(seat("2001:db8::3").is_some());
        assert!(peers.0.lock().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn loopback_is_exempt() {
        let peers = Peers::default();
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let here = here.parse().unwrap();
            let seats: Vec<_> = (0..10).filter_map(|_| peers.seat(here, 1)).collect();
            assert_eq!(seats.len(), 10);
        }
    }
}
