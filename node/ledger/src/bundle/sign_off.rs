//! What two officers sign of a reconciliation: its report with all files, or that a difference stays (specs/reconciliation.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{BadSignature, Bounded, NodeId, NodeSignature, Text};
use sudare_disclosure::threshold::{Officer, OfficerKey};

use super::audit::{FileHash, is_name};

const SIGN_OFF: &[u8] = b"sudare/sign-off/v1";

/// The most files of a report: a million rows in pages of semt.002, by custodian.
pub const REPORT_FILES_MAX: usize = 4096;
/// The file of a report that all others are made of.
pub const REPORT: &str = "report.json";

/// What is signed.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// A report.
    Report {
        /// As of which day, YYYY-MM-DD.
        as_of: Text<10>,
        /// All its files, in order of their names.
        files: Bounded<FileHash, REPORT_FILES_MAX>,
    },
    /// That a difference stays.
    Accept {
        /// The break's id: 32 hexadecimal digits.
        id: Text<32>,
        /// The difference, which another one isn't.
        difference: Text<41>,
        /// Why.
        reason: Text<200>,
    },
}

/// An officer's signature.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Signed {
    /// Whose.
    pub officer: NodeId,
    /// When, by the clock of the officer's machine, ms since the Unix epoch.
    pub at: u64,
    /// Over all that stands before it: so a checker signs what the maker signed, and neither can be taken for the other.
    pub signature: NodeSignature,
}

/// A subject with the signatures of maker and checker.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignOff {
    /// Format version.
    pub version: Version<1>,
    /// What is signed.
    pub subject: Subject,
    /// By the first officer.
    pub made: Signed,
    /// By the second one, once there is one.
    pub checked: Option<Signed>,
}

/// Why a sign-off was refused, each with the next step.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignOffError {
    /// The maker alone signed.
    #[error(
        "[REC-4] the checker's signature is missing, only the maker {0} signed: have another officer run `sudare reconcile approve`"
    )]
    Unchecked(NodeId),
    /// There are two signatures already.
    #[error("[REC-4] maker and checker have signed it already: nobody can sign it again")]
    Checked,
    /// One officer signed twice.
    #[error("[REC-4] maker and checker are one officer, {0}: have another officer check it")]
    Same(String),
    /// Somebody signed whom the reader doesn't know.
    #[error(
        "[REC-4] the {0} {1} is none of the officers whose cards were given: ask the institution whose key that is, or refuse it"
    )]
    Unknown(&'static str, NodeId),
    /// A signature is by another key, or of something else.
    #[error("[REC-4] the {0}'s signature does not hold: the file was changed, refuse it")]
    Signature(&'static str),
    /// Not what an officer can have signed.
    #[error("[REC-6] {0}: refuse the sign-off")]
    Content(&'static str),
}

impl Subject {
    fn check(&self) -> Result<(), SignOffError> {
        let fits = |fits, what| if fits { Ok(()) } else { Err(SignOffError::Content(what)) };
        match self {
            Self::Report { as_of, files } => {
                fits(is_date(as_of.as_str()), "its report is of no day")?;
                let names = || files.iter().map(|file| file.name.as_str());
                let listed = files.is_sorted_by(|one, next| one.name.as_str() < next.name.as_str());
                fits(
                    listed && names().all(is_name),
                    "its files are not in order, each once and well named",
                )?;
                fits(names().any(|name| name == REPORT), "report.json is not among its files")
            }
            Self::Accept { id, difference, reason } => {
                let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let id = id.as_str();
                fits(id.len() == 32 && id.bytes().all(hex), "it accepts no break")?;
                fits(is_number(difference.as_str()), "it accepts no difference")?;
                fits(!reason.as_str().is_empty(), "it gives no reason")
            }
        }
    }
}

fn is_date(text: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl SignOff {
    /// As the maker, signs a subject.
    ///
    /// # Errors
    ///
    /// [`SignOffError::Content`] if no reader would take it.
    pub fn make(subject: Subject, key: &OfficerKey, at: u64) -> Result<Self, SignOffError> {
        subject.check()?;
        let version = Version;
        let message = encode(&(version, &subject, key.id(), at));
        let made = Signed { officer: key.id(), at, signature: key.sign(SIGN_OFF, &message) };
        Ok(Self { version, subject, made, checked: None })
    }

    /// As the checker, signs what the maker signed.
    ///
    /// # Errors
    ///
    /// [`SignOffError`] if it is the maker's own key, somebody checked it before, or the maker's signature doesn't hold.
    pub fn check(mut self, key: &OfficerKey, at: u64) -> Result<Self, SignOffError> {
        if self.checked.is_some() {
            return Err(SignOffError::Checked);
        }
        if self.made.officer == key.id() {
            return Err(SignOffError::Same(key.id().to_string()));
        }
        self.subject.check()?;
        self.verify_maker()?;
        let signature = key.sign(SIGN_OFF, &self.checker_message(key.id(), at));
        self.checked = Some(Signed { officer: key.id(), at, signature });
        Ok(self)
    }

    /// Maker and checker, if both are officers that the reader knows, and not one.
    ///
    /// Enforces [REC-4] and, of the list, [REC-6]. The files are the caller's to compare, with [`FileHash`].
    ///
    /// # Errors
    ///
    /// [`SignOffError`], the first that applies.
    pub fn verify<'a>(
        &self,
        officers: &'a [Officer],
    ) -> Result<(&'a Officer, &'a Officer), SignOffError> {
        let Self { subject, made, checked, .. } = self;
        let checked = checked.as_ref().ok_or(SignOffError::Unchecked(made.officer))?;
        let known = |who, id: NodeId| {
            let found = officers.iter().find(|officer| officer.id == id);
            found.ok_or(SignOffError::Unknown(who, id))
        };
        let (maker, checker) = (known("maker", made.officer)?, known("checker", checked.officer)?);
        if maker.id == checker.id || maker.name == checker.name {
            return Err(SignOffError::Same(maker.name.to_string()));
        }
        self.verify_maker()?;
        let message = self.checker_message(checked.officer, checked.at);
        let holds = checked.officer.verify(SIGN_OFF, &message, &checked.signature);
        holds.map_err(|BadSignature| SignOffError::Signature("checker"))?;
        subject.check()?;
        Ok((maker, checker))
    }

    fn verify_maker(&self) -> Result<(), SignOffError> {
        let Signed { officer, at, signature } = &self.made;
        let message = encode(&(self.version, &self.subject, officer, at));
        let holds = officer.verify(SIGN_OFF, &message, signature);
        holds.map_err(|BadSignature| SignOffError::Signature("maker"))
    }

    fn checker_message(&self, officer: NodeId, at: u64) -> Vec<u8> {
        encode(&(self.version, &self.subject, &self.made, officer, at))
    }
}
