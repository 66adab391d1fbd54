//! Golden conversations: what is said on the wire, in one text form, in `tests/it/data`. The
//! protocol document quotes them.

pub(crate) mod form;
mod inside;
pub(crate) mod pattern;
mod play;

use form::{Conversation, Event};
use std::fs;
use std::path::Path;

/// Makes the list of the files of conversations, and a test of each.
macro_rules! files {
    ($($name:ident)+) => {
        const FILES: &[&str] = &[$(stringify!($name)),+];

        $(#[test]
        fn $name() {
            play_all(stringify!($name));
        })+
    };
}

files!(bot broken close file get hello history join kick leave list login logout msg offset ping remove rooms timeouts unknown_type);

/// In how many ways each conversation is cut in process.
const SEEDS: u64 = 16;

/// Plays every conversation of a file in every manner.
#[track_caller]
fn play_all(name: &str) {
    let mut wrong = Vec::new();
    for conversation in load(name) {
        let title = &conversation.title;
        let mut note = |how: String, result: Result<(), String>| {
            if let Err(error) = result {
                wrong.push(format!(
                    "{title}, {how}:\ntests/it/data/{name}.txt, {error}\n"
                ));
            }
        };
        let manners = play::MANNERS.iter();
        for manner in manners.filter(|_| !conversation.setup.stalls) {
            note(format!("{manner:?}"), play::play(&conversation, *manner));
        }
        // In process no time passes.
        let is_pause = |step: &form::Step| matches!(step.event, Event::Pass(_));
        if !conversation.steps.iter().any(is_pause) {
            // A login costs a password hash, and its bytes are cut like any others.
            let seeds = if conversation.setup.accounts.is_empty() {
                SEEDS
            } else {
                2
            };
            for seed in 0..seeds {
                note(
                    format!("in process, seed {seed}"),
                    inside::play(&conversation, seed),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n\n{}", wrong.join("\n"));
}

/// The conversations of one file.
#[track_caller]
fn load(name: &str) -> Vec<Conversation> {
    let file = format!("tests/it/data/{name}.txt");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file));
    let text = text.unwrap_or_else(|error| panic!("{file}: {error}"));
    form::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every conversation there is.
pub(crate) fn all() -> Vec<Conversation> {
    FILES.iter().flat_map(|name| load(name)).collect()
}

#[test]
fn every_file_of_conversations_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data");
    let mut there: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let known: Vec<_> = FILES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(there, known);
}

#[test]
fn every_conversation_has_a_title_of_its_own_and_something_expected() {
    let mut titles = std::collections::HashSet::new();
    for file in FILES {
        for conversation in load(file) {
            let title = conversation.title;
            assert!(
                titles.insert((file, title.clone())),
                "{file}: {title:?} twice"
            );
            let last = conversation.steps.last().map(|step| &step.event);
            let expects = matches!(last, Some(Event::Header(_) | Event::Text(_) | Event::Eof));
            assert!(expects, "{file}: {title:?} expects nothing at its end");
        }
    }
}
