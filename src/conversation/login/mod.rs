//! `login://`: the server greets, the client shows name and proof, the server says yes or no and
//! closes.

mod serving;
mod talking;

pub use serving::LoginServing;
pub use talking::{LoginTalking, Verdict};

/// What the server says first, 20 bytes.
pub const GREETING: &str = "欢迎使用XX系统";

/// What the server says to the right name and proof, 12 bytes.
pub const WELCOME: &str = "登陆成功";

/// What the server says to a wrong name or a wrong proof, 21 bytes.
pub const REFUSAL: &str = "账号或密码错误";
