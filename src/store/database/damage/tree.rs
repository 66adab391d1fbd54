//! Rows as they lie in the pages of a table, found without SQLite: along the tree where it can be
//! walked, and wherever a row can begin where it can't.

use super::image::{HEADER, Image, word};
use rusqlite::types::ValueRef;
use std::collections::HashSet;

/// What a page is, by its first byte.
const INTERIOR_INDEX: u8 = 2;
const INTERIOR_TABLE: u8 = 5;
const LEAF_INDEX: u8 = 10;
const LEAF_TABLE: u8 = 13;

/// The longest row that is believed, in bytes.
const MAX_ROW: usize = 256 << 20;

/// At most so many columns are believed.
const MAX_COLUMNS: usize = 256;

/// A row as it lies there.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// Its rowid; 0 in a table that has none.
    pub(super) rowid: i64,
    payload: Vec<u8>,
}

/// The tree of one table.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Its leaves, and in a table without rowids also what is above them.
    pub(super) pages: Vec<u32>,
    /// All that belongs to it.
    pub(super) reached: HashSet<u32>,
    /// Whether a part of it could not be walked.
    pub(super) is_broken: bool,
}

impl Tree {
    /// Walks the tree whose root is page `root`.
    pub(super) fn walk(image: &Image, root: u32) -> Self {
        let mut tree = Self::default();
        let mut ahead = vec![root];
        let mut page = Vec::new();
        while let Some(number) = ahead.pop() {
            if number == 0 || number > image.pages || !tree.reached.insert(number) {
                tree.is_broken = true;
                continue;
            }
            image.page(number, &mut page);
            let Some(cells) = Cells::of(&page, number) else {
                tree.is_broken = true;
                continue;
            };
            if matches!(cells.kind, LEAF_TABLE | LEAF_INDEX | INTERIOR_INDEX) {
                tree.pages.push(number);
            }
            if matches!(cells.kind, INTERIOR_TABLE | INTERIOR_INDEX) {
                ahead.push(cells.right);
                let children = cells.starts().map(|start| word(&page, start));
                // Backwards, so that the leaves come in their order.
                ahead.extend(children.collect::<Vec<_>>().into_iter().rev());
            }
        }
        tree
    }
}

/// Hands every row that page `number` lists to `take`, which says whether it is good. Returns
/// whether all were, and the page looks as it should.
pub(super) fn listed(
    image: &Image,
    number: u32,
    page: &[u8],
    mut take: impl FnMut(&Cell) -> bool,
) -> bool {
    let Some(cells) = Cells::of(page, number) else {
        return false;
    };
    let mut cell = Cell::default();
    // A count that shrank leaves rows out that lie lowest. A table that loses none has no gap there.
    let lowest = cells.starts().min().unwrap_or(page.len());
    let mut all = cells.kind != LEAF_TABLE || cells.content == lowest;
    for start in cells.starts() {
        let start = if cells.kind == INTERIOR_INDEX {
            start + 4
        } else {
            start
        };
        let has_rowid = cells.kind == LEAF_TABLE;
        all &= match cells.kind {
            INTERIOR_TABLE => true,
            _ => cell.read(image, page, start, has_rowid) && take(&cell),
        };
    }
    all
}

/// Hands every row that may begin anywhere in `page` to `take`.
pub(super) fn anywhere(image: &Image, page: &[u8], has_rowid: bool, mut take: impl FnMut(&Cell)) {
    let mut cell = Cell::default();
    for start in 0..page.len() {
        if cell.read(image, page, start, has_rowid) {
            take(&cell);
        }
    }
}

/// The list of cells in a page.
struct Cells<'a> {
    kind: u8,
    starts: &'a [u8],
    /// Where the lowest row should be.
    content: usize,
    /// The last child of an interior page.
    right: u32,
}

impl<'a> Cells<'a> {
    /// `None` if `page` can't be one of a tree.
    fn of(page: &'a [u8], number: u32) -> Option<Self> {
        let header = if number == 1 { HEADER } else { 0 };
        let kind = *page.get(header)?;
        let length = match kind {
            INTERIOR_INDEX | INTERIOR_TABLE => 12,
            LEAF_INDEX | LEAF_TABLE => 8,
            _ => return None,
        };
        let count = usize::from(short(page, header + 3)?);
        let starts = page.get(header + length..header + length + 2 * count)?;
        let right = if length == 12 {
            word(page, header + 8)
        } else {
            0
        };
        let content = match short(page, header + 5)? {
            0 => 1 << 16,
            content => usize::from(content),
        };
        Some(Self {
            kind,
            starts,
            content,
            right,
        })
    }

    fn starts(&self) -> impl Iterator<Item = usize> + use<'a> {
        let start = |pair: &[u8]| usize::from(u16::from_be_bytes([pair[0], pair[1]]));
        self.starts.chunks_exact(2).map(start)
    }
}

