//! The Argon2id form of a proof: made, and compared in constant time.
//!
//! A hash needs 19 MiB of work memory. It is kept for the next one: freed each time, it would stay
//! with the allocator once for every thread that ever hashed. How many hashes run at once, and so
//! how much is kept, is left to the server.

use crate::store::Secret;
use crate::time::Random;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use subtle::ConstantTimeEq;

/// What a new hash costs: 19 MiB (here in KiB), 2 passes, 1 lane. OWASP's first choice; about 24 ms
/// of one core.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a new hash, and of its salt.
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A password hash that could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashError(String);

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no password hash can be computed: {}", self.0)
    }
}

impl std::error::Error for HashError {}

impl HashError {
    fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The Argon2id form of `proof`, under a salt of its own.
///
/// # Errors
///
/// [`HashError`] if there is no memory for it.
pub fn hash_proof(proof: &str, random: &Random) -> Result<Secret, HashError> {
    Hasher::default().hash(proof, random)
}

/// Computes hashes, and keeps their work memory.
#[derive(Default)]
pub(super) struct Hasher {
    spare: Mutex<Vec<Vec<Block>>>,
    computed: AtomicU64,
}

impl Hasher {
    /// How many hashes were computed.
    pub(super) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The Argon2id form of `proof`.
    pub(super) fn hash(&self, proof: &str, random: &Random) -> Result<Secret, HashError> {
        let (mut salt, mut hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
        random.fill(&mut salt);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
        self.compute(&argon2, proof, &salt, &mut hash)?;
        Ok(write(&salt, &hash))
    }

    /// A secret that no proof opens, as costly to try as a new one.
    pub(super) fn dummy(random: &Random) -> Secret {
        let (mut salt, mut hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
        random.fill(&mut salt);
        random.fill(&mut hash);
        write(&salt, &hash)
    }

    /// Whether `proof` is what `secret`, an Argon2id string, was made of.
    pub(super) fn matches(&self, proof: &str, secret: &str) -> Result<bool, HashError> {
        let secret = PasswordHash::new(secret).map_err(HashError::new)?;
        let params = Params::try_from(&secret).map_err(HashError::new)?;
        let algorithm = Algorithm::try_from(secret.algorithm.as_str()).map_err(HashError::new)?;
        let version = secret.version.map_or(Ok(Version::V0x13), Version::try_from);
        let version = version.map_err(HashError::new)?;
        let (Some(salt), Some(expected)) = (&secret.salt, &secret.hash) else {
            return Err(HashError::new("the salt or the hash is missing"));
        };
        let mut hash = vec![0; expected.len()];
        let argon2 = Argon2::new(algorithm, version, params);
        self.compute(&argon2, proof, salt.as_ref(), &mut hash)?;
        Ok(hash.ct_eq(expected.as_bytes()).into())
    }

    fn compute(
        &self,
        argon2: &Argon2<'_>,
        proof: &str,
        salt: &[u8],
        hash: &mut [u8],
    ) -> Result<(), HashError> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let blocks = argon2.params().block_count();
        let mut memory = self.spare.lock().pop().unwrap_or_default();
        // Asked for first: an account may name parameters of its own, and an allocation that
        // fails would end the process.
        let lacking = blocks.saturating_sub(memory.len());
        memory.try_reserve_exact(lacking).map_err(HashError::new)?;
        memory.resize(blocks.max(memory.len()), Block::new());
        let outcome = argon2
            .hash_password_into_with_memory(proof.as_bytes(), salt, hash, &mut memory[..blocks])
            .map_err(HashError::new);
        // What a costlier account needed is not kept for good.
        if memory.len() <= MEMORY_KIB as usize {
            self.spare.lock().push(memory);
        }
        outcome
    }
}

/// What a new hash is computed with.
fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).expect("constants in Argon2's ranges")
}

fn write(salt: &[u8; SALT_BYTES], hash: &[u8; HASH_BYTES]) -> Secret {
    let phc = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params()).expect("three small numbers fit"),
        salt: Some(Salt::new(salt).expect("16 bytes are a salt")),
        hash: Some(Output::new(hash).expect("32 bytes are a hash")),
    };
    Secret::Argon2(phc.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: &str = "ef0d32aef59fde384bc2ee6a677ca0a8";

    #[test]
    fn a_hash_opens_to_its_own_proof_only() {
        let hasher = Hasher::default();
        let secret = hasher.hash(PROOF, &Random::seeded(1)).unwrap();
        let text = secret.as_str();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        assert_eq!(hasher.matches(PROOF, text), Ok(true));
        assert_eq!(hasher.matches(&PROOF.to_uppercase(), text), Ok(false));
        assert_eq!(hasher.matches("", text), Ok(false));
        // The memory of one hash is there for the next.
        assert_eq!(hasher.spare.lock().len(), 1);
        assert_eq!(hasher.computed(), 4);
    }

    #[test]
    fn hashes_of_other_programs_are_compared_with_their_own_parameters() {
        let params = Params::new(64, 1, 2, Some(16)).unwrap();
        let mut hash = [0; 16];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(PROOF.as_bytes(), b"sixteen byte slt", &mut hash)
            .unwrap();
        let phc = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: None,
            params: "m=64,t=1,p=2".parse().unwrap(),
            salt: Some(Salt::new(b"sixteen byte slt").unwrap()),
            hash: Some(Output::new(&hash).unwrap()),
        };
        let hasher = Hasher::default();
        assert_eq!(hasher.matches(PROOF, &phc.to_string()), Ok(true));
        assert_eq!(hasher.matches("x", &phc.to_string()), Ok(false));
    }

    #[test]
    fn a_damaged_string_is_an_error_and_no_match() {
        let hasher = Hasher::default();
        for damaged in ["", "$", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1", "x"] {
            assert!(hasher.matches(PROOF, damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn a_dummy_is_a_secret_like_any_other() {
        let secret = Hasher::dummy(&Random::seeded(1));
        assert_eq!(Hasher::default().matches(PROOF, secret.as_str()), Ok(false));
    }
}
