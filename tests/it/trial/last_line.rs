//! What the program says of itself in its last line.

/// The counts, and how many things were stuck.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) served: usize,
    pub(crate) refused: usize,
    pub(crate) cut_off: usize,
    pub(crate) connections: usize,
    pub(crate) messages: usize,
    pub(crate) files: usize,
    pub(crate) stuck: usize,
}

impl Counts {
    /// Finds them in all that the program has said.
    #[track_caller]
    pub(crate) fn in_lines(said: &[String]) -> Self {
        let line = said
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("gatepost ended: "));
        let line = line.unwrap_or_else(|| panic!("no last line: {said:#?}"));
        let mut counts = Self::default();
        for count in line.split([',', ';']) {
            let (number, what) = count.trim().split_once(' ').unwrap();
            let field = match what {
                "served" => &mut counts.served,
                "refused" => &mut counts.refused,
                "cut off" => &mut counts.cut_off,
                "connection" | "connections" => &mut counts.connections,
                "message" | "messages" => &mut counts.messages,
                "file" | "files" => &mut counts.files,
                _ if what.starts_with("stuck after ") => &mut counts.stuck,
                _ => panic!("{what:?} is counted: {line}"),
            };
            *field = number.parse().unwrap();
        }
        counts
    }
}

#[test]
fn a_last_line_is_read_whole() {
    let said = [
        "something",
        "gatepost ended: 7 served, 6 refused, 5 cut off; 4 connections, 3 messages, 1 file; \
         1 stuck after 8s",
    ];
    let counts = Counts::in_lines(&said.map(str::to_owned));
    let expected = Counts {
        served: 7,
        refused: 6,
        cut_off: 5,
        connections: 4,
        messages: 3,
        files: 1,
        stuck: 1,
    };
    assert_eq!(counts, expected);
}
