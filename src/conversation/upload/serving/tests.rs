//! Files in any segmentation, against a host that does what the house does with them.

use super::*;
use proptest::prelude::*;

/// What became of a stream.
#[derive(Debug, PartialEq)]
enum Outcome {
    Published(String, Vec<u8>),
    Refused(String),
    Nothing,
}

/// Plays a stream that was read in `reads`.
fn play<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    play_to(UploadServing::end, reads)
}

/// The same with an end of another kind.
fn play_to<'a>(
    end: impl FnOnce(&mut UploadServing),
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut file = Played::default();
    let mut upload = UploadServing::new();
    let mut buffer: Vec<u8> = Vec::new();
    for read in reads {
        buffer.extend_from_slice(read);
        let mut input = buffer.as_slice();
        if let Some(outcome) = file.feed(&mut upload, &mut input) {
            return outcome;
        }
        assert!(input.len() <= LONGEST, "what is kept is bounded");
        buffer = input.to_vec();
    }
    end(&mut upload);
    let mut input = buffer.as_slice();
    file.feed(&mut upload, &mut input)
        .unwrap_or(Outcome::Nothing)
}

#[derive(Default)]
struct Played {
    name: String,
    announced: Option<u64>,
    content: Vec<u8>,
}

impl Played {
    fn feed(&mut self, upload: &mut UploadServing, input: &mut &[u8]) -> Option<Outcome> {
        loop {
            match upload.next(input) {
                Ok(Step::More) => return None,
                Ok(Step::Begin(header)) => self.name(&header.fields),
                Ok(Step::Announce(bytes)) => self.announced = Some(bytes),
                Ok(Step::Piece(piece)) => self.content.extend_from_slice(piece),
                Ok(Step::Amend(fields)) => {
                    assert_eq!(self.announced, None, "what is certain is not amended");
                    self.name(&fields);
                    let skip = fields.number("skip").unwrap().unwrap_or(0) as usize;
                    let front = fields.text("front").unwrap().unwrap_or_default();
                    self.content.splice(..skip, front.bytes());
                }
                Ok(Step::End) => {
                    let content = std::mem::take(&mut self.content);
                    let size = content.len() as u64;
                    assert_eq!(self.announced.unwrap_or(size), size);
                    return Some(Outcome::Published(self.name.clone(), content));
                }
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => return Some(Outcome::Refused(refusal.to_string())),
            }
        }
    }

    fn name(&mut self, fields: &Fields) {
        fields
            .text("file_name")
            .unwrap()
            .unwrap()
            .clone_into(&mut self.name);
    }
}

fn sent(stream: &[u8]) -> Outcome {
    play([stream])
}

fn published(name: &str, content: impl AsRef<[u8]>) -> Outcome {
    Outcome::Published(name.to_owned(), content.as_ref().to_vec())
}

