//! The clients of the unframed conversations: what each says and hears is known to
//! [`crate::conversation`], the sockets are here.
//!
//! [`Talk`] is one conversation over a stream, [`converse`] many at once, [`upload`] hands in a
//! file, [`login`] shows a proof, and [`Datagrams`] goes over UDP.

mod datagrams;
mod jobs;
mod login;
mod stream;
mod upload;
mod url;

pub use crate::conversation::login::Verdict;
pub use crate::conversation::{Talking, Turn};
pub use datagrams::{Datagrams, TRIES};
pub use jobs::converse;
pub use login::{Credentials, login};
pub use stream::Talk;
pub use upload::upload;
pub use url::{CONVERSATIONS, Conversation, Url};
