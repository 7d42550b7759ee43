//! Who may do what with which rows: role, action and scope, deny by default.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::masters::Kind;
use crate::signed::SigningKey;

/// What a client of the API is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Keeps the register of its assets.
    Registrar,
    /// Acts for investors and holds their keys.
    Custodian,
    /// A broker that is its own custodian.
    DirectBroker,
    /// A broker whose investors' keys a custodian holds.
    EntrustingBroker,
    /// Manages entrusted assets.
    FundManager,
    /// Raises the money: issuer or settlor.
    Issuer,
    /// Brings investors to a broker.
    Intermediary,
    /// Supervises.
    Regulator,
    /// Runs the platform, and is not to see business data.
    Operator,
    /// Keeps the users of its institution, and sees no business data.
    Administrator,
}

impl Role {
    /// All roles, in the order of the matrix.
    pub const ALL: [Self; 10] = [
        Self::Registrar,
        Self::Custodian,
        Self::DirectBroker,
        Self::EntrustingBroker,
        Self::FundManager,
        Self::Issuer,
        Self::Intermediary,
        Self::Regulator,
        Self::Operator,
        Self::Administrator,
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registrar => "registrar",
            Self::Custodian => "custodian",
            Self::DirectBroker => "direct-broker",
            Self::EntrustingBroker => "entrusting-broker",
            Self::FundManager => "fund-manager",
            Self::Issuer => "issuer",
            Self::Intermediary => "intermediary",
            Self::Regulator => "regulator",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        })
    }
}

/// What a client does with rows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// Makes one; it belongs to the client's institution.
    Create,
    /// Reads, lists, or reads the history of one.
    Read,
    /// Changes one.
    Update,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 3] = [Self::Create, Self::Read, Self::Update];
}

/// Which rows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// None: the action is refused.
    Nothing,
    /// Those that its own institution made.
    Own,
    /// Beneficial interests whose ISIN is in the client's list.
    Assets,
    /// All rows of the institution that runs the node, if the client is of this institution; else [`Scope::Own`].
    House,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => ".",
            Self::Own => "own",
            Self::Assets => "assets",
            Self::House => "house",
        })
    }
}

/// [AUT-2]: the scope of an action on a kind by a role.
#[must_use]
pub const fn scope(role: Role, kind: Kind, action: Action) -> Scope {
    use Kind::{BeneficialInterest, Custodian, Investor, SafekeepingPlace};
    match (role, kind) {
        (Role::Registrar, _) => Scope::House,
        (
            Role::Custodian | Role::DirectBroker,
            Investor | SafekeepingPlace | Custodian | BeneficialInterest,
        ) => Scope::House,
        (Role::EntrustingBroker, Investor | SafekeepingPlace) | (Role::Intermediary, Investor) => {
            Scope::Own
        }
        (
            Role::EntrustingBroker
            | Role::FundManager
            | Role::Issuer
            | Role::Intermediary
            | Role::Regulator,
            BeneficialInterest,
        ) => match action {
            Action::Read => Scope::Assets,
            Action::Create | Action::Update => Scope::Nothing,
        },
        _ => Scope::Nothing,
    }
}

/// The matrix as a table in Markdown: a row a kind, a column a role, `create/read/update` in each cell.
#[must_use]
pub fn matrix() -> String {
    let header: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    let mut text =
        format!("| rows | {} |\n|---|{}\n", header.join(" | "), "---|".repeat(header.len()));
    for kind in Kind::ALL {
        let cells: Vec<String> = Role::ALL.iter().map(|role| cell(*role, kind)).collect();
        text.push_str(&format!("| {} | {} |\n", kind.path(), cells.join(" | ")));
    }
    text
}

fn cell(role: Role, kind: Kind) -> String {
    let scopes = Action::ALL.map(|action| scope(role, kind, action));
    if scopes.iter().all(|one| *one == Scope::Nothing) {
        return Scope::Nothing.to_string();
    }
    scopes.map(|one| one.to_string()).join("/")
}

/// A client of the API, as the node's configuration names it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its name: who stands behind each row and change.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its institution.
    pub institution: String,
    /// SHA-256 of its certificate's DER form: 64 hexadecimal digits.
    pub certificate: String,
    /// ISINs of the assets that it may read, where the matrix says `assets`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub assets: BTreeSet<String>,
    /// Keys that it signs requests with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SigningKey>,
    /// Whether requests that change something must be signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_sign: bool,
}

impl Client {
    /// The rows that this client may do something with, at the node of the institution `house`.
    #[must_use]
    pub fn reach(&self, kind: Kind, action: Action, house: &str) -> Reach {
        match scope(self.role, kind, action) {
            Scope::Nothing => Reach::Nothing,
            Scope::House if self.institution == house => Reach::All,
            Scope::House | Scope::Own => Reach::Owner(self.institution.clone()),
            Scope::Assets => Reach::Isins(self.assets.clone()),
        }
    }
}

/// The rows that one client may do something with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reach {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those that this institution made.
    Owner(String),
    /// Those with one of these ISINs.
    Isins(BTreeSet<String>),
}
