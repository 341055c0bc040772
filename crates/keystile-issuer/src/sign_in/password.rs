//! Passwords: argon2id at OWASP's cost, off the async threads, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use keystile_domain::ports::Rng;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Fewest characters of a new password (NIST SP 800-63B-4 §3.1.1.2 asks for 15 where it is the only
/// factor or 8 beside another; attempts are limited here).
pub const SHORTEST: usize = 10;

/// Most bytes of a password: what is longer costs us time and nobody types it.
pub const LONGEST: usize = 1024;

/// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// So many may wait for a free hashing slot; the next one is told to come back.
const MOST_WAITING: usize = 64;

/// Why a password is no good for a new account.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Fewer than [`SHORTEST`] characters.
    #[error("a password has at least 10 characters")]
    TooShort,
    /// More than [`LONGEST`] bytes.
    #[error("a password has at most 1024 bytes")]
    TooLong,
}

/// A password could not be hashed or compared now.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Too many people wait for it already.
    #[error("too many sign-ins wait for their turn; try again in a few seconds")]
    Busy,
    /// A stored hash that we did not write, or no memory.
    #[error("the password hash failed: {0}")]
    Hash(String),
}

/// Hashes and compares passwords.
///
/// A name that nobody has costs the same as a wrong password: it is compared with a hash that
/// belongs to nobody (CHECKLIST A-160).
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    slots: Semaphore,
    waiting: AtomicUsize,
    nobody: String,
    rng: Arc<dyn Rng>,
}

impl Passwords {
    /// With so many hashing at once (19 MiB and a core each).
    ///
    /// The hash that belongs to nobody is made up, not computed: a random salt and a random output
    /// of the same size and cost, so that comparing with it takes the same time.
    #[must_use]
    pub fn new(rng: Arc<dyn Rng>, at_once: usize) -> Self {
        let nobody = made_up(rng.as_ref());
        let slots = Semaphore::new(at_once.max(1));
        Self(Arc::new(Inner {
            slots,
            waiting: AtomicUsize::new(0),
            nobody,
            rng,
        }))
    }

    /// Whether a text may become a password.
    ///
    /// # Errors
    /// [`Unusable`] says what is wrong with it.
    pub fn usable(password: &str) -> Result<(), Unusable> {
        if password.len() > LONGEST {
            return Err(Unusable::TooLong);
        }
        if password.chars().count() < SHORTEST {
            return Err(Unusable::TooShort);
        }
        Ok(())
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`PasswordError`]
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let rng = Arc::clone(&self.0.rng);
        self.in_a_slot(move || hash(password.as_bytes(), rng.as_ref()))
            .await
    }

    /// Whether the password belongs to this PHC string; `None` for a name that nobody has.
    ///
    /// # Errors
    /// [`PasswordError`]; the caller must deny.
    pub async fn verify(
        &self,
        stored: Option<String>,
        password: String,
    ) -> Result<bool, PasswordError> {
        let known = stored.is_some();
        let phc = stored.unwrap_or_else(|| self.0.nobody.clone());
        let right = self.in_a_slot(move || verify(&phc, &password)).await?;
        Ok(right && known)
    }

    async fn in_a_slot<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _turn = Turn::take(&self.0.waiting)?;
        let _slot = self
            .0
            .slots
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| PasswordError::Hash(error.to_string()))?
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// A place in the queue; given back when the request is dropped, too.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, PasswordError> {
        let turn = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            return Err(PasswordError::Busy);
        }
        Ok(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("argon2 takes these parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &[u8], rng: &dyn Rng) -> Result<String, PasswordError> {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    let hash: PasswordHash = argon2()
        .hash_password_with_salt(password, &salt)
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(phc: &str, password: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(phc).map_err(|error| PasswordError::Hash(error.to_string()))?;
    match argon2().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::Hash(error.to_string())),
    }
}

/// A PHC string of our cost that no password has.
fn made_up(rng: &dyn Rng) -> String {
    let (mut salt, mut output) = ([0; 16], [0; 32]);
    rng.fill(&mut salt);
    rng.fill(&mut output);
    let (memory, passes, lanes) = COST;
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(AtomicUsize);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let start = self.0.fetch_add(bytes.len(), Ordering::Relaxed);
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from((start + index) % 251).expect("below 251");
            }
        }
    }

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(Counting(AtomicUsize::new(0))), 1)
    }

    #[tokio::test]
    async fn a_password_is_kept_as_an_argon2id_string_of_owasp_cost() {
        let passwords = passwords();
        let phc = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(
            passwords
                .verify(Some(phc.clone()), "correct horse".to_owned())
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(Some(phc.clone()), "Correct horse".to_owned())
                .await
                .unwrap()
        );
        assert_ne!(
            passwords.hash("correct horse".to_owned()).await.unwrap(),
            phc,
            "a salt of its own"
        );
    }

    #[tokio::test]
    async fn nobody_can_sign_in_as_nobody() {
        let passwords = passwords();
        let own: Vec<u8> = (0..32).collect();
        let text = String::from_utf8(own).unwrap();
        assert!(!passwords.verify(None, text).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_that_we_did_not_write_is_an_error_not_a_yes() {
        assert!(
            passwords()
                .verify(Some("plain".to_owned()), "plain".to_owned())
                .await
                .is_err()
        );
    }

    #[test]
    fn the_queue_for_hashing_is_bounded() {
        let waiting = AtomicUsize::new(0);
        let turns: Vec<_> = (0..MOST_WAITING)
            .map(|_| Turn::take(&waiting).unwrap())
            .collect();
        assert!(matches!(Turn::take(&waiting), Err(PasswordError::Busy)));
        drop(turns);
        assert!(Turn::take(&waiting).is_ok());
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_new_password_has_a_length() {
        assert_eq!(Passwords::usable("123456789"), Err(Unusable::TooShort));
        assert_eq!(Passwords::usable("äöüäöüäöüä"), Ok(()));
        assert_eq!(
            Passwords::usable(&"x".repeat(LONGEST + 1)),
            Err(Unusable::TooLong)
        );
    }
}
