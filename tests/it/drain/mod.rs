//! The end of the real program on a real signal, with everything under way that can be: who gets
//! what is in `cast`, who keeps talking in `chatter`. Everything acknowledged is there, and the
//! last line counts right.

mod arrived;
mod cast;
mod chatter;
mod stuck;

use crate::support::{Daemon, partials, uploads};
use crate::trial::last_line::Counts;
use crate::trial::{content, journal};
use cast::{Cast, Claims};
use chatter::Chatters;
use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a server may take beyond its time: for its threads to go home, on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// Ends a program with everything under way by `signal`, and compares what it leaves with what it
/// has told.
fn ends_with_all_under_way(signal: Signal, drain_timeout: Duration) {
    let home = tempfile::tempdir().unwrap();
    let most = cast::STAYING + chatter::CHATTERS;
    let arguments = [
        format!("--max-connections={most}"),
        format!("--drain-timeout={}ms", drain_timeout.as_millis()),
    ];
    let daemon = Daemon::start(home.path(), &arguments.each_ref().map(String::as_str));
    let mut claims = Claims::default();
    cast::leave_before(&daemon, &mut claims);
    let mut cast = Cast::enter(&daemon, &mut claims);
    let chatters = Chatters::start(&daemon);
    chatters.wait_for_each();
    // There are as many connections now as there may be: these wait to be accepted.
    let waiting = cast::Waiting::connect(&daemon, &mut claims);

    cast.ask_much();
    let begun = Instant::now();
    daemon.signal(signal);
    let cast = cast.see_the_end(&mut claims);
    waiting.see_the_end(&mut claims);
    chatters.see_the_end(&mut claims);
    let (status, said) = daemon.wait();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert!(took < drain_timeout + SLACK, "it took {took:?}");
    cast.see_after_the_end(&mut claims);
    assert_kept(home.path(), &claims, &Counts::in_lines(&said));
}

/// Compares what lies in `home`, and `counts`, with what was claimed.
#[track_caller]
fn assert_kept(home: &Path, claims: &Claims, counts: &Counts) {
    let messages = journal::by_text(journal::read(home));
    for (text, seq) in &claims.messages {
        let found = messages.get(text).map(|message| message.seq);
        assert!(found.is_some(), "{text:?} is lost");
        assert!(
            seq.is_none_or(|seq| found == Some(seq)),
            "{text:?}: {seq:?}, {found:?}"
        );
    }
    let names = uploads(home);
    for (name, seed, size) in &claims.files {
        content::assert_file(&home.join("uploads").join(name), *seed, *size as u64);
    }
    assert_eq!(partials(home), 0);
    // What the chatters asked last they may not have heard of, so the disk says how many they were.
    let expected = Counts {
        served: messages.len() + names.len() + claims.pings,
        refused: claims.refused,
        cut_off: claims.cut_off,
        connections: claims.connections,
        messages: messages.len(),
        files: names.len(),
        stuck: 0,
    };
    assert_eq!(*counts, expected);
    let unheard = (messages.len() - claims.messages.len()) + (names.len() - claims.files.len());
    assert!(unheard <= chatter::CHATTERS, "{unheard} that nobody sent");
}

#[test]
fn sigterm_with_all_under_way() {
    // As the program is shipped.
    let limits = gatepost::config::Limits::default();
    ends_with_all_under_way(Signal::TERM, limits.drain_timeout);
}

#[test]
fn sigint_with_all_under_way() {
    ends_with_all_under_way(Signal::INT, Duration::from_secs(3));
}
