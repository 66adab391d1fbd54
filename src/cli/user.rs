//! `gatepost user`: adds, changes, removes and lists accounts in the home folder's `users.txt`.
//! A daemon that runs there notices by itself.

mod tokens;

pub use tokens::TokensCommand;

use super::exit::{Exit, Failure};
use super::settings::{Flags, Resolved};
use crate::gate::{HashError, hash_proof, proof};
use crate::session::Role;
use crate::store::{Account, EditError, Secret, StoreError, UsersEditor};
use crate::time::Random;
use crate::wire::{NameError, UserName};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The arguments of `gatepost user`.
#[derive(Debug, Clone, clap::Args)]
pub struct UserArgs {
    /// The daemon's home folder; the current one, or `GATEPOST_HOME`, by default.
    #[arg(long, value_name = "DIR", global = true)]
    home: Option<OsString>,
    /// The daemon's settings, if they are not in gatepost.toml there: the salt is one of them.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: UserCommand,
}

/// What to do with which account.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum UserCommand {
    /// Add an account. Its password is asked for, or read as one line from standard input.
    Add {
        /// The user's name.
        name: String,
        /// Give the role admin.
        #[arg(long)]
        admin: bool,
    },
    /// Change a password. It is asked for, or read as one line from standard input.
    Passwd {
        /// The user's name.
        name: String,
    },
    /// Remove an account.
    Remove {
        /// The user's name.
        name: String,
    },
    /// List the accounts: name, role, and the form of the secret.
    List,
    /// List or end the tokens that logins were given.
    #[command(subcommand)]
    Tokens(TokensCommand),
}

/// Why nothing was done.
#[derive(Debug)]
pub enum UserError {
    /// The name can't be one: a fault of usage.
    Name(NameError),
    /// The password is empty: a fault of usage.
    EmptyPassword,
    /// The two passwords typed are not the same: a fault of usage.
    Mismatch,
    /// There is such a user already: a fault of usage.
    NameTaken(UserName),
    /// There is no such user: a fault of usage.
    NoSuchUser(UserName),
    /// There is no such user with a token, nor such a token: a fault of usage.
    NoSuchToken(String),
    /// Input or output failed, or the input ended before a password.
    Io(io::Error),
    /// `users.txt` or `gatepost.db` at this path could not be read or changed: input or output,
    /// or worth another try.
    Store(PathBuf, StoreError),
    /// There is no memory for a password hash; worth another try.
    Hash(HashError),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::EmptyPassword => f.write_str("the password is empty"),
            Self::Mismatch => f.write_str("the two passwords are not the same"),
            Self::NameTaken(name) => write!(
                f,
                "there is a user {name} already; gatepost user passwd {name} changes the password"
            ),
            Self::NoSuchUser(name) => write!(f, "there is no user {name}"),
            Self::NoSuchToken(who) => {
                write!(f, "{who} is neither a user with a token nor the id of one")
            }
            Self::Io(error) => error.fmt(f),
            Self::Store(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Hash(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UserError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Store(_, error) => Some(error),
            Self::Hash(error) => Some(error),
            Self::EmptyPassword
            | Self::Mismatch
            | Self::NameTaken(_)
            | Self::NoSuchUser(_)
            | Self::NoSuchToken(_) => None,
        }
    }
}

impl From<NameError> for UserError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<io::Error> for UserError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where a password comes from: is given a prompt, returns what was typed.
pub type Ask<'a> = dyn FnMut(&str) -> io::Result<String> + 'a;

/// The person at the shell.
pub struct Console<'a> {
    /// Asks for a password.
    pub ask: &'a mut Ask<'a>,
    /// Whether it is typed unseen, so that it is asked for twice.
    pub is_typed: bool,
    /// Where answers go.
    pub out: &'a mut dyn Write,
    /// Where warnings go.
    pub err: &'a mut dyn Write,
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let exit = match &error {
            // The input ended: whoever runs this gave no password.
            UserError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Exit::Usage,
            UserError::Name(_)
            | UserError::EmptyPassword
            | UserError::Mismatch
            | UserError::NameTaken(_)
            | UserError::NoSuchUser(_)
            | UserError::NoSuchToken(_) => Exit::Usage,
            UserError::Store(_, error) => Exit::of_store(error),
            UserError::Io(_) => Exit::InputOutput,
            UserError::Hash(_) => Exit::TryAgain,
        };
        Self::new(exit, error.to_string())
    }
}

/// Carries out what `args` say, over the standard streams. A password is asked for twice and not
/// shown on a terminal, else one line is read.
///
/// # Errors
///
/// [`Failure`]; the accounts are then as they were.
pub fn run(args: &UserArgs) -> Result<(), Failure> {
    let flags = Flags::of_home(args.home.clone(), args.config.clone());
    let config = Resolved::load(&flags, &|name| std::env::var_os(name))?
        .settings
        .config;
    Ok(run_over_streams(&args.command, &config.home, &config.salt)?)
}

