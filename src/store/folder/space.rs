//! Who may take how much of the disk: what is left to messages, what users and all together may
//! have, and how much guests may leave broken off.

use super::FileLimits;
use super::records::Usage;
use crate::store::{FileError, StoreError};
use crate::wire::UserName;
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Smaller files are written as soon as they begin; reserving space for them first cost a tenth of
/// their rate. In bytes.
const RESERVED_FROM: u64 = 1 << 20;

/// Which part of the disk uploads leave to messages at least: one in so many.
const RESERVE_PART: u64 = 20;

/// Which part of what is free guests may leave broken off: one in so many.
const GUESTS_PART: u64 = 10;

/// The space of one store. Its lock is taken while that of the partials is held, never the other way
/// round.
#[derive(Debug)]
pub(super) struct Space {
    quota_per_user: u64,
    quota: u64,
    /// What uploads leave free, in bytes.
    reserve: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    users: HashMap<UserName, u64>,
    all: u64,
    /// What guests left broken off.
    guests_broken: u64,
}

/// What is free on a disk, and how large it is, in bytes.
fn free(disk: impl AsFd) -> io::Result<(u64, u64)> {
    let space = fstatvfs(disk)?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Ok((bytes(space.f_bavail), bytes(space.f_blocks)))
}

impl Space {
    /// The space of the disk that holds `folder`, of which `users` and all together have so much
    /// already.
    pub(super) fn new(
        folder: impl AsFd,
        limits: &FileLimits,
        users: Vec<Usage>,
        all: u64,
    ) -> io::Result<Self> {
        let (free, total) = free(folder)?;
        let reserve = limits.disk_reserve.max(total / RESERVE_PART).min(free / 2);
        let users = users
            .into_iter()
            .filter_map(|usage| Some((usage.user?, usage.bytes)));
        Ok(Self {
            quota_per_user: limits.quota_per_user,
            quota: limits.quota,
            reserve,
            used: Mutex::new(Used {
                users: users.collect(),
                all,
                guests_broken: 0,
            }),
        })
    }

    /// Whether `bytes` more leave enough to messages.
    pub(super) fn check(&self, disk: impl AsFd, bytes: u64) -> Result<(), StoreError> {
        let (free, _) = free(disk)?;
        match free.checked_sub(bytes) {
            Some(left) if left >= self.reserve => Ok(()),
            _ => Err(StoreError::NoSpace),
        }
    }

    /// Has the file system set aside what `file` needs to have `size` bytes, `here` of which it
    /// has, without making it any longer.
    pub(super) fn reserve(&self, file: &File, size: u64, here: u64) -> Result<(), StoreError> {
        // Asked first: a reservation that fails half-way takes the last space from everybody else
        // until it is given back.
        self.check(file, size.saturating_sub(here))?;
        if size < RESERVED_FROM {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, size) {
            // Where it can't be reserved, that was said at the start.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            // More than the file system allows in one file.
            Err(Errno::FBIG) => Err(StoreError::NoSpace),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the file system of `file` can reserve space at all.
    pub(super) fn can_reserve(file: &File) -> bool {
        let refused = fallocate(file, FallocateFlags::KEEP_SIZE, 0, 1);
        !matches!(refused, Err(Errno::OPNOTSUPP | Errno::NOSYS))
    }

    /// Takes back what the file of `owners` had, which is gone.
    pub(super) fn give_back(&self, owners: &[Option<UserName>], size: u64) {
        let mut used = self.used.lock();
        for owner in owners.iter().flatten() {
            used.give_back(owner, size);
        }
        used.all = used.all.saturating_sub(size);
    }

    /// The same for one of several owners.
    pub(super) fn give_back_one(&self, owner: &UserName, size: u64) {
        self.used.lock().give_back(owner, size);
    }
}

impl Used {
    fn give_back(&mut self, user: &UserName, bytes: u64) {
        if let Some(has) = self.users.get_mut(user) {
            *has = has.saturating_sub(bytes);
            if *has == 0 {
                self.users.remove(user);
            }
        }
    }
}

/// What one upload counts against the quotas; given back on drop.
#[derive(Debug)]
pub(super) struct Share {
    space: Arc<Space>,
    user: Option<UserName>,
    /// What its user is charged, in bytes.
    owned: u64,
    /// What all together are charged, in bytes.
    stored: u64,
    /// What guests are charged for having broken off, in bytes.
    broken: u64,
}

impl Share {
    /// A share of nothing.
    pub(super) fn new(space: &Arc<Space>, user: Option<UserName>) -> Self {
        Self {
            space: Arc::clone(space),
            user,
            owned: 0,
            stored: 0,
            broken: 0,
        }
    }

    /// Whether an upload that broke off may leave `bytes` on the `disk`. Only guests together are
    /// held to a part of what is free: whoever logs in has a quota.
    pub(super) fn break_off(&mut self, disk: impl AsFd, bytes: u64) -> bool {
        if self.user.is_some() {
            return true;
        }
        let Ok((free, _)) = free(disk) else {
            return false;
        };
        let mut used = self.space.used.lock();
        let broken = (used.guests_broken - self.broken).saturating_add(bytes);
        if broken > free / GUESTS_PART {
            return false;
        }
        used.guests_broken = broken;
        self.broken = bytes;
        true
    }

    /// Goes on with what had broken off.
    pub(super) fn resume(&mut self) {
        self.space.used.lock().guests_broken -= std::mem::take(&mut self.broken);
    }

    /// Charges what a guest or a user has here since an earlier run, whatever the quotas say.
    pub(super) fn take(&mut self, bytes: u64) {
        let mut used = self.space.used.lock();
        used.all += bytes;
        match &self.user {
            Some(user) => *used.users.entry(user.clone()).or_default() += bytes,
            None => used.guests_broken += bytes,
        }
        drop(used);
        (self.owned, self.stored) = (bytes, bytes);
        self.broken = if self.user.is_none() { bytes } else { 0 };
    }

    /// Charges `bytes` more to the user, and `stored` more to all together.
    pub(super) fn grow(&mut self, bytes: u64, stored: u64) -> Result<(), FileError> {
        let Space {
            quota_per_user,
            quota,
            ..
        } = *self.space;
        let mut used = self.space.used.lock();
        let all = used.all.saturating_add(stored);
        let is_over = |limit: u64, bytes: u64| limit > 0 && bytes > limit;
        if stored > 0 && is_over(quota, all) {
            return Err(FileError::Quota);
        }
        if let Some(user) = &self.user {
            let has = used.users.get(user).copied().unwrap_or(0);
            let has = has.saturating_add(bytes);
            if bytes > 0 && is_over(quota_per_user, has) {
                return Err(FileError::Quota);
            }
            if bytes > 0 {
                used.users.insert(user.clone(), has);
            }
        }
        used.all = all;
        drop(used);
        self.owned += bytes;
        self.stored += stored;
        Ok(())
    }

    /// Charges as much more as is needed to have `bytes` of each.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), FileError> {
        let owned = bytes.saturating_sub(self.owned);
        self.grow(owned, bytes.saturating_sub(self.stored))
    }

    /// Gives all back but `bytes` of each.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let owned = self.owned.saturating_sub(bytes);
        let stored = self.stored.saturating_sub(bytes);
        self.give_back(owned, stored);
    }

