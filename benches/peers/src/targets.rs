//! Which servers each row compares, and how each is started. Gatepost and
//! redis are left out, with a line that says so, where they are not there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::Context;

use crate::cli::{RunOptions, Server};
use crate::dialect::Dialect;
use crate::messages::make_stream;
use crate::process::{Address, End, Place, ServerProcess, on_path};
use crate::rooms::Room;

/// The name of the one server that the others are compared with.
pub(crate) const GATEPOST: &str = "gatepost";

/// A running server under the name it has in the tables.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) server: ServerProcess,
}

/// What has a name in the tables.
pub(crate) trait Named {
    fn name(&self) -> &'static str;
}

impl Named for Target {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for (Room, Target) {
    fn name(&self) -> &'static str {
        self.1.name
    }
}

/// The servers of the fan-out row, all running.
pub(crate) fn for_fanout(options: &RunOptions) -> anyhow::Result<Vec<(Room, Target)>> {
    let off = ["--appendonly", "no"];
    let mut targets = Vec::new();
    targets.extend(gatepost(options, Dialect::Gatepost)?.map(|it| (Room::Gatepost, it)));
    let redis = redis("redis PUBLISH", Dialect::Redis, &off)?;
    targets.extend(redis.map(|it| (Room::Redis, it)));
    targets.extend(nats("NATS", false)?.map(|it| (Room::Nats, it)));
    Ok(targets)
}

/// The servers of the ping row, all running.
pub(crate) fn for_ping(options: &RunOptions) -> anyhow::Result<Vec<Target>> {
    let mut targets = vec![
        own("tokio echo", Server::EchoTokio)?,
        own("thread-per-connection echo", Server::EchoThreads)?,
    ];
    targets.extend(gatepost(options, Dialect::Gatepost)?);
    targets.extend(redis(
        "redis PING",
        Dialect::Redis,
        &["--appendonly", "no"],
    )?);
    Ok(targets)
}

/// The servers of the durable row, all running. JetStream of Debian's version
/// syncs every two minutes; `sync_interval: always` came with 2.10.
pub(crate) fn for_durable(options: &RunOptions) -> anyhow::Result<Vec<Target>> {
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut targets = Vec::new();
    targets.extend(gatepost(options, Dialect::GatepostMessage)?);
    targets.extend(redis("redis XADD, always", Dialect::RedisMessage, &always)?);
    targets.extend(nats("JetStream, unsynced", true)?);
    Ok(targets)
}

/// The servers of the connect row, all running.
pub(crate) fn for_connect(options: &RunOptions) -> anyhow::Result<Vec<Target>> {
    let mut targets = vec![
        own("course server", Server::Course)?,
        own("course, thread per connection", Server::CourseThreads)?,
    ];
    targets.extend(gatepost(options, Dialect::Gatepost)?);
    Ok(targets)
}

/// This very binary, as one of its servers.
fn own(name: &'static str, server: Server) -> anyhow::Result<Target> {
    let mut command = Command::new(std::env::current_exe().context("finding this binary")?);
    command.arg("serve").arg(server.argument());
    target(name, Dialect::Echo, || {
        ServerProcess::start(command, Place::new()?, Address::Announced, End::Stdin)
    })
}

pub(crate) fn gatepost(options: &RunOptions, dialect: Dialect) -> anyhow::Result<Option<Target>> {
    let Some(path) = &options.gatepost else {
        println!("{GATEPOST}: skipped, --gatepost was not given\n");
        return Ok(None);
    };
    if !path.is_file() {
        println!("{GATEPOST}: skipped, no file at {}\n", path.display());
        return Ok(None);
    }
    let place = Place::new()?;
    let home = place.home();
    let home = home.to_str().context("the temporary directory's name")?;
    // Split before the home goes in, which may have blanks.
    let arguments = options.gatepost_args.split_whitespace();
    let mut command = Command::new(path.canonicalize().context("finding gatepost")?);
    command.args(arguments.map(|argument| argument.replace("{home}", home)));
    target(GATEPOST, dialect, || {
        ServerProcess::start(command, place, Address::Announced, End::Terminate)
    })
    .map(Some)
}

fn redis(
    name: &'static str,
    dialect: Dialect,
    durability: &[&str],
) -> anyhow::Result<Option<Target>> {
    let Some(path) = on_path("redis-server") else {
        println!("{name}: skipped, no redis-server on PATH\n");
        return Ok(None);
    };
    let place = Place::new()?;
    let address = free_address()?;
    let mut command = Command::new(path);
    command
        .args(["--bind", "127.0.0.1", "--port"])
        .arg(address.port().to_string())
        .args(["--tcp-backlog", "4096", "--save", ""])
        .args(durability)
        .arg("--dir")
        .arg(place.home());
    target(name, dialect, || {
        ServerProcess::start(command, place, Address::Given(address), End::Terminate)
    })
    .map(Some)
}

fn nats(name: &'static str, keeps: bool) -> anyhow::Result<Option<Target>> {
    let Some(path) = on_path("nats-server") else {
        println!("{name}: skipped, no nats-server on PATH\n");
        return Ok(None);
    };
    let place = Place::new()?;
    let address = free_address()?;
    let mut command = Command::new(path);
    command
        .args(["--addr", "127.0.0.1", "--port"])
        .arg(address.port().to_string())
        .args(["--jetstream", "--store_dir"])
        .arg(place.home());
    let target = target(name, Dialect::NatsMessage(0), || {
        ServerProcess::start(command, place, Address::Given(address), End::Terminate)
    })?;
    if keeps {
        make_stream(address)?;
    }
    Ok(Some(target))
}

/// Redis takes no port 0 for "any", so one that was free a moment ago has to
/// do.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?)
}

fn target(
    name: &'static str,
    dialect: Dialect,
    start: impl FnOnce() -> anyhow::Result<ServerProcess>,
) -> anyhow::Result<Target> {
    let server = start().with_context(|| format!("starting {name}"))?;
    Ok(Target {
        name,
        dialect,
        server,
    })
}
