//! Who is logged in on which connection, so that what becomes of an account reaches those who use
//! it: an admin's word, a new password, another role.
//!
//! Orders are left here and their connections told; carrying them out is left to the server.

use crate::gate::Gate;
use crate::session::{Role, SecretMark};
use crate::wire::{Code, Refusal, UserName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// Tells connections, by their keys, that there are orders for them. Must not block.
pub type Ring = Box<dyn Fn(&[u64]) + Send + Sync>;

/// What a connection has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// To end, with this as its last word.
    End(Refusal),
    /// To go on with another role.
    Become(Role),
}

/// The connections that somebody is logged in on.
#[derive(Default)]
pub struct Presence {
    state: Mutex<State>,
    ring: OnceLock<Ring>,
}

#[derive(Default)]
struct State {
    users: HashMap<UserName, HashMap<u64, Standing>>,
    orders: HashMap<u64, Order>,
    /// The accounts' revision at the last review, and who has logged in since.
    reviewed: u64,
    fresh: Vec<(UserName, u64)>,
}

/// What a login made of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    mark: SecretMark,
    role: Role,
}

impl Presence {
    /// Has `ring` called for every order from now on. Only the first call counts.
    pub fn observe(&self, ring: Ring) {
        let _ = self.ring.set(ring);
    }

    /// Notes that `user` logged in on `connection`, under the secret with this `mark`.
    pub fn enter(&self, connection: u64, user: &UserName, mark: SecretMark, role: Role) {
        let mut state = self.state.lock();
        state.fresh.push((user.clone(), connection));
        let here = state.users.entry(user.clone()).or_default();
        here.insert(connection, Standing { mark, role });
    }

    /// Notes that `user` is not logged in on `connection` any more. Orders for it are void.
    pub fn leave(&self, connection: u64, user: &UserName) {
        let mut state = self.state.lock();
        state.orders.remove(&connection);
        if let Some(here) = state.users.get_mut(user) {
            here.remove(&connection);
            if here.is_empty() {
                state.users.remove(user);
            }
        }
    }

    /// The order for `connection`, if there is one.
    pub fn take_order(&self, connection: u64) -> Option<Order> {
        self.state.lock().orders.remove(&connection)
    }

    /// Orders every connection of `user` to end. How many there are.
    pub fn kick(&self, user: &UserName) -> usize {
        let refusal = Refusal::new(Code::Forbidden, "an admin has ended this connection");
        let kicked: Vec<u64> = {
            let mut state = self.state.lock();
            let here = state.users.get(user);
            let here: Vec<u64> = here.into_iter().flat_map(HashMap::keys).copied().collect();
            for connection in &here {
                let order = Order::End(refusal.clone());
                state.orders.insert(*connection, order);
            }
            here
        };
        self.ring(&kicked);
        kicked.len()
    }

    /// Looks whether everybody here may still be here, if the accounts have changed or somebody
    /// has come since the last time. May block.
    pub fn review(&self, gate: &Gate) {
        let revision = gate.revision();
        // No lock is held while the disk is asked.
        let mut told = Vec::new();
        for (user, connection, before) in self.doubtful(revision) {
            let order = match gate.standing(&user, before.mark) {
                None => {
                    let reason = "the account is gone, or has another password: log in again";
                    Order::End(Refusal::new(Code::BadLogin, reason))
                }
                Some(role) if role != before.role => Order::Become(role),
                Some(_) => continue,
            };
            if self.give(connection, &user, before, order) {
                told.push(connection);
            }
        }
        self.ring(&told);
    }

    /// Who is to be looked at now that the accounts have this `revision`: everybody if it is new,
    /// else those who have come since the last look.
    fn doubtful(&self, revision: u64) -> Vec<(UserName, u64, Standing)> {
        let mut state = self.state.lock();
        let fresh = std::mem::take(&mut state.fresh);
        if state.reviewed == revision {
            let found = fresh.into_iter().filter_map(|(user, connection)| {
                let standing = *state.users.get(&user)?.get(&connection)?;
                Some((user, connection, standing))
            });
            return found.collect();
        }
        state.reviewed = revision;
        let each = |(user, here): (&UserName, &HashMap<u64, Standing>)| {
            let here = here.iter();
            let here = here.map(|(connection, it)| (user.clone(), *connection, *it));
            here.collect::<Vec<_>>()
        };
        state.users.iter().flat_map(each).collect()
    }

