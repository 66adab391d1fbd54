//! `gatepost talk login://…`: name, password, verdict.

use super::Args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::input::{Ask, password, read_line};
use crate::cli::output::Output;
use crate::client::talk::{Credentials, Verdict, login};
use rustyline::DefaultEditor;
use std::io::{self, IsTerminal};
use std::time::Duration;

pub(super) fn run(args: &Args, timeout: Duration) -> Result<(), Failure> {
    if !args.texts.is_empty() {
        return Err(Failure::usage("login:// takes no text; see --user"));
    }
    // All is asked for before connecting: the server may serve nobody else meanwhile, or not wait.
    let user = match &args.user {
        Some(user) => user.clone(),
        None => ask_user()?,
    };
    let password = password(&user, Ask::PersonOrInput)?;
    let credentials = Credentials {
        user: &user,
        password: &password,
        salt: &args.salt,
        insecure: args.insecure,
    };
    let mut output = Output::stdout();
    let mut said = Vec::new();
    let verdict = login(&args.url.address, &credentials, timeout, |text| {
        said.push(text.to_owned());
    });
    for text in &said {
        output.line(text)?;
    }
    match verdict? {
        Verdict::Welcome => Ok(()),
        Verdict::Refused => Err(Failure::new(Exit::Refused, format!("{user} is not let in"))),
        Verdict::Unclear => Err(Failure::new(
            Exit::InputOutput,
            "the server said neither yes nor no",
        )),
    }
}

/// The user's name: from a person, or a line of standard input.
fn ask_user() -> Result<String, Failure> {
    let name = if io::stdin().is_terminal() {
        let line = DefaultEditor::new().and_then(|mut editor| editor.readline("User: "));
        line.map_err(|error| Failure::usage(format!("no user: {error}")))?
    } else {
        let line = read_line(&mut io::stdin().lock())?.unwrap_or_default();
        String::from_utf8(line)
            .map_err(|_| Failure::usage("the user on standard input is not UTF-8"))?
    };
    if name.is_empty() {
        return Err(Failure::usage("no user: give one with --user"));
    }
    Ok(name)
}
