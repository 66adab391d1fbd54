//! Every open connection, found by its key. A key is used once: the slot it names may be used
//! again, but with another generation, so that a late event can't reach a stranger.

use super::connection::Connection;
use parking_lot::Mutex;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Registry(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Arc<Connection>>,
}

impl Registry {
    /// Adds the connection that `make` makes of its key.
    pub(super) fn add(&self, make: impl FnOnce(u64) -> Connection) -> Arc<Connection> {
        let mut slots = self.0.lock();
        let index = slots.free.pop().unwrap_or_else(|| {
            slots.slots.push(Slot::default());
            // Far fewer descriptors than 2³² can be open.
            (slots.slots.len() - 1) as u32
        });
        let slot = &mut slots.slots[index as usize];
        let connection = Arc::new(make(u64::from(slot.generation) << 32 | u64::from(index)));
        slot.connection = Some(Arc::clone(&connection));
        connection
    }

    /// Forgets the connection with this key.
    pub(super) fn remove(&self, key: u64) {
        let mut slots = self.0.lock();
        let (generation, index) = ((key >> 32) as u32, key as u32);
        let Some(slot) = slots.slots.get_mut(index as usize) else {
            return;
        };
        if slot.generation == generation && slot.connection.take().is_some() {
            // 2³² − 1 together with the highest index would be the poller's own key.
            slot.generation = (generation + 1) % (u32::MAX - 1);
            slots.free.push(index);
        }
    }

    /// Looks up the connection of each of `items`, all under one lock; those whose connection is
    /// gone are dropped.
    pub(super) fn find<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> u64,
        mut tell: impl FnMut(T, &Arc<Connection>),
    ) {
        let slots = self.0.lock();
        for item in items {
            let key = key(&item);
            let found = slots.slots.get(key as u32 as usize);
            let found = found.filter(|slot| slot.generation == (key >> 32) as u32);
            if let Some(connection) = found.and_then(|slot| slot.connection.as_ref()) {
                tell(item, connection);
            }
        }
    }

    /// All connections there are now.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.0
            .lock()
            .slots
            .iter()
            .filter_map(|slot| slot.connection.clone())
            .collect()
    }
}
