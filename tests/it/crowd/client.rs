//! One of many clients: plays its script and checks every answer.

use super::script::{self, Request};
use crate::support::Peer;
use serde_json::{Value, json};

/// What one client was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) messages: Vec<Posted>,
    /// Names, seeds and sizes.
    pub(super) files: Vec<(String, u64, usize)>,
    pub(super) served: usize,
    pub(super) refused: usize,
}

/// A message that was sent.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) room: String,
    pub(super) text: String,
    pub(super) from: Option<String>,
    /// `seq`, `prev` and `time` of its receipt, if it has one.
    pub(super) receipt: Option<(u64, u64, String)>,
}

/// The id of a client's request: now a number, now a text.
fn id(client: usize, place: usize) -> Value {
    match place % 2 {
        0 => json!(place),
        _ => json!(format!("{client}/\"{place}\"")),
    }
}

/// Plays the script of client `number`: all at once or one by one.
pub(super) fn play(number: usize, peer: &mut Peer) -> Told {
    let script = script::of_client(number);
    let mut client = Client {
        number,
        peer,
        user: None,
        told: Told::default(),
    };
    let bytes = |place: usize, request: &Request| request.bytes(&id(number, place));
    let is_pipelined = number % 2 == 1;
    if is_pipelined {
        for (place, request) in script.iter().enumerate() {
            client.peer.raw(&bytes(place, request));
        }
    }
    for (place, request) in script.into_iter().enumerate() {
        if !is_pipelined {
            client.peer.raw(&bytes(place, &request));
        }
        client.check(place, request);
    }
    client.peer.end();
    client.peer.assert_eof();
    client.told
}

struct Client<'a> {
    number: usize,
    peer: &'a mut Peer,
    user: Option<String>,
    told: Told,
}

impl Client<'_> {
    /// Reads what is owed to `request`, and checks it.
    fn check(&mut self, place: usize, request: Request) {
        let is_refused = request.is_refused();
        self.told.refused += usize::from(is_refused);
        self.told.served += usize::from(!is_refused);
        let request = match request {
            Request::Silent { room, text } => return self.posted(room, text, None),
            request => request,
        };
        let answer = self.peer.answer();
        let context = || format!("client {}, {request:?}: {answer}", self.number);
        assert_eq!(answer["id"], id(self.number, place), "{}", context());
        assert_eq!(answer["ok"], !is_refused, "{}", context());
        let fields = |expected: &[(&str, Value)]| {
            for (name, value) in expected {
                assert_eq!(&answer[name], value, "{name}, {}", context());
            }
        };
        match &request {
            Request::Ping | Request::Silent { .. } => {
                assert_eq!(answer.as_object().unwrap().len(), 2, "{}", context());
            }
            Request::Hello => fields(&[
                ("server", json!("gatepost")),
                ("proto", json!(1)),
                ("state", json!("running")),
            ]),
            Request::Post { room, .. } => {
                fields(&[("room", json!(room)), ("ack", json!("durable"))]);
            }
            Request::File { name, size, .. } | Request::Pieces { name, size, .. } => fields(&[
                ("name", json!(name)),
                ("size", json!(size)),
                ("digest", Value::Null),
                ("ack", json!("durable")),
            ]),
            Request::Login { user } => {
                fields(&[("user", json!(user)), ("text", json!("登陆成功"))])
            }
            Request::WrongLogin { .. } => fields(&[("code", json!("bad_login"))]),
            Request::Weather => fields(&[("code", json!("unknown_type"))]),
            Request::BadName => fields(&[("code", json!("bad_name"))]),
            Request::Echo { .. } | Request::Dongmei { .. } => {}
        }
        self.note(request, &answer);
    }

    /// Reads the body of an answer that has one, and notes what was promised.
    fn note(&mut self, request: Request, answer: &Value) {
        match request {
            Request::Post { room, text } => {
                let number = |name: &str| answer[name].as_u64().expect("it is a number");
                let time = answer["time"].as_str().expect("it is a time").to_owned();
                self.posted(room, text, Some((number("seq"), number("prev"), time)));
            }
            Request::File { name, seed, size }
            | Request::Pieces {
                name, seed, size, ..
            } => {
                self.told.files.push((name, seed, size));
            }
            Request::Login { user } => self.user = Some(user),
            Request::Echo { text } => assert_eq!(self.body(answer), text),
            Request::Dongmei { text } => {
                let said = self.body(answer);
                let mut heard = text.chars().map(|missed| text.replace(missed, "什么"));
                assert!(heard.any(|heard| heard == said), "{text:?}: {said:?}");
            }
            _ => {}
        }
    }

    fn posted(&mut self, room: String, text: String, receipt: Option<(u64, u64, String)>) {
        self.told.messages.push(Posted {
            room,
            text,
            from: self.user.clone(),
            receipt,
        });
    }

    /// The body that `answer` announces.
    fn body(&mut self, answer: &Value) -> String {
        let length = answer["body"].as_u64().expect("it has a body");
        let mut body = Vec::new();
        while (body.len() as u64) < length {
            body.extend(self.peer.next());
        }
        assert_eq!(body.len() as u64, length);
        String::from_utf8(body).expect("a bot says a text")
    }
}
