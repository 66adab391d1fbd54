//! `upload://`: `NAME-SIZE` and then, with nothing between, SIZE bytes. No answer.

mod cut;
mod serving;
mod talking;

pub use serving::UploadServing;
pub use talking::{PAUSE, UploadTalking};
