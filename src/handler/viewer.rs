//! Who asks, as a store of files wants to know it.

use crate::session::{Right, Session};
use crate::store::Viewer;

/// The viewer that `session` is.
pub(super) fn viewer(session: &Session) -> Viewer {
    Viewer {
        user: session.user.clone(),
        admin: session.role.may(Right::RemoveAny),
    }
}
