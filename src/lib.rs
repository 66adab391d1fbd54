//! gatepost: the lodge at the gate for machines and people.
//!
//! One daemon that takes in messages and files over a framed protocol, keeps them, and answers; and
//! the client of it. This page is the map of the house: how a request goes through it, what stands
//! where, and what is true everywhere. The protocol is in `docs/protocol.md`.
//!
//! # The way of a request
//!
//! ```text
//! acceptor ─▶ queue ─▶ worker ─▶ conversation ─▶ dispatch ─▶ handler ─▶ store
//! (a thread a         (leader or    (sans-IO)                             │
//!  listener)           follower) ◀────────── outcome ◀─────────────────────┘
//!                        │  └─▶ outbox ─▶ socket
//!                      poller: parked connections, deadlines
//! ```
//!
//! An acceptor offers each blocking stream to a bounded queue. A worker takes it, and from then on
//! the connection is *owned* by one worker at a time, lies in the queue, or is *parked* on the
//! poller. In a turn its owner reads what is there (every call says `MSG_DONTWAIT`), feeds the
//! conversation, hands each request to dispatch, sends what is owed, and parks it again; after 64
//! KiB or 32 requests it goes to the end of the line.
//!
//! One idle worker at a time, the *leader*, sleeps on the poller, takes a batch of ready
//! connections and serves them itself: no request costs a wake-up of a second thread. It passes the
//! lead on when the batch came back full, and before anything that may block; the other workers
//! sleep in the queue. What may block (files, password hashes) runs on as many workers as leave
//! some free, and who finds no room waits parked.
//!
//! A handler returns an *outcome*: a reply, perhaps with a *source* that its body is read from while
//! the peer takes it, a *sink* that wants the request's body, or that it took a *ticket*, which
//! whoever finishes the work redeems. So a message that waits for its sync holds no worker:
//! the journal thread commits all that waits and redeems the tickets together.
//!
//! # What is true everywhere
//!
//! - No handler sees a socket, no store sees JSON, no conversation or wire function opens anything
//!   or knows what time it is. Only `cli` prints or ends the process, only `store` touches the disk
//!   (and `cli` its settings and lock, `kernel` what is in `/proc`).
//! - Every request is answered once if it has an id, and never if it has none. A ticket that is
//!   dropped redeems itself; a handler that panics is answered `internal`.
//! - A positive answer is a receipt: what it speaks of is on the disk.
//! - Nothing that a peer says is believed: no memory is reserved by what a length claims, and no
//!   path is made of a client's words but one checked component beneath an open folder.
//! - No worker waits for a peer that neither sends nor reads. Only acceptors feel the queue's
//!   bound, and nobody who drains it can block on filling it.
//! - A lock is held for a few lines over memory, never across input or output, and never two at
//!   once. The one that is held through a turn, a connection's inside, is never contended: it is
//!   how safe Rust says who the owner is.
//! - There is no `unsafe`.
//!
//! # The map
//!
//! Modules in reading order, bottom to top. A module may use what stands above it in this list
//! (below it in the house), never what stands beneath; `tests/it/layers` holds that true.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`wire`] | bytes to values and back: frames, headers, replies, codes, checked names |
//! | [`time`] | the clock and randomness, as values |
//! | [`rate`] | at most so many a second |
//! | [`kernel`] | what only `/proc` tells |
//! | [`tls`] | certificates, whom to believe, and encrypted records to bytes and back |
//! | [`config`] | what an operator can set: listeners and limits |
//! | [`budget`] | one bound for the memory of all connections |
//! | [`ticket`] | an answer owed, redeemed exactly once |
//! | [`session`] | what a connection has become: peer, user, role; who may do what |
//! | [`store`] | the only code that touches the disk |
//! | [`rooms`] | who reads which room, and how what is posted gets to them |
//! | [`gate`] | who is let in |
//! | [`bot`] | what answers a text with a text |
//! | [`handler`] | what the service does, one file a request type |
//! | [`dispatch`] | from a request to its handler, inside a fence |
//! | [`conversation`] | protocols as sans-IO state machines, both sides of each |
//! | [`client`] | the blocking client |
//! | [`server`] | threads and sockets |
//! | [`cli`] | one file a subcommand; the only code that prints or ends the process |

pub mod bot;
pub mod budget;
pub mod cli;
pub mod client;
pub mod config;
pub mod conversation;
pub mod dispatch;
pub mod gate;
pub mod handler;
pub mod kernel;
pub mod rate;
pub mod rooms;
pub mod server;
pub mod session;
pub mod store;
pub mod ticket;
pub mod time;
pub mod tls;
pub mod wire;
