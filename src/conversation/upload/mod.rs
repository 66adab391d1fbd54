//! `upload://`: `NAME-SIZE` and then, with nothing between, SIZE bytes. No answer.

mod talking;

pub use talking::{PAUSE, UploadTalking};
