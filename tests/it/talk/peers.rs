//! The course's servers, on the standard library alone, with their habits: one client at a time,
//! reads of 1,024 bytes, a text is what one read brings, and what they can't take ends them.

use crate::support::PATIENCE;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::{self, JoinHandle};

/// A server on a thread of its own.
pub(crate) struct Course<T> {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Course<T> {
    /// A server that does `script`, with its listener.
    pub(crate) fn serve(script: impl FnOnce(Listener) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || script(Listener(listener)));
        Self { address, thread }
    }

    /// The same over UDP.
    pub(crate) fn serve_udp(script: impl FnOnce(UdpSocket) -> T + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = thread::spawn(move || script(socket));
        Self { address, thread }
    }

    /// Where to talk to it in a conversation.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// What it has seen.
    #[track_caller]
    pub(crate) fn seen(self) -> T {
        self.thread.join().expect("the server lives")
    }
}

/// Where clients come in.
pub(crate) struct Listener(TcpListener);

impl Listener {
    /// The next client.
    pub(crate) fn accept(&self) -> Client {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }
}

/// A client that is served.
pub(crate) struct Client(TcpStream);

impl Client {
    /// Python's `recv(1024)`.
    pub(crate) fn recv(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let length = self.0.read(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    /// Python's `recv(1024).decode()`.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.recv()).expect("a text that one read doesn't cut")
    }

    /// Everything up to the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Exactly this many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Python's `sendall`.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }
}

/// 01 and 05: one read, one answer, and the server closes first.
pub(crate) fn hello(clients: usize, answer: &'static str) -> Course<Vec<String>> {
    Course::serve(move |listener| {
        let serve = |_| {
            let mut client = listener.accept();
            let text = client.text();
            client.send(answer);
            text
        };
        (0..clients).map(serve).collect()
    })
}

/// 02: greets, then puts 什么 in the place of one letter, here always the first.
pub(crate) fn bot() -> Course<Vec<String>> {
    Course::serve(|listener| {
        let mut client = listener.accept();
        client.send("你找谁呀!");
        let mut texts = Vec::new();
        loop {
            let text = client.text();
            let Some(letter) = text.chars().next() else {
                return texts;
            };
            client.send(text.replace(letter, "什么"));
            texts.push(text);
        }
    })
}

/// 03: one read is the prefix, then SIZE bytes, and the server closes. `None` where the first read
/// brought more than the prefix, of which the course's server dies.
pub(crate) fn upload() -> Course<Option<(String, Vec<u8>)>> {
    Course::serve(|listener| {
        let mut client = listener.accept();
        let head = client.text();
        let (name, size) = head.split_once('-').expect("a prefix has a dash");
        let Ok(size) = size.parse::<usize>() else {
            client.rest();
            return None;
        };
        let mut bytes = Vec::new();
        while bytes.len() != size {
            let piece = client.recv();
            assert!(!piece.is_empty(), "the course's server would loop for ever");
            bytes.extend(piece);
        }
        Some((name.to_owned(), bytes))
    })
}

/// 04: greets, takes one read for the JSON object, answers and closes.
pub(crate) fn login(user: &'static str, proof: String) -> Course<String> {
    Course::serve(move |listener| {
        let mut client = listener.accept();
        client.send("欢迎使用XX系统");
        let object = client.text();
        // As json.dumps writes it; the names of these tests need no escapes.
        let right = format!(r#"{{"username": "{user}", "password": "{proof}"}}"#);
        client.send(if object == right {
            "登陆成功"
        } else {
            "账号或密码错误"
        });
        object
    })
}

/// What 12 answers to `text`.
pub(crate) fn delay_answer(text: &str) -> String {
    match text {
        "sleep" => "已收到延时反馈信息:sleep".to_owned(),
        text => format!("已收到普通信息:{text}"),
    }
}

/// 08: frames with a length of four bytes, until the client closes.
pub(crate) fn frames() -> Course<Vec<String>> {
    Course::serve(|listener| {
        let mut client = listener.accept();
        let mut texts = Vec::new();
        loop {
            let mut prefix = [0; 4];
            if client.0.read(&mut prefix[..1]).unwrap() == 0 {
                return texts;
            }
            client.0.read_exact(&mut prefix[1..]).unwrap();
            let length = usize::try_from(i32::from_le_bytes(prefix)).unwrap();
            texts.push(String::from_utf8(client.exactly(length)).unwrap());
        }
    })
}

/// 06: `recvfrom(1024)`, which cuts a longer datagram, and an answer to each.
pub(crate) fn udp(datagrams: usize) -> Course<Vec<String>> {
    Course::serve_udp(move |socket| {
        let serve = |_| {
            let mut datagram = [0; 1024];
            let (length, from) = socket.recv_from(&mut datagram).unwrap();
            socket.send_to("已收到".as_bytes(), from).unwrap();
            String::from_utf8(datagram[..length].to_vec()).unwrap()
        };
        (0..datagrams).map(serve).collect()
    })
}
