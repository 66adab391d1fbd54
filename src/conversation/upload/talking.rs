//! The talking side of `upload://`: the prefix, and how many bytes are still to follow it.

use crate::wire::FileName;
use std::time::Duration;

/// How long to wait between the prefix and the first byte: 50 ms. Nothing in the stream separates
/// the two, and the course's server takes what one read brings for the prefix.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Says one file.
#[derive(Debug)]
pub struct UploadTalking {
    prefix: Vec<u8>,
    left: u64,
}

impl UploadTalking {
    /// For a file of `size` bytes under `name`.
    #[must_use]
    pub fn new(name: &FileName, size: u64) -> Self {
        Self {
            prefix: format!("{name}-{size}").into_bytes(),
            left: size,
        }
    }

    /// What precedes the file's bytes.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Bytes of the file that are still to be sent.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// How many of `there` bytes may be sent; what is more than was announced may not.
    pub fn advance(&mut self, there: usize) -> usize {
        let here = usize::try_from(self.left).map_or(there, |left| left.min(there));
        self.left -= here as u64;
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upload(name: &str, size: u64) -> UploadTalking {
        UploadTalking::new(&FileName::new(name).unwrap(), size)
    }

    #[test]
    fn the_prefix_is_name_dash_size() {
        assert_eq!(upload("a.txt", 11).prefix(), b"a.txt-11");
        assert_eq!(upload("照-片", 0).prefix(), "照-片-0".as_bytes());
        let huge = upload("a", u64::MAX);
        assert_eq!(huge.prefix(), b"a-18446744073709551615");
        assert_eq!(huge.left(), u64::MAX);
    }

    #[test]
    fn a_file_that_grew_is_sent_as_long_as_it_was() {
        let mut upload = upload("a", 5);
        assert_eq!(upload.advance(3), 3);
        assert_eq!(upload.advance(3), 2);
        assert_eq!(upload.advance(3), 0);
        assert_eq!(upload.left(), 0);
    }

    proptest! {
        #[test]
        fn never_more_than_announced(size in 0u64..1000, reads in prop::collection::vec(0usize..300, 0..20)) {
            let mut upload = upload("a", size);
            let sent: usize = reads.iter().map(|read| upload.advance(*read)).sum();
            let there: usize = reads.iter().sum();
            prop_assert_eq!(sent as u64, size.min(there as u64));
            prop_assert_eq!(upload.left(), size - sent as u64);
        }
    }
}
