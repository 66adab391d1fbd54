//! Who waits for an answer to a datagram, by slots that are used again.

use std::net::SocketAddr;

#[derive(Default)]
pub(super) struct Waiting {
    slots: Vec<Option<SocketAddr>>,
    free: Vec<usize>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A slot for `peer`.
    pub(super) fn add(&mut self, peer: SocketAddr) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(peer);
        slot as u64
    }

    /// Gives the slot back; who had it.
    pub(super) fn remove(&mut self, slot: u64) -> Option<SocketAddr> {
        let slot = usize::try_from(slot).ok()?;
        let peer = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_peers_until_it_is_given_back() {
        let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut waiting = Waiting::default();
        let (one, two) = (waiting.add(peer(1)), waiting.add(peer(2)));
        assert_eq!(waiting.remove(one), Some(peer(1)));
        assert_eq!(waiting.remove(one), None);
        assert_eq!(waiting.add(peer(3)), one);
        assert_eq!(
            (waiting.remove(two), waiting.remove(9)),
            (Some(peer(2)), None)
        );
        assert_eq!((waiting.len(), waiting.slots.len()), (1, 2));
    }
}
