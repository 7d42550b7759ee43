//! Four eyes: what is done only after one person has proposed it and another one has approved it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Any, Transaction};

use crate::access::{Client, Role};
use crate::masters::{Field, FieldError, validate_fields};
use crate::store::{Change, StoreError};

/// How long a proposal can be approved, in microseconds: over a weekend.
pub const OPEN_FOR_US: i64 = 72 * 3600 * 1_000_000;

/// An action that needs two people. It is done in the transaction that records its approval, so once or not at all: what it
/// does outside the database it leaves there for others to do.
pub trait Deed: fmt::Debug + Send + Sync {
    /// Its name, for programs: words with hyphens.
    fn name(&self) -> &'static str;

    /// What it does, for the documentation.
    fn about(&self) -> &'static str;

    /// Who may propose and approve it.
    fn roles(&self) -> &'static [Role];

    /// Whether clients of the house alone may; else those of any institution, for their own.
    fn of_the_house(&self) -> bool;

    /// The fields of its request.
    fn fields(&self) -> &'static [Field];

    /// JSON schema of its request.
    fn schema(&self) -> Value {
        crate::http::schema_of(self.fields())
    }

    /// Checks a request and says what to keep of it. What is kept is shown to all who may approve: no secrets.
    ///
    /// # Errors
    ///
    /// The fields that are wrong.
    fn prepare(&self, request: &Value, _: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        let values = validate_fields(self.fields().iter(), request)?;
        Ok(Prepared { request: json!(values), code: None })
    }

    /// Does it.
    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a>;
}

/// A deed on its way.
pub type Performing<'a> = Pin<Box<dyn Future<Output = Result<Done, StoreError>> + Send + 'a>>;

/// A request that can be proposed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// What is kept, shown and approved.
    pub request: Value,
    /// A secret for him who proposes it, told him once.
    pub code: Option<String>,
}

/// What became of a deed.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// It is done.
    Done {
        /// What is kept and shown.
        result: Value,
        /// A secret for him who approved it, told him once.
        code: Option<String>,
    },
    /// It can't be done as things stand: nothing has changed, and the proposal stays.
    Impossible(&'static str),
    /// The same for a reason that people have given, or that has numbers in it; nothing personal.
    Refused(String),
}

impl Done {
    /// Done, with nothing to say but this.
    #[must_use]
    pub const fn with(result: Value) -> Self {
        Self::Done { result, code: None }
    }
}

/// Who proposes or decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// The client's name.
    pub name: String,
    /// The hash of the certificate that it showed, if any.
    pub certificate: String,
}

impl Person {
    /// The one behind a client.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        Self { name: client.name.clone(), certificate: client.certificate.clone() }
    }

    /// [DUO-1]: one person under one name, and also whoever holds the key of a certificate, however he calls himself. Only users
    /// with passwords share their institution's certificate and are told apart by their names.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let (one, two) = (self.name.starts_with("user/"), other.name.starts_with("user/"));
        let same_key = !self.certificate.is_empty() && self.certificate == other.certificate;
        self.name == other.name || (same_key && !(one && two))
    }
}

/// A proposal as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub institution: String,
    /// The deed's name.
    pub deed: String,
    /// What is to be done.
    pub request: Value,
    /// [`hash`] of all this.
    pub hash: String,
    /// Where it stands.
    pub state: State,
    /// When it was proposed, in microseconds since the Unix epoch.
    pub proposed_at: i64,
    /// By whom.
    pub proposed_by: Person,
    /// Until when it can be approved.
    pub expires_at: i64,
    /// When and by whom it was decided.
    pub decided: Option<(i64, Person)>,
    /// What the deed says that it has done.
    pub result: Option<Value>,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It waits for a second person.
    Open,
    /// Approved and done.
    Done,
    /// A second person has refused it.
    Refused,
    /// Its proposer has taken it back.
    Withdrawn,
    /// Nobody has decided in time.
    Expired,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Done, Self::Refused, Self::Withdrawn, Self::Expired];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// The state of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a person says to a proposal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Do it; by another person.
    Approve,
    /// Don't; by another person.
    Refuse,
    /// Don't; by its proposer.
    Withdraw,
}

/// What an approver approves: SHA-256 of the id, institution, deed and kept request, each ended by a zero byte.
#[must_use]
pub fn hash(id: &str, institution: &str, deed: &str, request: &Value) -> String {
    let mut hash = Sha256::new();
    for part in [id, institution, deed, &request.to_string()] {
        hash = hash.chain_update(part).chain_update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All deeds of an API, by name.
#[derive(Clone, Debug, Default)]
pub struct Deeds(BTreeMap<&'static str, Arc<dyn Deed>>);

impl Deeds {
    /// These; of two with one name the later one.
    #[must_use]
    pub fn new(deeds: Vec<Arc<dyn Deed>>) -> Self {
        Self(deeds.into_iter().map(|deed| (deed.name(), deed)).collect())
    }

    /// The deed with a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&dyn Deed> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Deed> {
        self.0.values().map(AsRef::as_ref)
    }

    /// [AUT-2]: the names of the deeds that a client may propose and approve at the node of the institution `house`.
    #[must_use]
    pub fn of(&self, client: &Client, house: &str) -> Vec<&'static str> {
        let may = |deed: &&dyn Deed| {
            deed.roles().contains(&client.role)
                && (!deed.of_the_house() || client.institution == house)
        };
        self.iter().filter(may).map(Deed::name).collect()
    }

    /// Who may propose and approve what, as a table in Markdown.
    #[must_use]
    pub fn matrix(&self) -> String {
        let mut text =
            "| what two people do | who | for whom | what it does |\n|---|---|---|---|\n"
                .to_owned();
        for deed in self.iter() {
            let roles: Vec<String> = deed.roles().iter().map(ToString::to_string).collect();
            let whom = if deed.of_the_house() { "the house" } else { "its own institution" };
            let line =
                format!("| {} | {} | {whom} | {} |\n", deed.name(), roles.join(", "), deed.about());
            text.push_str(&line);
        }
        text
    }
}