fn run_over_streams(command: &UserCommand, home: &Path, salt: &str) -> Result<(), UserError> {
    let is_typed = io::stdin().is_terminal();
    let mut ask = |prompt: &str| {
        if is_typed {
            rpassword::prompt_password(prompt)
        } else {
            read_line()
        }
    };
    let mut console = Console {
        ask: &mut ask,
        is_typed,
        out: &mut io::stdout().lock(),
        err: &mut io::stderr().lock(),
    };
    run_at(&mut console, command, home, salt)
}

/// Carries out `command` in the folder `home` at any console. `salt` is the server's.
///
/// # Errors
///
/// [`UserError`]; the accounts are then as they were.
pub fn run_at(
    console: &mut Console<'_>,
    command: &UserCommand,
    home: &Path,
    salt: &str,
) -> Result<(), UserError> {
    let editor = UsersEditor::new(home.join("users.txt"));
    match command {
        UserCommand::Add { name, admin } => add(console, &editor, name, *admin, salt),
        UserCommand::Passwd { name } => passwd(console, &editor, name, salt),
        UserCommand::Remove { name } => {
            let name = UserName::new(name)?;
            let removed = editor.remove(&name);
            removed.map_err(|error| explain(&editor, error))?;
            Ok(writeln!(console.out, "{name} is removed")?)
        }
        UserCommand::List => list(console, &editor),
        UserCommand::Tokens(command) => tokens::run_at(console, command, home, SystemTime::now()),
    }
}

fn add(
    console: &mut Console<'_>,
    editor: &UsersEditor,
    name: &str,
    admin: bool,
    salt: &str,
) -> Result<(), UserError> {
    let name = UserName::new(name)?;
    // Asked before the password is typed; the editor asks again under its lock.
    if accounts(editor)?.iter().any(|account| account.name == name) {
        return Err(UserError::NameTaken(name));
    }
    let account = Account {
        secret: ask_secret(console, &name, salt)?,
        role: if admin { Role::Admin } else { Role::User },
        name,
    };
    let added = editor.add(&account);
    added.map_err(|error| explain(editor, error))?;
    let Account { name, role, .. } = account;
    let file = editor.path().display();
    Ok(writeln!(
        console.out,
        "{name} is added as {role} in {file}"
    )?)
}

fn passwd(
    console: &mut Console<'_>,
    editor: &UsersEditor,
    name: &str,
    salt: &str,
) -> Result<(), UserError> {
    let name = UserName::new(name)?;
    if accounts(editor)?.iter().all(|account| account.name != name) {
        return Err(UserError::NoSuchUser(name));
    }
    let secret = ask_secret(console, &name, salt)?;
    let changed = editor.set_secret(&name, &secret);
    changed.map_err(|error| explain(editor, error))?;
    Ok(writeln!(console.out, "{name} has a new password")?)
}

fn list(console: &mut Console<'_>, editor: &UsersEditor) -> Result<(), UserError> {
    let (accounts, faults) = editor.list().map_err(|error| store(editor, error))?;
    let widest = accounts
        .iter()
        .map(|account| account.name.as_str().chars().count());
    let width = widest.max().unwrap_or(0);
    for Account { name, secret, role } in &accounts {
        let (name, role) = (name.as_str(), role.word());
        writeln!(console.out, "{name:width$}  {role:5}  {}", secret.form())?;
    }
    if accounts.is_empty() {
        writeln!(
            console.err,
            "there are no accounts yet; add one with gatepost user add NAME"
        )?;
    }
    for Account { name, secret, .. } in &accounts {
        if matches!(secret, Secret::Md5(_)) {
            writeln!(
                console.err,
                "warning: {name}'s secret is still in the course's form, as good as the password \
                 to whoever reads the file, until the next login or gatepost user passwd {name}"
            )?;
        }
    }
    for fault in &faults {
        writeln!(console.err, "warning: {}: {fault}", editor.path().display())?;
    }
    Ok(())
}

fn accounts(editor: &UsersEditor) -> Result<Vec<Account>, UserError> {
    let (accounts, _) = editor.list().map_err(|error| store(editor, error))?;
    Ok(accounts)
}

fn ask_secret(console: &mut Console<'_>, name: &UserName, salt: &str) -> Result<Secret, UserError> {
    let password = (console.ask)(&format!("Password for {name}: "))?;
    if password.is_empty() {
        return Err(UserError::EmptyPassword);
    }
    if console.is_typed && (console.ask)("The same again: ")? != password {
        return Err(UserError::Mismatch);
    }
    hash_proof(&proof(salt, &password), &Random::system()).map_err(UserError::Hash)
}

/// One line from standard input, without its ending. White space is part of a password.
fn read_line() -> io::Result<String> {
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        let error = "no password: standard input has ended";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
    }
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn store(editor: &UsersEditor, error: StoreError) -> UserError {
    UserError::Store(editor.path().to_owned(), error)
}

fn explain(editor: &UsersEditor, error: EditError) -> UserError {
    match error {
        EditError::NameTaken(name) => UserError::NameTaken(name),
        EditError::NoSuchUser(name) => UserError::NoSuchUser(name),
        EditError::Unwritable(_) => UserError::Store(
            editor.path().to_owned(),
            StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, error)),
        ),
        EditError::Store(error) => store(editor, error),
    }
}

#[cfg(test)]
mod tests;
