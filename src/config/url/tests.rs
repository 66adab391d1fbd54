//! What is a listener's URL, and what is said of what is none.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn refused(url: &str, why: &str) {
    let error = url.parse::<Listen>().unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[track_caller]
fn listen(url: &str) -> Listen {
    url.parse().unwrap()
}

#[test]
fn a_login_is_required_beyond_loopback() {
    let login = |url: &str| listen(url).login;
    assert_eq!(login("framed://127.0.0.1:1"), LoginPolicy::Optional);
    assert_eq!(login("framed://[::1]:1"), LoginPolicy::Optional);
    assert_eq!(login("framed://0.0.0.0:1"), LoginPolicy::Required);
    assert_eq!(login("framed://[::]"), LoginPolicy::Required);
    assert_eq!(login("framed://0.0.0.0:1?login=off"), LoginPolicy::Off);
}

#[test]
fn where_nobody_can_log_in_anybody_must_be_let_in_aloud() {
    assert_eq!(listen("sink://127.0.0.1:1").login, LoginPolicy::Off);
    assert_eq!(listen("sink://0.0.0.0:1?login=off").login, LoginPolicy::Off);
    refused("sink://0.0.0.0:1", "?login=off");
    refused("udp://[::]:1?room=a", "?login=off");
    refused("bot://127.0.0.1:1?login=required", "knows no login");
    assert_eq!(listen("login://0.0.0.0:1").login, LoginPolicy::Optional);
    refused("login://127.0.0.1:1?login=off", "login:// takes proxy");
}

#[test]
fn behind_a_proxy_everybody_comes_from_elsewhere() {
    let proxied = listen("framed://127.0.0.1:1?proxy=10.0.0.0/8,::ffff:192.0.2.1,2001:db8::/32");
    assert_eq!(proxied.login, LoginPolicy::Required);
    for (peer, is_believed) in [
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("11.0.0.1", false),
        ("2001:db8:1::1", true),
        ("2001:db9::1", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(
            proxied.believes(peer.parse().unwrap()),
            is_believed,
            "{peer}"
        );
    }
    assert!(!listen("framed://127.0.0.1:1").believes(Ipv6Addr::LOCALHOST.into()));
    refused("sink://127.0.0.1:1?proxy=127.0.0.1", "?login=off");
    refused("framed://127.0.0.1:1?proxy=10.0.0.0/33", "no network");
    refused("framed://127.0.0.1:1?proxy=", "no network");
    refused(
        "udp://127.0.0.1:1?proxy=10.0.0.0/8",
        "udp:// takes login, room",
    );
}

#[test]
fn parameters_are_decoded() {
    let hello = listen("hello://127.0.0.1:1?reply=hello%20world%26%e4%BD%a0&room=%40%E6%9D%8E");
    assert_eq!(hello.reply.as_deref(), Some("hello world&你"));
    assert_eq!(hello.room, RoomName::new("@李").ok());
    assert!(listen("frames://127.0.0.1:1?length=ascii").ascii_length);
    assert!(!listen("frames://127.0.0.1:1?length=binary").ascii_length);
}

#[test]
fn a_listener_is_shown_as_it_can_be_given_again() {
    for url in [
        "framed://127.0.0.1:8001",
        "framed://127.0.0.1:8001?login=off",
        "framed://127.0.0.1:8001?login=required&room=a",
        "framed://[::]:8001",
        "framed://0.0.0.0:0?login=optional",
        "hello://127.0.0.1:1?reply=hello%20world",
        "frames://[::1]:2?length=ascii",
        "sink://0.0.0.0:3?login=off",
        "login://0.0.0.0:3",
        "framed+tls://0.0.0.0:8001",
        "hello+tls://127.0.0.1:1?reply=a",
        "udp://127.0.0.1:0?room=@李四",
        "framed://127.0.0.1:8001?login=optional&proxy=10.0.0.0/8%2C192.0.2.1/32",
        "framed://[::1]:8001?proxy=2001:db8::/32",
        "bot://127.0.0.1:1?login=off&proxy=127.0.0.1/32",
    ] {
        assert_eq!(listen(url).to_string(), url);
    }
}

#[test]
fn a_wrong_url_says_what_is_wrong() {
    refused("127.0.0.1:1", "no scheme");
    refused(
        "http://127.0.0.1:1",
        "no conversation \"http\"; known are framed, hello, bot, upload, login, delay, sink, \
         frames, udp",
    );
    refused("framed://127.0.0.1:99999", "no port");
    refused("framed://example.org:1", "no IP address");
    refused("framed://[::1:1", "bracket");
    refused("hello://127.0.0.1", "it has no port");
    refused(
        "framed://127.0.0.1:1?login=maybe",
        "off, optional or required",
    );
    refused(
        "framed://127.0.0.1:1?color=red",
        "no parameter \"color\"; framed:// takes login, proxy, room",
    );
    refused("sink://127.0.0.1:1?reply=x", "no parameter \"reply\"");
    refused("sink://127.0.0.1:1?room=a%20b", "white space");
    refused("sink://127.0.0.1:1?room=a&room=b", "said twice");
    refused("frames://127.0.0.1:1?length=4", "binary or ascii");
    refused("hello://127.0.0.1:1?reply=%4", "two hexadecimal digits");
    refused("hello://127.0.0.1:1?reply=%+4", "two hexadecimal digits");
    refused("hello://127.0.0.1:1?reply=%ff", "not UTF-8");
    refused("udp+tls://127.0.0.1:1", "no TLS for datagrams");
    refused("hello+ssl://127.0.0.1:1", "no conversation");
    refused("+tls://127.0.0.1:1", "no conversation");
    refused("http+tls://127.0.0.1:1", "no conversation");
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(reply: String, room in "[^\\p{White_Space}\\p{Cc}]{1,16}") {
        let mut told = listen("hello://127.0.0.1:1");
        told.reply = Some(reply);
        told.room = RoomName::new(room).ok();
        let shown = told.to_string();
        prop_assert!(!shown.contains(|c: char| c.is_control() || c == ','));
        prop_assert_eq!(shown.parse::<Listen>(), Ok(told));
    }

    #[test]
    fn any_text_is_a_listener_or_an_error(url: String) {
        let _ = url.parse::<Listen>();
        let _ = format!("hello://127.0.0.1:1?reply={url}").parse::<Listen>();
    }
}
