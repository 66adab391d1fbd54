//! gatepost: the lodge at the gate for machines and people.
//!
//! # The map
//!
//! Modules in reading order, bottom to top. A module may use what stands above it in this list
//! (below it in the house), never what stands beneath; `tests/it/layers.rs` holds that true.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`wire`] | bytes to values and back: frames, headers, replies, codes, checked names |
//! | [`time`] | the clock and randomness, as values |
//! | [`rate`] | at most so many a second |
//! | [`config`] | what an operator can set: listeners and limits |
//! | [`budget`] | one bound for the memory of all connections |
//! | [`ticket`] | an answer owed, redeemed exactly once |
//! | [`session`] | what a connection has become: peer, user, role |
//! | [`store`] | the only code that touches the disk |
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
pub mod rate;
pub mod server;
pub mod session;
pub mod store;
pub mod ticket;
pub mod time;
pub mod wire;