#[track_caller]
fn refused(stream: &[u8], why: &str) {
    match sent(stream) {
        Outcome::Refused(reason) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn prefix_and_content_in_one_read_or_a_byte_a_read() {
    for (name, content) in [
        ("a.txt", "hello file\n"),
        ("照-片 (2).png", "\u{0}\u{1}"),
        ("a-1", "123 begins with digits"),
        ("empty", ""),
    ] {
        let stream = format!("{name}-{}{content}", content.len());
        assert_eq!(sent(stream.as_bytes()), published(name, content));
        assert_eq!(play(stream.as_bytes().chunks(1)), published(name, content));
    }
    assert_eq!(play([]), Outcome::Nothing);
}

#[test]
fn a_large_file_goes_on_before_its_end_is_known() {
    for begin in ["", "7", "-5", "-99999999", "12345-", "x-20000"] {
        let content = format!("{begin}{}", "abc\n".repeat(50_000)).into_bytes();
        let prefix = format!("2024-01-05.bin-{}", content.len()).into_bytes();
        let expected = published("2024-01-05.bin", &content);
        let stream = [prefix.as_slice(), &content].concat();
        assert_eq!(play([prefix.as_slice(), &content]), expected, "{begin}");
        assert_eq!(sent(&stream), expected, "{begin}");
        assert_eq!(play(stream.chunks(1)), expected, "{begin}");
        assert_eq!(play(stream.chunks(65_536)), expected, "{begin}");
        // A break anywhere behind what any cut can be is one.
        for cut in [300, 30_000, stream.len() - 1] {
            assert!(
                matches!(sent(&stream[..cut]), Outcome::Refused(_)),
                "{begin} {cut}"
            );
        }
    }
}

#[test]
fn digits_alone_are_published_only_when_they_came_by_themselves() {
    refused(b"a-211", "set aside");
    refused(b"a-211", "\"11\"");
    assert_eq!(play([&b"a-2"[..], b"11"]), published("a", "11"));
    assert_eq!(play([&b"a"[..], b"-2", b"1", b"1"]), published("a", "11"));
    assert!(matches!(play([&b"a-21"[..], b"1"]), Outcome::Refused(_)));
    // More digits than any size has.
    let pi = "31415926535897932384626433";
    assert_eq!(sent(format!("pi-26{pi}").as_bytes()), published("pi", pi));
}

#[test]
fn what_is_no_file_says_why() {
    refused(b"hello", "NAME-SIZE");
    refused(b"a-", "NAME-SIZE");
    refused(&[b'x'; 400], "NAME-SIZE");
    refused(b"../x-5hello", "bad_name: a file name may not");
    refused(b"/tmp/x-5hello", "separator");
    refused(&[&b"x"[..], &[b'y'; 255], b"-5hello"].concat(), "255 bytes");
    refused(b"a-5hell", "broke off: 4 of 5 bytes came");
    refused(b"a-5hello!", "6 instead of 5");
    refused(&[&b"a-5"[..], &[b'x'; 999]].concat(), "999 instead of 5");
    let reads = [&b"a-300"[..], &[b'x'; 290], &[b'x'; 11]];
    assert!(
        matches!(play(reads), Outcome::Refused(_)),
        "a byte too many"
    );
}

#[test]
fn a_break_in_the_prefix_publishes_nothing() {
    let stream = "照片-x.png-9hello you".as_bytes();
    assert_eq!(sent(stream), published("照片-x.png", "hello you"));
    for cut in 1..stream.len() {
        assert!(matches!(sent(&stream[..cut]), Outcome::Refused(_)), "{cut}");
        let byte_by_byte = play(stream[..cut].chunks(1));
        assert!(matches!(byte_by_byte, Outcome::Refused(_)), "{cut}");
    }
}

proptest! {
    #[test]
    fn cuts_of_the_stream_do_not_matter(
        name in "[a-c0-9你.-]{0,6}x", begin in "[0-9a-]{0,6}", length in 0usize..700,
        cuts in prop::collection::vec(1usize..400, 1..6),
    ) {
        let content = format!("{begin}{}", "y".repeat(length));
        let stream = format!("{name}-{}{content}", content.len()).into_bytes();
        prop_assume!(FileName::new(name.as_str()).is_ok());
        let (mut reads, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (read, tail) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            reads.push(read);
            rest = tail;
        }
        let head = &stream[..stream.len().min(LONGEST)];
        let cut = decide(head, stream.len() as u64).unwrap();
        let name = std::str::from_utf8(&stream[..cut.name]).unwrap();
        let expected = published(name, &stream[cut.prefix..]);
        let digits = stream[cut.prefix..].iter().all(u8::is_ascii_digit);
        match play(reads) {
            Outcome::Refused(_) => prop_assert!(digits && cut.size > 0),
            outcome => prop_assert_eq!(outcome, expected),
        }
    }

    #[test]
    fn any_bytes_are_survived(reads in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
        play(reads.iter().map(Vec::as_slice));
    }
}

#[test]
fn a_stream_that_was_cut_off_is_taken_only_where_nothing_could_follow() {
    let cut_off = |stream: &[u8]| play_to(UploadServing::cut_off, [stream]);
    let Outcome::Refused(why) = cut_off(b"a-5hello") else {
        panic!("a-5hello may be the name of a longer file");
    };
    assert!(why.contains("cut off"), "{why}");
    let content = vec![b'x'; 2 * LONGEST];
    let whole = [format!("a-{}", content.len()).as_bytes(), &content].concat();
    assert_eq!(
        cut_off(&whole),
        Outcome::Published("a".to_owned(), content.clone())
    );
    // As 55 bytes it is whole, as 555 it has only begun.
    let longer = [&b"a-55"[..], &[b'5'; 500]].concat();
    assert!(matches!(cut_off(&longer[..4 + 54]), Outcome::Refused(_)));
    let Outcome::Refused(_) = cut_off(&whole[..whole.len() - 1]) else {
        panic!("a byte is missing");
    };
    let two = [&b"a-3001"[..], &[b'x'; 299]].concat();
    assert!(
        matches!(play([&two[..]]), Outcome::Published(..)),
        "as a-300 it is whole"
    );
    assert!(
        matches!(cut_off(&two), Outcome::Refused(_)),
        "as a-3001 it is not"
    );
}
