//! Users with passwords, for institutions without programs or an issuer of tokens of their own.

mod deeds;
mod secret;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Role;
use crate::masters::{Field, FieldError, Form, Values, validate_fields};

pub use deeds::{CreateUser, ResetUser, UpdateUser};
pub use secret::{Password, Refusal, code, code_hash, matches_code, token, token_hash};

/// Names of roles that a user can have.
const ROLES: &[&str] = &[
    "registrar",
    "custodian",
    "direct-broker",
    "entrusting-broker",
    "fund-manager",
    "issuer",
    "intermediary",
    "regulator",
    "operator",
    "administrator",
];

/// What a user is besides his password.
pub const FIELDS: &[Field] = &[
    Field::needs("login", Form::Login, "what he logs on with"),
    Field::needs("name", Form::Text(128), "his name"),
    Field::may("branch_code", Form::Text(16), "his branch's code"),
    Field::may("branch_name", Form::Text(128), "his branch"),
    Field::may("section", Form::Text(128), "his section or group"),
    Field::may("employee_number", Form::Text(35), "his employee number"),
    Field::needs("role", Form::Choice(ROLES), "what he may do: his account class"),
];

/// Whether he may log on.
pub const STATUS: Field = Field::needs(
    "status",
    Form::Choice(&["active", "suspended", "closed"]),
    "where he stands; only active users log on",
);

/// The `[api.users]` table of a node's configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UsersConfig {
    /// After how many days a password must be changed.
    #[serde(default = "password_days")]
    pub password_days: u16,
    /// Failed attempts in a row after which a user is locked.
    #[serde(default = "attempts")]
    pub attempts: u8,
    /// For how many minutes.
    #[serde(default = "lock_minutes")]
    pub lock_minutes: u16,
    /// How long a session lasts, in minutes.
    #[serde(default = "session_minutes")]
    pub session_minutes: u16,
    /// Institutions that may have users.
    #[serde(default)]
    pub institutions: Vec<UsersOf>,
}

/// What users of an institution may be.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UsersOf {
    /// The institution.
    pub institution: String,
    /// The roles that its users can have.
    pub roles: BTreeSet<Role>,
    /// ISINs of the assets that they may read, where the matrix says `assets`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub assets: BTreeSet<String>,
    /// SHA-256 of the certificates over whose connections they log on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub certificates: BTreeSet<String>,
    /// Whether they also log on over connections without a certificate.
    #[serde(default)]
    pub without_certificate: bool,
}

const fn password_days() -> u16 {
    90
}

const fn attempts() -> u8 {
    5
}

const fn lock_minutes() -> u16 {
    30
}

const fn session_minutes() -> u16 {
    60
}

const MINUTE_US: i64 = 60_000_000;

/// A configuration of users that can't be meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UsersError {
    /// No user of an institution could log on.
    #[error(
        "users of {0} need `certificates` over whose connections they log on, or `without_certificate`"
    )]
    NoWay(String),
    /// An institution has two entries.
    #[error("the users of {0} are there twice")]
    Twice(String),
    /// Numbers that lock everybody out.
    #[error("`password_days`, `attempts` and `session_minutes` of users must be 1 or more")]
    Zero,
}

impl UsersConfig {
    /// Whether it can be meant.
    ///
    /// # Errors
    ///
    /// [`UsersError`].
    pub fn check(&self) -> Result<(), UsersError> {
        if self.password_days == 0 || self.attempts == 0 || self.session_minutes == 0 {
            return Err(UsersError::Zero);
        }
        let mut seen = BTreeSet::new();
        for of in &self.institutions {
            if of.certificates.is_empty() && !of.without_certificate {
                return Err(UsersError::NoWay(of.institution.clone()));
            }
            if !seen.insert(&of.institution) {
                return Err(UsersError::Twice(of.institution.clone()));
            }
        }
        Ok(())
    }

    /// What users of an institution may be, if it may have any.
    #[must_use]
    pub fn of(&self, institution: &str) -> Option<&UsersOf> {
        self.institutions.iter().find(|one| one.institution == institution)
    }

    /// Until when a password of that time is good, in microseconds.
    #[must_use]
    pub fn good_until(&self, password_at: i64) -> i64 {
        password_at.saturating_add(i64::from(self.password_days).saturating_mul(1440 * MINUTE_US))
    }

    /// How long a lock lasts, in microseconds.
    #[must_use]
    pub fn lock_us(&self) -> i64 {
        i64::from(self.lock_minutes).saturating_mul(MINUTE_US)
    }

    /// How long a session lasts, in microseconds.
    #[must_use]
    pub fn session_us(&self) -> i64 {
        i64::from(self.session_minutes).saturating_mul(MINUTE_US)
    }
}

impl UsersOf {
    /// Whether users log on over a connection whose peer has shown the certificate with this hash, or none.
    #[must_use]
    pub fn takes(&self, certificate: Option<&str>) -> bool {
        certificate.map_or(self.without_certificate, |hash| self.certificates.contains(hash))
    }
}

/// A user as others see him.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// His id: 32 hexadecimal digits.
    pub id: String,
    /// Counts from 1, one more with every change.
    pub version: i64,
    /// His institution.
    pub owner: String,
    /// The values of [`FIELDS`].
    pub values: Values,
    /// The value of [`STATUS`].
    pub status: String,
    /// His role.
    pub role: Role,
    /// Until when he can activate himself with codes.
    pub codes_until: i64,
    /// Whether he has set a password.
    pub has_password: bool,
    /// When he set it, in microseconds since the Unix epoch.
    pub password_at: i64,
    /// Attempts that have failed since.
    pub failed_attempts: i64,
    /// Until when he is locked.
    pub locked_until: i64,
    /// When he last logged on; 0 if never.
    pub last_log_on: i64,
    /// When and by whom he was made.
    pub created: (i64, String),
    /// When and by whom he was last changed.
    pub updated: (i64, String),
}

/// The values of a user that a request has, and his status if `with_status`.
pub(crate) fn values_of(
    request: &Value,
    more: &'static [Field],
) -> Result<Values, Vec<FieldError>> {
    validate_fields(FIELDS.iter().chain(more), request)
}