    /// Leaves an order for a connection that is still what it was `before`. Whether it is.
    fn give(&self, connection: u64, user: &UserName, before: Standing, order: Order) -> bool {
        let mut state = self.state.lock();
        let now = state.users.get_mut(user);
        let Some(now) = now.and_then(|here| here.get_mut(&connection)) else {
            return false;
        };
        if *now != before {
            return false;
        }
        if let Order::Become(role) = order {
            now.role = role;
        }
        // To be kicked is not undone by a new role.
        let is_ending = matches!(state.orders.get(&connection), Some(Order::End(_)));
        if !is_ending {
            state.orders.insert(connection, order);
        }
        true
    }

    fn ring(&self, connections: &[u64]) {
        if !connections.is_empty()
            && let Some(ring) = self.ring.get()
        {
            ring(connections);
        }
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = self.state.lock().users.len();
        write!(f, "Presence({here} users)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Account, MemoryUsers, Secret};
    use std::sync::Arc;

    fn name(user: &str) -> UserName {
        UserName::new(user).unwrap()
    }

    fn account(user: &str, digit: &str, role: Role) -> Account {
        Account {
            name: name(user),
            secret: Secret::Md5(digit.repeat(32)),
            role,
        }
    }

    fn enter(presence: &Presence, connection: u64, account: &Account) {
        let mark = account.secret.mark();
        presence.enter(connection, &account.name, mark, account.role);
    }

    fn ends(order: Option<Order>, code: Code) -> bool {
        matches!(order, Some(Order::End(refusal)) if refusal.code == code)
    }

    /// A presence, and the keys that were rung for, sorted.
    fn presence() -> (Presence, Arc<Mutex<Vec<u64>>>) {
        let (presence, rung) = (Presence::default(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&rung);
        presence.observe(Box::new(move |keys| {
            let mut seen = seen.lock();
            seen.extend_from_slice(keys);
            seen.sort_unstable();
        }));
        (presence, rung)
    }

    #[test]
    fn a_kick_reaches_every_connection_of_one_user() {
        let (presence, rung) = presence();
        let (a, b) = (account("a", "1", Role::User), account("b", "1", Role::User));
        for (connection, account) in [(1, &a), (2, &a), (3, &b), (4, &a)] {
            enter(&presence, connection, account);
        }
        presence.leave(4, &a.name);
        assert_eq!(presence.kick(&a.name), 2);
        assert_eq!(*rung.lock(), [1, 2]);
        assert!(ends(presence.take_order(1), Code::Forbidden));
        assert_eq!(presence.take_order(1), None);
        assert_eq!(presence.take_order(3), None);
        // Who has logged out is a guest, and guests are not kicked.
        presence.leave(2, &a.name);
        assert_eq!(presence.take_order(2), None);
        assert_eq!(presence.kick(&name("nobody")), 0);
    }

    #[test]
    fn what_becomes_of_an_account_reaches_who_uses_it() {
        let (presence, rung) = presence();
        let (a, b, c) = (
            account("a", "1", Role::User),
            account("b", "1", Role::Admin),
            account("c", "1", Role::User),
        );
        let users = Arc::new(MemoryUsers::new([a.clone(), b.clone(), c.clone()]));
        let gate = Gate::new(users.clone());
        for (connection, account) in [(1, &a), (2, &b), (3, &c)] {
            enter(&presence, connection, account);
        }
        presence.review(&gate);
        assert_eq!(*rung.lock(), [0; 0]);
        users.insert(account("a", "2", Role::User));
        users.insert(account("b", "1", Role::User));
        users.remove("c");
        presence.review(&gate);
        assert_eq!(*rung.lock(), [1, 2, 3]);
        assert!(ends(presence.take_order(1), Code::BadLogin));
        assert_eq!(presence.take_order(2), Some(Order::Become(Role::User)));
        assert!(ends(presence.take_order(3), Code::BadLogin));
        // What was ordered once is not ordered again.
        for (connection, account) in [(1, &a), (3, &c)] {
            presence.leave(connection, &account.name);
        }
        presence.review(&gate);
        assert_eq!(rung.lock().len(), 3);
    }

    #[test]
    fn who_comes_with_an_old_account_is_found_without_a_change() {
        let (presence, rung) = presence();
        let gate = Gate::new(Arc::new(MemoryUsers::default()));
        presence.review(&gate);
        enter(&presence, 1, &account("gone", "1", Role::User));
        presence.review(&gate);
        assert_eq!(*rung.lock(), [1]);
    }
}
