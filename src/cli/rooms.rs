//! `gatepost rooms`: which rooms have messages.

use super::exit::Failure;
use super::output::Output;
use super::server::Server;
use super::terminal::escape;
use crate::client::Room;
use unicode_width::UnicodeWidthStr;

/// List the rooms that have messages
///
/// Shows each room's name, the number of its last message, and how many connections have joined it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print each room as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let rooms = client.rooms()?;
    let mut output = Output::stdout();
    if args.json {
        for room in &rooms {
            output.json(room)?;
        }
    } else {
        for line in table(&rooms) {
            output.line(line)?;
        }
    }
    // All is shown: how the goodbye goes changes nothing.
    let _ = client.close();
    Ok(())
}

/// The lines of the table, its columns below each other also where names are wide.
fn table(rooms: &[Room]) -> Vec<String> {
    let number = |number: u64| number.to_string();
    let row = |room: &Room| {
        let name = escape(room.name.as_str()).into_owned();
        [name, number(room.head), number(room.members)]
    };
    let heading = ["ROOM", "LAST", "MEMBERS"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(rooms.iter().map(row))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].width())
            .max()
            .unwrap_or(0)
    };
    let (names, heads) = (width(0), width(1));
    let line = |[name, head, members]: &[String; 3]| {
        // The width that a formatter fills up to counts characters, not columns.
        let fill = " ".repeat(names - name.width());
        format!("{name}{fill}  {head:>heads$}  {members:>7}")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RoomName;

    #[test]
    fn columns_stand_below_each_other_in_every_script() {
        let room = |name: &str, head, members| Room {
            name: RoomName::new(name).unwrap(),
            head,
            members,
        };
        let lines = table(&[
            room("lobby", 12_345, 3),
            room("门房和大厅", 7, 12),
            room("a\u{202e}", 1, 0),
        ]);
        let expected = [
            "ROOM         LAST  MEMBERS",
            "lobby       12345        3",
            "门房和大厅      7       12",
            "a\\u{202e}       1        0",
        ];
        assert_eq!(lines, expected);
        assert!(lines.iter().all(|line| line.width() == lines[0].width()));
        assert_eq!(table(&[]), ["ROOM  LAST  MEMBERS"]);
    }
}
