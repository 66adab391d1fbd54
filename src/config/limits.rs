//! Every bound and deadline, once: the struct that the code reads and the table that flags,
//! environment, file and documents are made from.

use std::time::Duration;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes; written as `65536`, `64KiB`, `1MiB`, `2GiB`.
    Bytes,
    /// Things; written as a number.
    Count,
    /// Time; written as `500ms`, `10s`, `2m`, `24h`.
    Time,
}

/// One row of the table of limits.
pub struct Limit {
    /// Its key in the configuration file; `--` and dashes make the flag, `GATEPOST_` and capitals
    /// the environment variable.
    pub key: &'static str,
    /// What it counts. Times are in milliseconds here.
    pub unit: Unit,
    /// The value when nothing is set, in bytes, things or milliseconds.
    pub default: u64,
    /// The smallest value that is taken.
    pub least: u64,
    /// The largest value that is taken.
    pub most: u64,
    /// A sentence for `--help` and the documents.
    pub about: &'static str,
    /// Writes a value into the struct.
    pub set: fn(&mut Limits, u64),
    /// Reads it back.
    pub get: fn(&Limits) -> u64,
}

/// Conversions between a table's plain number and the field's own type.
trait Plain: Sized {
    fn from_plain(value: u64) -> Self;
    fn to_plain(&self) -> u64;
}

