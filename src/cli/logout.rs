//! `gatepost logout`: the tokens that are kept for a server end, there and here.

use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::{Target, explain};
use super::state::tokens::Tokens;
use std::io;

/// End the tokens that are kept for a server, so that the next login wants the password
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose token; by default those of all users
    #[arg(value_name = "USER")]
    name: Option<String>,
    #[command(flatten)]
    server: Target,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let server = args.server.address.url();
    let failed = |error: io::Error| Failure::from(error).about("the tokens that are kept");
    let tokens = Tokens::here();
    let kept = tokens.as_ref().map(|tokens| tokens.of_server(&server));
    let mut kept = kept.transpose().map_err(failed)?.unwrap_or_default();
    if let Some(name) = &args.name {
        kept.retain(|it| it.user == *name);
    }
    let mut output = Output::stdout();
    let Some(tokens) = tokens.filter(|_| !kept.is_empty()) else {
        return match args.name {
            Some(name) => Err(Failure::new(
                Exit::Usage,
                format!("no token of {name} is kept for {server}"),
            )),
            None => output.line(format_args!("no token is kept for {server}")),
        };
    };
    let mut client = args.server.connect()?;
    for it in &kept {
        client.logout(Some(&it.token)).map_err(explain)?;
        tokens.forget(&server, &it.user).map_err(failed)?;
        output.line(format_args!("{} is logged out", it.user))?;
    }
    Ok(client.close()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;

    #[test]
    fn one_user_or_all_log_out() {
        assert_eq!(
            typed::<Args>(&["lisi"]).unwrap().name.as_deref(),
            Some("lisi")
        );
        assert_eq!(typed::<Args>(&[]).unwrap().name, None);
    }
}
