//! The rows `upload` and `download`: files to and from each kind of server, by
//! one client or by several. What is said to a server is in `session`, how it
//! is started in `depots`; what came out is a `Haul`.

mod depots;
mod haul;
mod session;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::RunOptions;
use depots::Depot;
use haul::{Haul, Hauls};
use session::{Content, Tongue};

/// Bytes of each of many files.
const SMALL: u64 = 64 << 10;

/// One way of moving files.
#[derive(Debug, Clone, Copy)]
struct Job {
    files: u32,
    size: u64,
    /// Connections at once; the files are shared out evenly.
    clients: u32,
    /// Whether each file has a connection of its own.
    apart: bool,
    /// Files sent before the first receipt is waited for.
    depth: u32,
}

/// Measures uploads and prints them.
pub(crate) fn upload(options: &RunOptions) -> anyhow::Result<()> {
    let big = options.big_mib << 20;
    let job = |files, size, clients, apart, depth| Job {
        files,
        size,
        clients,
        apart,
        depth,
    };
    let small = options.small_files;
    println!("One file of {} MiB, one client\n", options.big_mib);
    table(
        options,
        &depots::for_big(options)?,
        Direction::Up,
        job(1, big, 1, false, 1),
    )?;
    println!("{small} files of 64 KiB, one connection, one in flight\n");
    table(
        options,
        &depots::for_small(options)?,
        Direction::Up,
        job(small, SMALL, 1, false, 1),
    )?;
    println!("{small} files of 64 KiB, one connection, 32 in flight where the protocol can\n");
    table(
        options,
        &depots::for_small(options)?,
        Direction::Up,
        job(small, SMALL, 1, false, 32),
    )?;
    println!("{small} files of 64 KiB, a new connection each, 8 clients\n");
    table(
        options,
        &depots::for_small(options)?,
        Direction::Up,
        job(small, SMALL, 8, true, 1),
    )
}

/// Measures downloads and prints them.
pub(crate) fn download(options: &RunOptions) -> anyhow::Result<()> {
    let big = options.big_mib << 20;
    let small = options.small_files;
    println!("One file of {} MiB, one client\n", options.big_mib);
    let job = Job {
        files: 1,
        size: big,
        clients: 1,
        apart: false,
        depth: 1,
    };
    table(
        options,
        &depots::for_download(options)?,
        Direction::Down,
        job,
    )?;
    println!("{small} files of 64 KiB, one connection, one in flight\n");
    let job = Job {
        files: small,
        size: SMALL,
        ..job
    };
    table(
        options,
        &depots::for_download(options)?,
        Direction::Down,
        job,
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// All `depots` by turns; a fresh name for every file of every round.
fn table(
    options: &RunOptions,
    depots: &[Depot],
    direction: Direction,
    job: Job,
) -> anyhow::Result<()> {
    let content = Content::of(job.size)?;
    let mut hauls = Hauls::new(depots.iter().map(|depot| depot.name));
    if direction == Direction::Down {
        for depot in depots {
            depot
                .stock(&content, job.files)
                .with_context(|| format!("stocking {}", depot.name))?;
        }
    }
    for round in 0..options.rounds {
        for (index, depot) in depots.iter().enumerate() {
            let cpu = depot.server.cpu_time()?;
            let begin = Instant::now();
            move_all(depot, direction, job, &content, round)
                .with_context(|| format!("measuring {}", depot.name))?;
            let wall = begin.elapsed();
            let haul = Haul {
                wall,
                cpu: depot.server.cpu_time()?.saturating_sub(cpu),
                files: job.files,
                bytes: u64::from(job.files) * job.size,
            };
            eprintln!("  round {}, {}: {wall:?}", round + 1, depot.name);
            hauls.add(index, haul);
            // Many small ones stay to the end: for minutes ext4 looks past each inode that was
            // just deleted whenever it makes a new one, and that would be most of the time.
            if job.size > SMALL {
                depot.sweep()?;
            }
            // What the last one left to be written back is not the next one's.
            rest(depot)?;
        }
    }
    println!("{hauls}");
    Ok(())
}

/// Has the disk written what one server left, so that the next finds it idle.
fn rest(depot: &Depot) -> anyhow::Result<()> {
    let folder = std::fs::File::open(depot.server.home())?;
    nix::unistd::syncfs(&folder)?;
    thread::sleep(Duration::from_millis(50));
    Ok(())
}

fn move_all(
    depot: &Depot,
    direction: Direction,
    job: Job,
    content: &Content,
    round: u32,
) -> anyhow::Result<()> {
    let (tongue, address) = (&depot.tongue, depot.server.address());
    let share = |client: u32| (0..job.files).filter(move |file| file % job.clients == client);
    let run = |client: u32| -> anyhow::Result<()> {
        let files: Vec<u32> = share(client).collect();
        if job.apart {
            for file in files {
                carry(tongue, address, direction, job, content, round, &[file])?;
            }
            return Ok(());
        }
        carry(tongue, address, direction, job, content, round, &files)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..job.clients)
            .map(|client| scope.spawn(move || run(client)))
            .collect();
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        Ok(())
    })
}

/// Moves `files` over one connection.
fn carry(
    tongue: &Tongue,
    address: SocketAddr,
    direction: Direction,
    job: Job,
    content: &Content,
    round: u32,
    files: &[u32],
) -> anyhow::Result<()> {
    let mut session = tongue.open(address)?;
    if direction == Direction::Down {
        for file in files {
            session.get(&depots::stocked_name(*file), job.size)?;
        }
        return session.close();
    }
    let depth = tongue.depth(job.depth) as usize;
    for (index, file) in files.iter().enumerate() {
        if index >= depth {
            session.receipt()?;
        }
        session.put(&format!("r{round}-{file}"), content)?;
    }
    for _ in 0..files.len().min(depth) {
        session.receipt()?;
    }
    session.close()
}
