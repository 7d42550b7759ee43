//! Passwords, codes and tokens: made, hashed, compared.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Argon2id, version 19: 19 MiB, two passes, one lane, 16 bytes of salt, 32 of hash (RFC 9106, section 4; the OWASP minimum).
const PARAMETERS: Params = Params::DEFAULT;
/// The length of passwords, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;
/// The password of those who aren't there, so that looking for them takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdA$0000000000000000000000000000000000000000000";
const TOKEN: &str = "sdr_";

/// A password; printed as `***`, wiped when dropped.
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why a password can't be one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Its length, or a control character.
    Form,
    /// It has the user's login in it.
    Login,
    /// He had it before.
    Before,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => write!(
                f,
                "must be {} to {} characters, without control characters",
                LENGTH.start(),
                LENGTH.end()
            ),
            Self::Login => f.write_str("must not hold the login"),
            Self::Before => f.write_str("must be none of the last three passwords"),
        }
    }
}

impl Password {
    /// A text that somebody has typed.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether it may be a new password of this user.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn check(&self, login: &str) -> Result<(), Refusal> {
        if !LENGTH.contains(&self.0.chars().count()) || self.0.chars().any(char::is_control) {
            return Err(Refusal::Form);
        }
        if self.0.to_lowercase().contains(login) { Err(Refusal::Login) } else { Ok(()) }
    }

    /// Its hash, for keeping: a PHC string. Takes some 20 ms and 19 MiB.
    #[must_use]
    pub fn hash(&self) -> Option<String> {
        let hash = argon2().hash_password_with_salt(self.0.as_bytes(), &random::<16>()?).ok()?;
        Some(hash.to_string())
    }

    /// Whether it is the one with this hash. Without a hash it isn't, and that takes as long.
    #[must_use]
    pub fn is(&self, hash: Option<&str>) -> bool {
        let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
        let known = parsed.is_some();
        let Some(parsed) = parsed.or_else(|| PasswordHash::new(NOBODY).ok()) else { return false };
        let same = argon2().verify_password(self.0.as_bytes(), &parsed).is_ok();
        same && known
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMETERS)
}

/// A new session's token.
#[must_use]
pub fn token() -> Option<String> {
    Some(format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(random::<32>()?)))
}

/// What is kept of a token, if it has the form of one. It has 256 random bits, so its hash can't be turned back.
#[must_use]
pub fn token_hash(token: &str) -> Option<String> {
    (token.starts_with(TOKEN) && token.len() == 47).then(|| hex(&Sha256::digest(token)))
}

/// A new half of what a user activates himself with: 128 random bits.
#[must_use]
pub fn code() -> Option<String> {
    Some(hex(&random::<16>()?))
}

/// What is kept of a code.
#[must_use]
pub fn code_hash(code: &str) -> String {
    hex(&Sha256::digest(code))
}

/// Whether a code is the one with this hash.
#[must_use]
pub fn matches_code(code: &str, hash: &str) -> bool {
    code_hash(code).as_bytes().ct_eq(hash.as_bytes()).into()
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn a_password_is_kept_as_argon2id_with_the_stated_parameters_and_its_own_salt() {
        let one = password("correct horse battery").hash().unwrap();
        let two = password("correct horse battery").hash().unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(password("correct horse battery").is(Some(&one)));
        assert!(!password("correct horse batterz").is(Some(&one)));
    }

    #[test]
    fn nobody_has_a_password_yet_it_is_computed() {
        // The stand-in parses, or looking for nobody would be quick.
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!password("").is(None) && !password("anything at all").is(Some("damaged")));
    }

    #[test]
    fn what_can_not_be_a_password_is_refused() {
        for (text, refusal) in [
            ("short", Refusal::Form),
            ("with\na line break", Refusal::Form),
            ("My-ALICE-is-in-it", Refusal::Login),
        ] {
            assert_eq!(password(text).check("alice"), Err(refusal));
        }
        assert_eq!(password(&"x".repeat(129)).check("alice"), Err(Refusal::Form));
        assert_eq!(password("correct horse battery").check("alice"), Ok(()));
        assert_eq!(format!("{:?}", password("correct horse")), "***");
    }

    #[test]
    fn tokens_and_codes_are_kept_as_hashes() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert_ne!(one, two);
        assert_eq!(token_hash(&one).unwrap().len(), 64);
        assert_eq!(
            (token_hash("sdr_short"), token_hash(&one.replace("sdr_", "abc_"))),
            (None, None)
        );
        let code = code().unwrap();
        assert!(matches_code(&code, &code_hash(&code)) && !matches_code("", &code_hash(&code)));
    }
}
