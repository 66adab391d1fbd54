//! Tests of uploads against a server that follows a script.

use super::*;
use crate::client::fake::{PATIENCE, Peer, serve};
use crate::wire::{Code, Id, Refusal, Reply};

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

/// Takes one file whole; its name and bytes.
fn take(peer: &mut Peer) -> (String, Vec<u8>, Id) {
    let (header, id) = peer.header("file");
    let size = header.fields.number("size").unwrap().unwrap();
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < size {
        bytes.extend(peer.frame());
    }
    assert_eq!(bytes.len() as u64, size);
    let name = header.fields.required_text("file_name").unwrap();
    (name.to_owned(), bytes, id)
}

fn store(peer: &mut Peer) -> (String, Vec<u8>) {
    let (name, bytes, id) = take(peer);
    let stored = Reply::new()
        .with("name", format!("{name} (2)"))
        .with("size", bytes.len() as u64);
    peer.reply(&id, &stored);
    (name, bytes)
}

#[test]
fn a_file_arrives_and_progress_ends_with_the_receipt() {
    for bytes in [0, 1, PIECE, 3 * PIECE + 7] {
        let (address, server) = serve(store);
        let mut client = Client::connect(&address, PATIENCE).unwrap();
        let mut seen = Vec::new();
        let sent = content(bytes);
        let stored = client
            .send_file("a b", sent.as_slice(), bytes as u64, |at| {
                seen.push(at);
            })
            .unwrap();
        assert_eq!((&*stored.name, stored.size), ("a b (2)", bytes as u64));
        assert_eq!(server.join().unwrap(), ("a b".to_owned(), sent));
        assert!(seen.is_sorted_by_key(|at| at.confirmed));
        let (last, before) = seen.split_last().unwrap();
        assert_eq!((last.phase, last.confirmed), (Phase::Stored, bytes as u64));
        assert!(before.iter().all(|at| at.confirmed < bytes as u64));
    }
}

#[test]
fn an_early_refusal_of_a_short_file_keeps_the_connection() {
    let (address, server) = serve(|peer| {
        let (header, id) = peer.header("file");
        assert_eq!(header.fields.text("file_name"), Ok(Some(".x")));
        peer.refuse(
            &id,
            &Refusal::new(Code::BadName, "may not begin with a dot"),
        );
        assert_eq!(peer.frame().len(), 1000);
        store(peer)
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let sent = content(1000);
    let refused = client.send_file(".x", sent.as_slice(), 1000, |_| ());
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert!(client.is_open());
    let stored = client.send_file("x", sent.as_slice(), 1000, |_| ());
    assert_eq!(stored.unwrap().name, "x (2)");
    server.join().unwrap();
}

#[test]
fn an_early_refusal_of_a_long_file_stops_the_sending() {
    const SIZE: u64 = 1 << 40;
    let (address, server) = serve(|peer| {
        let (_, id) = peer.header("file");
        peer.refuse(&id, &Refusal::new(Code::NoSpace, "the disk is full"));
        peer.rest().len()
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let refused = client.send_file("x", io::repeat(7).take(SIZE), SIZE, |_| ());
    match refused {
        Err(Error::Refused(refused)) => assert_eq!(refused.code, Some(Code::NoSpace)),
        other => panic!("{other:?}"),
    }
    assert!(!client.is_open());
    drop(client);
    assert!((server.join().unwrap() as u64) < SIZE / 1000);
}

#[test]
fn a_refusal_is_told_though_the_server_closes_behind_it() {
    let (address, server) = serve(|peer| {
        let (_, id) = peer.header("file");
        peer.refuse(&id, &Refusal::new(Code::Quota, "no more"));
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let size = 1 << 40;
    match client.send_file("x", io::repeat(7).take(size), size, |_| ()) {
        Err(Error::Refused(refused)) => assert_eq!(refused.code, Some(Code::Quota)),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

#[test]
fn a_file_that_shrinks_ends_the_connection() {
    let (address, server) = serve(Peer::rest);
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let error = client.send_file("x", &b"short"[..], 6, |_| ());
    assert!(error.unwrap_err().to_string().contains("became shorter"));
    assert!(!client.is_open());
    drop(client);
    server.join().unwrap();
}
