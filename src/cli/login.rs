//! `gatepost login`: is this the password? And then not to be asked for it again.

use super::exit::Failure;
use super::input::{Ask, password};
use super::output::Output;
use super::server::Target;
use serde_json::json;

/// Check a user's password, say which role it has, and keep what logs in without it for 30 days
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who logs in. The password is asked for, read as a line from standard input when that is no
    /// terminal, or taken from `GATEPOST_PASSWORD`
    #[arg(value_name = "USER")]
    name: String,
    /// Print the answer as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Target,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let password = password(&args.name, Ask::PersonOrInput)?;
    let mut client = args.server.connect()?;
    let (welcome, _) = args.server.log_in(&mut client, &args.name, password)?;
    let mut output = Output::stdout();
    if args.json {
        let who = json!({ "user": welcome.user, "role": welcome.role, "text": welcome.text });
        output.json(&who)?;
    } else {
        output.line(format_args!(
            "{} is logged in as {}",
            welcome.user, welcome.role
        ))?;
    }
    Ok(client.close()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;

    #[test]
    fn there_is_one_user_to_check() {
        assert_eq!(typed::<Args>(&["lisi"]).unwrap().name, "lisi");
        let kind = typed::<Args>(&["lisi", "--user", "zhang"]).unwrap_err();
        assert_eq!(kind, clap::error::ErrorKind::UnknownArgument);
    }
}
