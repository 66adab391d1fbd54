//! The pages that no tree leads to any more: where a page above them is damaged they hold rows that
//! nobody would miss until they are asked for.

use super::image::{HEADER, Image, word};
use std::collections::HashSet;

/// Where the first page says where the list of free pages begins.
const FREE: usize = 32;

/// The pages of `image` that are neither in `reached` nor on the list of free ones, whose rows were
/// deleted. As far as that list can be read, that is.
pub(super) fn strays(image: &Image, reached: &HashSet<u32>) -> Vec<u32> {
    let mut free = HashSet::new();
    let mut page = Vec::new();
    image.page(1, &mut page);
    let mut trunk = page.get(..HEADER).map_or(0, |header| word(header, FREE));
    while trunk != 0 && trunk <= image.pages && free.insert(trunk) {
        image.page(trunk, &mut page);
        let count = word(&page, 4) as usize;
        let listed = page[8..].chunks_exact(4).take(count);
        free.extend(listed.map(|number| word(number, 0)));
        trunk = word(&page, 0);
    }
    let is_stray = |number: &u32| !reached.contains(number) && !free.contains(number);
    (1..=image.pages).filter(is_stray).collect()
}
