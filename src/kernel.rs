//! What the kernel tells about a socket in `/proc` and nowhere that safe code can ask: how many
//! datagrams it threw away.

use rustix::fd::AsFd;
use rustix::fs::fstat;
use std::fs;

/// Where UDP sockets are listed, over IPv4 and over IPv6.
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// The columns of a line in which a socket's inode and its count of lost datagrams stand.
const INODE: usize = 9;
const DROPS: usize = 12;

/// How many datagrams for `socket` the kernel has thrown away since it was opened, most of them for
/// want of room. `None` where it does not tell.
#[must_use]
pub fn datagrams_lost(socket: impl AsFd) -> Option<u64> {
    let inode = fstat(socket).ok()?.st_ino;
    let mut tables = TABLES
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    tables.find_map(|table| find(&table, inode))
}

/// The count of the socket with this inode, if `table` has it.
fn find(table: &str, inode: u64) -> Option<u64> {
    let number = |line: &str, column| line.split_whitespace().nth(column)?.parse::<u64>().ok();
    let is_it = |line: &&str| number(line, INODE) == Some(inode);
    number(table.lines().find(is_it)?, DROPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_socket_is_found_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n\
                     40: 0100007F:1F40 00000000:0000 07 00000000:00000000 00:00000000 00000000     \
                     0        0 111 2 0000000000000000 0\n\
                     41: 0100007F:1F41 00000000:0000 07 00000000:00000000 00:00000000 00000000     \
                     0        0 222 2 0000000000000000 37\n";
        assert_eq!(find(table, 222), Some(37));
        assert_eq!(find(table, 111), Some(0));
        assert_eq!(find(table, 333), None);
        assert_eq!(find("nonsense", 1), None);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address).expect("loopback is there");
            assert_eq!(datagrams_lost(&socket), Some(0));
            let sender = UdpSocket::bind(address).unwrap();
            let datagram = [0; 60_000];
            for _ in 0..200 {
                sender
                    .send_to(&datagram, socket.local_addr().unwrap())
                    .unwrap();
            }
            assert!(datagrams_lost(&socket) > Some(0), "{address}");
        }
    }
}
