//! `gatepost talk upload://…`: one file, and no receipt.

use super::Args;
use crate::cli::exit::Failure;
use crate::cli::files::bars::Bar;
use crate::cli::output::Output;
use crate::cli::parcel::Parcel;
use crate::cli::wording::counted;
use crate::client::talk::upload;
use crate::wire::FileName;
use std::path::Path;
use std::time::Duration;

pub(super) fn run(args: &Args, timeout: Duration) -> Result<(), Failure> {
    let [file] = args.texts.as_slice() else {
        return Err(Failure::usage(
            "upload:// takes one file; send files of any number with gatepost send",
        ));
    };
    let parcel = Parcel::new(Path::new(file), args.name.as_deref())?;
    let name = FileName::new(&*parcel.name).map_err(|error| Failure::usage(error.to_string()))?;
    let about = |failure: Failure| failure.about(parcel.path.display());
    let (file, size) = parcel.open().map_err(about)?;
    let bar = Bar::new(&parcel.name, size);
    let sent = upload(&args.url.address, &name, file, size, timeout, |progress| {
        bar.show(progress);
    });
    bar.finish();
    sent.map_err(|error| about(error.into()))?;
    // There is no more to know: this conversation has no answers.
    Output::stdout().line(format_args!("{name} ({} sent)", counted(size, "byte")))
}