impl Plain for usize {
    fn from_plain(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
    fn to_plain(&self) -> u64 {
        *self as u64
    }
}

impl Plain for u64 {
    fn from_plain(value: u64) -> Self {
        value
    }
    fn to_plain(&self) -> u64 {
        *self
    }
}

impl Plain for Duration {
    fn from_plain(value: u64) -> Self {
        Self::from_millis(value)
    }
    fn to_plain(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

macro_rules! limits {
    ($($name:ident: $type:ty, $unit:ident, $default:expr, $least:expr, $most:expr, $about:literal;)+) => {
        /// The values in force. Each field's unit, default and range stand in [`LIMITS`].
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits { $(#[doc = $about] pub $name: $type),+ }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: Plain::from_plain($default)),+ }
            }
        }

        /// Every limit with its unit, default and range.
        pub const LIMITS: &[Limit] = &[$(Limit {
            key: stringify!($name),
            unit: Unit::$unit,
            default: $default,
            least: $least,
            most: $most,
            about: $about,
            set: |limits, value| limits.$name = Plain::from_plain(value),
            get: |limits| limits.$name.to_plain(),
        }),+];
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

limits! {
    workers: usize, Count, 64, 4, 4_096,
        "Threads that serve connections. Where there are 6 or more, blocking work leaves 4 of them free.";
    max_connections: usize, Count, 10_000, 1, 1_000_000,
        "Connections at once; further ones wait to be accepted.";
    max_connections_per_address: usize, Count, 1_024, 1, 1_000_000,
        "Connections at once from one address, an IPv6 /64 being one; loopback is exempt.";
    max_header: usize, Bytes, 64 * KIB, 256, MIB,
        "The longest header frame.";
    max_header_before_login: usize, Bytes, 4 * KIB, 256, MIB,
        "The longest header frame before a login where one is required.";
    max_text: usize, Bytes, MIB, 1, 64 * MIB,
        "The longest text of a message or for a bot.";
    max_unanswered: usize, Count, 1_024, 1, 65_536,
        "Requests of one connection that may wait for their answers; beyond it the connection is not read.";
    max_outbox: usize, Bytes, MIB, 4 * KIB, GIB,
        "What may wait to be sent to one connection; beyond it the connection is not read, and pushes leave a gap.";
    max_joins: usize, Count, 256, 1, 65_536,
        "Rooms that one connection may have joined at once.";
    max_buffers: usize, Bytes, 256 * MIB, MIB, 1 << 40,
        "Texts and outboxes of all connections together; beyond it new texts are refused as busy, beyond twice of it also those that have begun.";
    max_discard: u64, Bytes, 64 * MIB, 0, 1 << 40,
        "How much of a refused body is read and thrown away to keep the connection.";
    quota_per_user: u64, Bytes, 0, 0, 1 << 50,
        "What the files of one user may have together; 0 is no bound.";
    quota: u64, Bytes, 0, 0, 1 << 50,
        "What all files together may have; 0 is no bound.";
    disk_reserve: u64, Bytes, GIB, 0, 1 << 50,
        "What uploads leave free on the disk: this or a twentieth of it, whichever is more, but at most half of what is free at the start.";
    partial_kept: Duration, Time, 24 * HOUR, SECOND, 8_760 * HOUR,
        "How long an upload that broke off can be resumed.";
    messages_kept_for: Duration, Time, 0, 0, 876_000 * HOUR,
        "How long messages are kept; 0 is for ever.";
    messages_kept_bytes: u64, Bytes, 0, 0, 1 << 50,
        "What the texts of all messages may have together, beyond which the oldest go; 0 is no bound.";
    frame_timeout: Duration, Time, 10 * SECOND, 10, HOUR,
        "Time for a frame that began to be whole, and for a text to follow its header.";
    proxy_timeout: Duration, Time, 10 * SECOND, 10, HOUR,
        "Time for a proxy to say whose connection it passes on.";
    handshake_timeout: Duration, Time, 10 * SECOND, 10, HOUR,
        "Time for a TLS handshake.";
    login_timeout: Duration, Time, 10 * SECOND, 10, HOUR,
        "Time for the login where one is required.";
    upload_timeout: Duration, Time, 30 * SECOND, 10, 24 * HOUR,
        "The longest silence inside a file's body.";
    idle_timeout: Duration, Time, 300 * SECOND, 10, 24 * HOUR,
        "How long a connection must have been idle to be closed once nine tenths of max_connections are taken; before, none is.";
    output_timeout: Duration, Time, 60 * SECOND, 10, 24 * HOUR,
        "The longest time without progress while a peer should read.";
    linger: Duration, Time, 2 * SECOND, 0, 60 * SECOND,
        "How long a closed connection is read on, so that the peer gets the last word.";
    drain_timeout: Duration, Time, 8 * SECOND, 100, HOUR,
        "Time for a graceful stop.";
    max_failed_logins: usize, Count, 5, 1, 1_000_000,
        "Failed logins a minute of one user from one address; after that waits that grow.";
    max_failed_logins_per_address: usize, Count, 20, 1, 1_000_000,
        "Failed logins a minute from one address in all, an IPv6 /64 being one; after that waits that grow.";
    longest_login_wait: Duration, Time, HOUR, SECOND, 8_760 * HOUR,
        "The longest wait after failed logins.";
    max_waiting_logins: usize, Count, 2_048, 1, 1_000_000,
        "Logins by password that may wait for the hashes of others; further ones are refused as busy.";
    token_lifetime: Duration, Time, 720 * HOUR, SECOND, 87_600 * HOUR,
        "How long a token can be used to log in.";
    max_tokens_per_user: usize, Count, 1_000, 1, 1_000_000,
        "Tokens of one user at once; beyond it the one longest unused ends.";
    queue: usize, Count, 1_024, 1, 65_536,
        "Accepted connections that may wait for a worker; beyond it they wait in the kernel.";
    print_rate: u64, Count, 1_000, 1, 1_000_000,
        "Messages shown a second; what is left out is counted.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_in_its_range_and_reads_back() {
        let mut limits = Limits::default();
        for limit in LIMITS {
            assert!(
                (limit.least..=limit.most).contains(&limit.default),
                "{}",
                limit.key
            );
            assert_eq!((limit.get)(&limits), limit.default, "{}", limit.key);
            (limit.set)(&mut limits, limit.most);
            assert_eq!((limit.get)(&limits), limit.most, "{}", limit.key);
        }
    }
}