impl Cell {
    /// Reads the cell at byte `start` of `page`. Returns whether there can be one.
    fn read(&mut self, image: &Image, page: &[u8], start: usize, has_rowid: bool) -> bool {
        self.try_read(image, page, start, has_rowid).is_some()
    }

    fn try_read(
        &mut self,
        image: &Image,
        page: &[u8],
        start: usize,
        has_rowid: bool,
    ) -> Option<()> {
        let mut rest = page.get(start..)?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        if !(2..=MAX_ROW).contains(&length) {
            return None;
        }
        self.rowid = if has_rowid {
            varint(&mut rest)?.cast_signed()
        } else {
            0
        };
        let local = local(page.len(), length, has_rowid);
        self.payload.clear();
        self.payload.extend_from_slice(rest.get(..local)?);
        // Before the rest is gathered: what can't be a row is not worth it.
        Columns::of(&self.payload, length)?;
        if local < length {
            let first = word(rest.get(local..local + 4)?, 0);
            self.gather(image, first, length)?;
        }
        Some(())
    }

    /// Appends what lies on the pages from `next` on, until there are `length` bytes.
    fn gather(&mut self, image: &Image, mut next: u32, length: usize) -> Option<()> {
        let mut page = Vec::new();
        while self.payload.len() < length {
            if next == 0 || next > image.pages {
                return None;
            }
            image.page(next, &mut page);
            next = word(&page, 0);
            let wanted = (length - self.payload.len()).min(page.len() - 4);
            self.payload.extend_from_slice(&page[4..4 + wanted]);
        }
        Some(())
    }

    /// Its columns; none if it is no row.
    pub(super) fn values(&self) -> Vec<ValueRef<'_>> {
        let columns = Columns::of(&self.payload, self.payload.len());
        columns.map_or_else(Vec::new, |columns| columns.values(&self.payload))
    }
}

/// What the beginning of a row says of its columns.
struct Columns {
    kinds: Vec<u64>,
    start: usize,
}

impl Columns {
    /// `None` if `payload`, the first bytes of `length`, can't begin a row.
    fn of(payload: &[u8], length: usize) -> Option<Self> {
        let mut rest = payload;
        let start = usize::try_from(varint(&mut rest)?).ok()?;
        let mut kinds = Vec::new();
        let mut end = start;
        while payload.len() - rest.len() < start {
            let kind = varint(&mut rest)?;
            end = end.checked_add(size(kind)?)?;
            kinds.push(kind);
            if kinds.len() > MAX_COLUMNS {
                return None;
            }
        }
        let is_row = payload.len() - rest.len() == start && end == length && !kinds.is_empty();
        is_row.then_some(Self { kinds, start })
    }

    fn values<'a>(&self, payload: &'a [u8]) -> Vec<ValueRef<'a>> {
        let mut rest = payload.get(self.start..).unwrap_or_default();
        let mut values = Vec::with_capacity(self.kinds.len());
        for kind in &self.kinds {
            let length = size(*kind).unwrap_or(0).min(rest.len());
            let (bytes, behind) = rest.split_at(length);
            values.push(value(*kind, bytes));
            rest = behind;
        }
        values
    }
}

/// How many bytes a column of this kind has.
fn size(kind: u64) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(kind as usize),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((kind - 12) / 2).ok(),
    }
}

fn value(kind: u64, bytes: &[u8]) -> ValueRef<'_> {
    let integer = || {
        let negative = bytes.first().is_some_and(|first| *first >= 0x80);
        let start = if negative { -1 } else { 0 };
        bytes
            .iter()
            .fold(start, |number: i64, byte| number << 8 | i64::from(*byte))
    };
    match kind {
        0 => ValueRef::Null,
        1..=6 => ValueRef::Integer(integer()),
        7 => ValueRef::Real(f64::from_bits(integer().cast_unsigned())),
        8 => ValueRef::Integer(0),
        9 => ValueRef::Integer(1),
        _ if kind.is_multiple_of(2) => ValueRef::Blob(bytes),
        _ => ValueRef::Text(bytes),
    }
}

/// How many bytes of a payload of `length` lie in the page itself.
fn local(page_size: usize, length: usize, has_rowid: bool) -> usize {
    let most = if has_rowid {
        page_size - 35
    } else {
        (page_size - 12) * 64 / 255 - 23
    };
    if length <= most {
        return length;
    }
    let least = (page_size - 12) * 32 / 255 - 23;
    let even = least + (length - least) % (page_size - 4);
    if even <= most { even } else { least }
}

/// Takes a number of one to nine bytes off the front of `bytes`.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some(number << 8 | u64::from(*byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            break;
        }
    }
    Some(number)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*pair))
}
