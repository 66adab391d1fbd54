//! The servers that files are moved to and from: how each is started, with its
//! durability as stated in its name.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::session::{Content, Tongue};
use crate::cli::{RunOptions, Server};
use crate::dialect::Dialect;
use crate::process::{Address, End, Place, ServerProcess, on_path};
use crate::targets::{self, free_address};

/// A running server and how it is spoken to.
#[derive(Debug)]
pub(super) struct Depot {
    pub(super) name: &'static str,
    pub(super) tongue: Tongue,
    pub(super) server: ServerProcess,
    /// Where it keeps the files, in its home.
    folder: &'static str,
}

/// The name of the `number`th file that is there to be fetched.
pub(super) fn stocked_name(number: u32) -> String {
    format!("stock-{number}")
}

impl Depot {
    fn folder(&self) -> PathBuf {
        self.server.home().join(self.folder)
    }

    /// Puts files where the server serves them from, as an operator would.
    pub(super) fn stock(&self, content: &Content, files: u32) -> anyhow::Result<()> {
        for number in 0..files {
            let path = self.folder().join(stocked_name(number));
            let whole: Vec<u8> = content.pieces().flatten().copied().collect();
            fs::write(path, whole)?;
        }
        Ok(())
    }

    /// Takes away what was sent, so that the disk doesn't fill up.
    pub(super) fn sweep(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.folder())? {
            let entry = entry?;
            let is_stock = entry.file_name().to_string_lossy().starts_with("stock-");
            if entry.file_type()?.is_file() && !is_stock {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The servers of one big upload.
pub(super) fn for_big(options: &RunOptions) -> anyhow::Result<Vec<Depot>> {
    let mut depots = Vec::new();
    depots.extend(gatepost(
        options,
        "gatepost, durable, verified",
        "durable",
        true,
    )?);
    depots.extend(gatepost(options, "gatepost, received", "received", false)?);
    depots.extend(nginx()?);
    depots.extend(vsftpd()?);
    depots.extend(rsync()?);
    depots.push(bare()?);
    depots.push(dd()?);
    Ok(depots)
}

/// The servers of many small uploads.
pub(super) fn for_small(options: &RunOptions) -> anyhow::Result<Vec<Depot>> {
    let mut depots = Vec::new();
    depots.extend(gatepost(options, "gatepost, durable", "durable", false)?);
    depots.extend(nginx()?);
    depots.extend(vsftpd()?);
    depots.push(bare()?);
    Ok(depots)
}

/// The servers of downloads.
pub(super) fn for_download(options: &RunOptions) -> anyhow::Result<Vec<Depot>> {
    let mut depots = Vec::new();
    depots.extend(gatepost(options, "gatepost", "durable", false)?);
    depots.extend(nginx()?);
    depots.extend(vsftpd()?);
    Ok(depots)
}

fn gatepost(
    options: &RunOptions,
    name: &'static str,
    ack: &'static str,
    digest: bool,
) -> anyhow::Result<Option<Depot>> {
    let target = targets::gatepost(options, Dialect::Gatepost)?;
    Ok(target.map(|target| Depot {
        name,
        tongue: Tongue::Gatepost { ack, digest },
        server: target.server,
        folder: "uploads",
    }))
}

fn nginx() -> anyhow::Result<Option<Depot>> {
    let Some((path, place, address)) = found("nginx")? else {
        return Ok(None);
    };
    let home = place.home();
    let (home_text, port) = (home.display().to_string(), address.port());
    fs::create_dir(home.join("files"))?;
    let config = home.join("nginx.conf");
    // As root its workers would be nobody, who may not enter the folder.
    let user = if nix::unistd::Uid::current().is_root() {
        "user root;"
    } else {
        ""
    };
    fs::write(
        &config,
        format!(
            "daemon off; {user} worker_processes auto; pid {home_text}/pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
  keepalive_requests 1000000; client_body_buffer_size 128k;
  client_body_temp_path {home_text}/temp;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {home_text}/files; location / {{ dav_methods PUT; }} }}
}}
"
        ),
    )?;
    let mut command = Command::new(path);
    command
        .arg("-c")
        .arg(config)
        .arg("-p")
        .arg(&home)
        .args(["-e", "stderr"]);
    depot("nginx, unsynced", Tongue::Http, "files", || {
        ServerProcess::start(command, place, Address::Given(address), End::Terminate)
    })
    .map(Some)
}

