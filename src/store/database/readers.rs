//! The connections of those who read: opened when one is missing, kept for the next.
//!
//! In WAL mode a reader waits for nobody and nobody waits for it, so each simply has its own.

use super::connection;
use super::fault::{Failure, Fault};
use super::fence::Fence;
use crate::store::StoreError;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;

/// At most so many are kept open.
const KEPT: usize = 64;

/// A pool of connections that can't write.
#[derive(Debug)]
pub(super) struct Readers {
    home: PathBuf,
    fence: Arc<Fence>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Connection>,
    closed: bool,
}

impl Readers {
    /// An empty pool for the file in `home`.
    pub(super) fn new(home: PathBuf, fence: Arc<Fence>) -> Self {
        Self {
            home,
            fence,
            idle: Mutex::default(),
        }
    }

    /// Hands a connection to `read`. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if none can be opened, or what `read` returned.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().connections.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::reader(&self.home)?,
        };
        // One that failed is not kept.
        let read = read(&connection).inspect_err(|error| {
            let Failure { fault, text } = Failure::of_reading(error);
            if fault == Fault::Damage {
                self.fence.damaged(&text);
            }
        })?;
        let mut idle = self.idle.lock();
        if !idle.closed && idle.connections.len() < KEPT {
            idle.connections.push(connection);
        }
        Ok(read)
    }

    /// Closes all and keeps none from now on. Reading still works.
    pub(super) fn close(&self) {
        let connections = {
            let mut idle = self.idle.lock();
            idle.closed = true;
            std::mem::take(&mut idle.connections)
        };
        drop(connections);
    }
}
