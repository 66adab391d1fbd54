//! Damage: what is done at a start with a `gatepost.db` or a log beside it that rotted or was cut.
//!
//! `wal` and `image` read the two files without SQLite, which gives up where this goes on; `tree`
//! finds rows in them, `strays` what no tree leads to any more, `table` knows where they belong,
//! `salvage` makes a new database of those, and `set_aside` puts it in the old one's place. Nothing is ever deleted: the old files are renamed.

mod image;
mod salvage;
mod set_aside;
mod strays;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod wal;

pub(super) use image::Image;
pub(super) use salvage::salvage;
pub(super) use set_aside::resume;
pub(super) use table::are_others_sound;
