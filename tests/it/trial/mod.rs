//! What the trials of the real program stand on, beside `support`: what the system knows of a
//! process, what the program leaves in its home and says at its end, and bytes and chance that can
//! be had again.

pub(crate) mod chance;
pub(crate) mod content;
pub(crate) mod journal;
pub(crate) mod last_line;
pub(crate) mod needs;
pub(crate) mod process;
pub(crate) mod reading;