    /// Leaves it charged for good: the file is published. A `duplicate` takes no space of its own,
    /// and nothing at all if its sender owned it `already`.
    pub(super) fn keep(mut self, duplicate: bool, already: bool) {
        let stored = if duplicate { self.stored } else { 0 };
        let owned = if already { self.owned } else { 0 };
        self.give_back(owned, stored);
        (self.owned, self.stored) = (0, 0);
    }

    fn give_back(&mut self, owned: u64, stored: u64) {
        let mut used = self.space.used.lock();
        if let Some(user) = &self.user
            && owned > 0
        {
            used.give_back(user, owned);
        }
        used.all = used.all.saturating_sub(stored);
        drop(used);
        self.owned -= owned;
        self.stored -= stored;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resume();
        self.give_back(self.owned, self.stored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn space(quota_per_user: u64, quota: u64) -> Arc<Space> {
        let folder = File::open(std::env::temp_dir()).unwrap();
        let limits = FileLimits {
            quota_per_user,
            quota,
            disk_reserve: u64::MAX,
            partial_kept: Duration::from_secs(1),
        };
        Arc::new(Space::new(folder, &limits, Vec::new(), 0).unwrap())
    }

    fn user(name: &str) -> Option<UserName> {
        Some(UserName::new(name).unwrap())
    }

    #[test]
    fn a_user_has_a_quota_and_all_together_have_one() {
        let space = space(10, 15);
        let mut a = Share::new(&space, user("a"));
        a.grow(10, 10).unwrap();
        assert!(matches!(a.grow(1, 1), Err(FileError::Quota)));
        let mut b = Share::new(&space, user("b"));
        assert!(matches!(b.grow(6, 6), Err(FileError::Quota)));
        b.grow(5, 5).unwrap();
        assert!(Share::new(&space, None).grow(1, 1).is_err());
        drop(b);
        Share::new(&space, None).grow(5, 5).unwrap();
        a.shrink(4);
        a.grow(6, 6).unwrap();
    }

    #[test]
    fn what_is_published_stays_charged_once_until_it_is_removed() {
        let space = space(10, 15);
        let charged = |name, bytes| {
            let mut share = Share::new(&space, user(name));
            share.grow(bytes, bytes).unwrap();
            share
        };
        charged("a", 10).keep(false, false);
        charged("b", 5).keep(true, false);
        assert_eq!(space.used.lock().all, 10);
        assert!(Share::new(&space, user("b")).grow(6, 0).is_err());
        charged("b", 5).keep(true, true);
        assert_eq!(space.used.lock().users[&user("b").unwrap()], 5);
        space.give_back_one(&user("b").unwrap(), 5);
        space.give_back(&[user("a"), None], 10);
        let used = space.used.lock();
        assert_eq!((used.users.len(), used.all), (0, 0));
    }

    #[test]
    fn half_of_what_is_free_is_the_most_that_is_left_to_messages() {
        let space = space(0, 0);
        let folder = File::open(std::env::temp_dir()).unwrap();
        let (free, total) = free(&folder).unwrap();
        assert!(space.reserve <= free.max(total) / 2 && space.reserve > 0);
        assert!(space.check(&folder, 1).is_ok());
        assert!(matches!(
            space.check(&folder, free),
            Err(StoreError::NoSpace)
        ));
        let mut share = Share::new(&space, None);
        assert!(!share.break_off(&folder, total));
        assert!(share.break_off(&folder, 1) && share.break_off(&folder, 2));
        assert_eq!(space.used.lock().guests_broken, 2);
        assert!(Share::new(&space, user("a")).break_off(&folder, total));
        drop(share);
        assert_eq!(space.used.lock().guests_broken, 0);
    }
}
