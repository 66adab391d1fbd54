//! `gatepost kick`: an admin ends somebody's connections.

use super::exit::Failure;
use super::output::Output;
use super::server::Server;
use super::wording::counted;

/// End every connection of a user; for admins, with --user. The account stays as it is
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose connections end
    #[arg(value_name = "USER")]
    name: String,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let count = client.kick(&args.name)?;
    let ended = counted(count, "connection");
    Output::stdout().line(format_args!("{ended} ended"))?;
    // Who kicks oneself is kicked.
    let _ = client.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;

    #[test]
    fn one_user_is_named_and_another_asks() {
        let args: Args = typed(&["lisi", "--user", "root"]).unwrap();
        assert_eq!(
            (&*args.name, args.server.user.as_deref()),
            ("lisi", Some("root"))
        );
        let kind = typed::<Args>(&[]).unwrap_err();
        assert_eq!(kind, clap::error::ErrorKind::MissingRequiredArgument);
    }
}
