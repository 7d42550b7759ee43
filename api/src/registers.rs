//! Who may read which registers, and which of their lines (specs/api.md).

use crate::access::{Client, Role, Scope};

/// What is read of a register.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The lines: who holds how much.
    Lines,
    /// The name and address behind a line.
    Names,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 2] = [Self::Lines, Self::Names];

    /// What the matrix calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Names => "names and addresses",
        }
    }
}

/// [AUT-2], [RGI-1]: what a role may read of the registers that a node keeps. `house`: all; `own`: lines of the institution's own customers;
/// `assets`: whole registers of the client's assets.
#[must_use]
pub const fn scope(role: Role, part: Part) -> Scope {
    match (role, part) {
        (Role::Registrar, _) => Scope::House,
        (Role::Custodian | Role::DirectBroker, Part::Lines) => Scope::Own,
        (Role::FundManager | Role::Issuer | Role::Regulator, Part::Lines) => Scope::Assets,
        _ => Scope::Nothing,
    }
}

/// The matrix as a table in Markdown: a row a part, a column a role.
#[must_use]
pub fn matrix() -> String {
    let header: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    let mut text =
        format!("| registers | {} |\n|---|{}\n", header.join(" | "), "---|".repeat(header.len()));
    for part in Part::ALL {
        let cells = Role::ALL.map(|role| scope(role, part).to_string());
        text.push_str(&format!("| {} | {} |\n", part.name(), cells.join(" | ")));
    }
    text
}

/// Which lines of an asset's register a client may read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Readable {
    /// None: for this client there is no such register.
    Nothing,
    /// All, perhaps with names and addresses.
    All {
        /// Whether with names and addresses.
        names: bool,
    },
    /// Those of this institution's customers.
    Customers(String),
}

/// What a client may read of the register of the asset with this code, at the node of the institution `house`.
#[must_use]
pub fn readable(client: &Client, code: &str, house: &str) -> Readable {
    let names = scope(client.role, Part::Names) == Scope::House;
    match scope(client.role, Part::Lines) {
        Scope::House if client.institution == house => Readable::All { names },
        Scope::Own => Readable::Customers(client.institution.clone()),
        Scope::Assets if client.assets.contains(code) => Readable::All { names: false },
        Scope::House | Scope::Assets | Scope::Nothing => Readable::Nothing,
    }
}
