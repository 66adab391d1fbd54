//! Whether a connection may carry what is as good as a password.

use super::Call;
use crate::wire::{Code, Refusal};

/// Sees to it that secrets may be sent on the connection of `call`.
///
/// # Errors
///
/// `forbidden` from another machine, unless the server was started to take them in the clear.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    if call.house.insecure || call.session.is_private() {
        return Ok(());
    }
    let reason = "a proof or a token is as good as a password and is not taken in the clear from \
                  other machines";
    Err(Refusal::new(Code::Forbidden, reason))
}
