//! What a login sends instead of a password, as the course's clients make it. Both ends need it:
//! the client to log in, the gate to make an account. The only place that knows MD5, which is here
//! because the wire wants it, not because it protects anything.

use md5::{Digest, Md5};

/// The proof of `password`: lower-case hex of MD5(`salt` + `password`), 32 digits.
#[must_use]
pub fn proof(salt: &str, password: &str) -> String {
    let mut hasher = Md5::new();
    hasher.update(salt.as_bytes());
    hasher.update(password.as_bytes());
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_computes_the_same() {
        // hashlib.md5(b'sdasdfagfawds' + b'123').hexdigest()
        assert_eq!(
            proof("sdasdfagfawds", "123"),
            "ef0d32aef59fde384bc2ee6a677ca0a8"
        );
    }
}
