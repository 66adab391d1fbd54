//! What each of the many clients asks, and how it is to be answered.

use crate::support::{frame, proof};
use crate::trial::content;
use serde_json::{Value, json};

/// Rooms that messages are posted to, beside the lobby.
const ROOMS: usize = 16;

/// Sizes of the small files: around what is read in one go, and around nothing.
const SIZES: &[usize] = &[0, 1, 65_535, 65_536, 65_537, 300];

/// The size of the large ones.
const LARGE: usize = 1 << 20;

/// Every how many-th client logs in. A login costs a password hash.
pub(super) const LOGIN_EVERY: usize = 8;

/// One request.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Ping,
    Hello,
    Post {
        room: String,
        text: String,
    },
    /// A message without an id.
    Silent {
        room: String,
        text: String,
    },
    /// A file in one frame.
    File {
        name: String,
        seed: u64,
        size: usize,
    },
    /// A file whose size is said, in frames of so many bytes.
    Pieces {
        name: String,
        seed: u64,
        size: usize,
        frame: usize,
    },
    Login {
        user: String,
    },
    WrongLogin {
        user: String,
    },
    Echo {
        text: String,
    },
    Dongmei {
        text: String,
    },
    /// A type that there is not, with a body that is to be skipped.
    Weather,
    /// A file by a name that can't be one, whose bytes are to be skipped.
    BadName,
}

/// The name of an account.
pub(super) fn user(number: usize) -> String {
    format!("user-{number}")
}

/// Its password.
fn password(user: &str) -> String {
    format!("the password of {user}")
}

/// The accounts of `clients` clients, in the course's form; some are admins.
pub(super) fn accounts(clients: usize) -> String {
    let line = |number: usize| {
        let user = user(number);
        let role = if number.is_multiple_of(3) {
            "|admin"
        } else {
            ""
        };
        format!("{user}|{}{role}\n", proof(&password(&user)))
    };
    (0..clients).step_by(LOGIN_EVERY).map(line).collect()
}

/// All that client `number` asks, in order.
pub(super) fn of_client(number: usize) -> Vec<Request> {
    use Request as R;
    let every = |count: usize, rest: usize| number % count == rest;
    let mine = format!("room-{}", number % ROOMS);
    let text = |what: usize| format!("client {number}, {what}: 你好{}", "…".repeat(number % 100));
    let post = |room: &str, what| R::Post {
        room: room.to_owned(),
        text: text(what),
    };
    let seed = |what: usize| (number * 10 + what) as u64;
    let size = SIZES[number % SIZES.len()];
    let mut script = vec![R::Ping, post(&mine, 1), post("lobby", 2), post(&mine, 3)];
    script.push(R::Silent {
        room: mine.clone(),
        text: text(4),
    });
    if every(LOGIN_EVERY, 0) {
        script.push(R::Login { user: user(number) });
    }
    if every(400, 1) {
        let user = user(number - 1);
        script.push(R::WrongLogin { user });
    }
    script.push(R::File {
        name: format!("small {number}.bin"),
        seed: seed(1),
        size,
    });
    script.push(R::Echo { text: text(5) });
    if every(3, 0) {
        script.push(R::Dongmei { text: text(6) });
    }
    if every(5, 0) {
        script.push(R::Weather);
    }
    if every(7, 0) {
        script.push(R::BadName);
    }
    script.push(R::Pieces {
        name: format!("pieces {number}.bin"),
        seed: seed(2),
        size,
        frame: 20_000,
    });
    if every(50, 0) {
        script.push(R::Pieces {
            name: format!("large {number}.bin"),
            seed: seed(3),
            size: LARGE,
            frame: 100_003,
        });
    }
    script.extend([R::Hello, post(&mine, 7), R::Ping]);
    script
}

impl Request {
    /// Whether it is to be refused.
    pub(super) fn is_refused(&self) -> bool {
        matches!(
            self,
            Self::WrongLogin { .. } | Self::Weather | Self::BadName
        )
    }

    /// Its bytes on the wire. `id` is left out of a silent one.
    pub(super) fn bytes(&self, id: &Value) -> Vec<u8> {
        let (mut header, body) = self.parts();
        if !matches!(self, Self::Silent { .. }) {
            header["id"] = id.clone();
        }
        [frame(header.to_string().as_bytes()), body].concat()
    }

    /// Its header, and its body in frames.
    fn parts(&self) -> (Value, Vec<u8>) {
        let login = |user, password: &str| {
            let proof = proof(password);
            json!({"msg_type": "login", "username": user, "password": proof})
        };
        match self {
            Self::Ping => (json!({"msg_type": "ping"}), Vec::new()),
            Self::Hello => (json!({"msg_type": "hello", "proto": 1}), Vec::new()),
            Self::Post { room, text } | Self::Silent { room, text } => (
                json!({"msg_type": "msg", "room": room}),
                frame(text.as_bytes()),
            ),
            Self::File { name, seed, size } => {
                let header = json!({"msg_type": "file", "file_name": name});
                (header, frame(&content::bytes(*seed, *size)))
            }
            Self::Pieces {
                name,
                seed,
                size,
                frame: length,
            } => {
                let header = json!({"msg_type": "file", "file_name": name, "size": size});
                let bytes = content::bytes(*seed, *size);
                (header, bytes.chunks(*length).flat_map(frame).collect())
            }
            Self::Login { user } => (login(user, &password(user)), Vec::new()),
            Self::WrongLogin { user } => (login(user, "a guess"), Vec::new()),
            Self::Echo { text } => (
                json!({"msg_type": "bot", "bot": "echo"}),
                frame(text.as_bytes()),
            ),
            Self::Dongmei { text } => (json!({"msg_type": "bot"}), frame(text.as_bytes())),
            Self::Weather => {
                let header = json!({"msg_type": "weather", "body": 70_000});
                (
                    header,
                    [frame(&[b'{'; 30_000]), frame(&[b'}'; 40_000])].concat(),
                )
            }
            Self::BadName => {
                let header = json!({"msg_type": "file", "file_name": "../x", "size": 70_000});
                (header, frame(&[b'x'; 70_000]))
            }
        }
    }
}