fn vsftpd() -> anyhow::Result<Option<Depot>> {
    if !nix::unistd::Uid::current().is_root() {
        println!("vsftpd: skipped, it wants to be started by root\n");
        return Ok(None);
    }
    let Some((path, place, address)) = found("vsftpd")? else {
        return Ok(None);
    };
    let home = place.home();
    // Its anonymous user must get there, may not write to the root, and may to a folder in it.
    for (folder, mode) in [
        (home.clone(), 0o755),
        (home.join("files"), 0o777),
        (home.join("empty"), 0o755),
    ] {
        fs::create_dir_all(&folder)?;
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
    }
    place.open_to_all()?;
    let config = home.join("vsftpd.conf");
    fs::write(
        &config,
        format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={}\nbackground=NO\nanonymous_enable=YES\n\
             local_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_other_write_enable=YES\n\
             anon_umask=022\nanon_root={}\nno_anon_password=NO\nsecure_chroot_dir={}\nseccomp_sandbox=NO\n\
             xferlog_enable=NO\npasv_enable=YES\nuse_sendfile=YES\nanon_world_readable_only=NO\n",
            address.port(),
            home.display(),
            home.join("empty").display(),
        ),
    )?;
    let mut command = Command::new(path);
    command.arg(config);
    depot("vsftpd, unsynced", Tongue::Ftp, "files", || {
        ServerProcess::start(command, place, Address::Given(address), End::Terminate)
    })
    .map(Some)
}

fn rsync() -> anyhow::Result<Option<Depot>> {
    let Some((path, place, address)) = found("rsync")? else {
        return Ok(None);
    };
    let home = place.home();
    fs::create_dir(home.join("files"))?;
    let config = home.join("rsyncd.conf");
    let ids = if nix::unistd::Uid::current().is_root() {
        "uid = root\ngid = root\n"
    } else {
        ""
    };
    fs::write(
        &config,
        format!(
            "use chroot = no\n{ids}[files]\npath = {}\nread only = no\n",
            home.join("files").display()
        ),
    )?;
    let mut command = Command::new(path);
    command.args([
        "--daemon",
        "--no-detach",
        "--address",
        "127.0.0.1",
        "--port",
    ]);
    command
        .arg(address.port().to_string())
        .arg("--config")
        .arg(config);
    depot("rsync, unsynced", Tongue::Rsync, "files", || {
        ServerProcess::start(command, place, Address::Given(address), End::Terminate)
    })
    .map(Some)
}

/// This very binary, with all the syncs that a receipt takes.
fn bare() -> anyhow::Result<Depot> {
    let place = Place::new()?;
    let mut command = Command::new(std::env::current_exe().context("finding this binary")?);
    command
        .arg("serve")
        .arg(Server::Bare.argument())
        .arg("--home")
        .arg(place.home());
    depot("bare receiver, same syncs", Tongue::Bare, "files", || {
        ServerProcess::start(command, place, Address::Announced, End::Stdin)
    })
}

/// No server: the client writes to the disk itself, past a pipe. An idle one
/// of ours stands in for what the table wants to know of servers.
fn dd() -> anyhow::Result<Depot> {
    let mut depot = bare()?;
    depot.name = "dd conv=fsync, no server";
    fs::create_dir_all(depot.folder())?;
    depot.tongue = Tongue::Dd(depot.folder());
    Ok(depot)
}

/// The program, a place and an address for it, where PATH has it.
fn found(name: &str) -> anyhow::Result<Option<(PathBuf, Place, std::net::SocketAddr)>> {
    let elsewhere = || Some(PathBuf::from("/usr/sbin").join(name)).filter(|path| path.is_file());
    let Some(path) = on_path(name).or_else(elsewhere) else {
        println!("{name}: skipped, it is not on PATH\n");
        return Ok(None);
    };
    Ok(Some((path, Place::new()?, free_address()?)))
}

fn depot(
    name: &'static str,
    tongue: Tongue,
    folder: &'static str,
    start: impl FnOnce() -> anyhow::Result<ServerProcess>,
) -> anyhow::Result<Depot> {
    let server = start().with_context(|| format!("starting {name}"))?;
    Ok(Depot {
        name,
        tongue,
        server,
        folder,
    })
}
