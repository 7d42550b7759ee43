//! The fields of each kind of master.

/// A kind of master.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A beneficial interest: the product whose units the ledger moves.
    BeneficialInterest,
    /// The trust contract that a beneficial interest comes from.
    TrustContract,
    /// An investor.
    Investor,
    /// Where units are kept for an investor.
    SafekeepingPlace,
    /// An institution that holds investors' keys.
    Custodian,
    /// Who acts for the beneficiaries.
    BeneficiaryAgent,
    /// Who entrusts.
    Settlor,
    /// Who is entrusted.
    Trustee,
    /// Who manages the entrusted assets.
    AssetManager,
}

/// What a field's text must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// One to so many characters, none of them a control character, not blank at either end.
    Text(usize),
    /// One to so many visible ASCII characters.
    Code(usize),
    /// One of these.
    Choice(&'static [&'static str]),
    /// So many decimal digits.
    Digits(usize),
    /// A number of atomic units, without leading zeros, below 2^64.
    Quantity,
    /// `YYYY-MM-DD`.
    Date,
    /// Up to so many half-width characters of the Zengin formats.
    Kana(usize),
    /// An address with one `@`, up to 254 characters.
    Email,
    /// Digits and hyphens, `+` first allowed, up to 20.
    Phone,
    /// `NNN-NNNN`.
    PostalCode,
    /// ISO 6166.
    Isin,
    /// ISO 17442.
    Lei,
    /// ISO 9362.
    Bic,
    /// 法人番号.
    CorporateNumber,
    /// 3 to 40 of `a` to `z`, `0` to `9`, `.`, `_`, `-`; a letter or digit first.
    Login,
    /// An id: 32 hexadecimal digits.
    Id,
    /// SHA-256: 64 hexadecimal digits.
    Sha256,
    /// An instant, RFC 3339.
    Instant,
    /// The id of a row of another kind.
    Reference(Kind),
}

/// A field of a kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    /// Its name: in JSON, and of its column.
    pub name: &'static str,
    /// What it must be.
    pub form: Form,
    /// Whether a row must have it.
    pub required: bool,
    /// Whether only two people change it: requests to make or replace a row can't have it.
    pub guarded: bool,
    /// What it is, for the documentation.
    pub about: &'static str,
}

impl Kind {
    /// All kinds, referenced ones before those that refer to them.
    pub const ALL: [Self; 9] = [
        Self::Custodian,
        Self::BeneficiaryAgent,
        Self::Settlor,
        Self::Trustee,
        Self::AssetManager,
        Self::SafekeepingPlace,
        Self::Investor,
        Self::TrustContract,
        Self::BeneficialInterest,
    ];

    /// Its segment of a path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::BeneficialInterest => "beneficial-interests",
            Self::TrustContract => "trust-contracts",
            Self::Investor => "investors",
            Self::SafekeepingPlace => "safekeeping-places",
            Self::Custodian => "custodians",
            Self::BeneficiaryAgent => "beneficiary-agents",
            Self::Settlor => "settlors",
            Self::Trustee => "trustees",
            Self::AssetManager => "asset-managers",
        }
    }

    /// Its name in the documentation, and of its schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeneficialInterest => "BeneficialInterest",
            Self::TrustContract => "TrustContract",
            Self::Investor => "Investor",
            Self::SafekeepingPlace => "SafekeepingPlace",
            Self::Custodian => "Custodian",
            Self::BeneficiaryAgent => "BeneficiaryAgent",
            Self::Settlor => "Settlor",
            Self::Trustee => "Trustee",
            Self::AssetManager => "AssetManager",
        }
    }

    /// Its SQL table.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::BeneficialInterest => "beneficial_interest",
            Self::TrustContract => "trust_contract",
            Self::Investor => "investor",
            Self::SafekeepingPlace => "safekeeping_place",
            Self::Custodian => "custodian",
            Self::BeneficiaryAgent => "beneficiary_agent",
            Self::Settlor => "settlor",
            Self::Trustee => "trustee",
            Self::AssetManager => "asset_manager",
        }
    }

    /// Its fields, in order.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let groups: &[&'static [Field]] = match self {
            Self::BeneficialInterest => &[BENEFICIAL_INTEREST],
            Self::TrustContract => &[TRUST_CONTRACT],
            Self::Investor => &[INVESTOR, CONTACT, BANK, INVESTOR_STATE],
            Self::SafekeepingPlace => &[PARTY, SAFEKEEPING, CONTACT, BANK],
            Self::Trustee => &[PARTY, BANK],
            Self::Custodian | Self::BeneficiaryAgent | Self::Settlor | Self::AssetManager => {
                &[PARTY, CONTACT, BANK]
            }
        };
        groups.iter().copied().flatten()
    }
}

impl Kind {
    /// Whether a row says something of a person, which is sealed under a key of the row's own.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Investor)
    }

    /// Whether a field of the kind is sealed. What tells classes apart, and references to institutions, name nobody: they stay
    /// in columns of their own.
    #[must_use]
    pub const fn seals(self, field: &Field) -> bool {
        // A register's lines are looked up by these, and they name nobody without the ledger.
        if matches!(field.name.as_bytes(), b"custodian_node" | b"pseudonym") {
            return false;
        }
        let plain = match field.form {
            Form::Choice(_) => field.required,
            Form::Reference(_) => true,
            _ => false,
        };
        self.is_sealed() && !plain
    }
}

impl Field {
    /// One that must be there.
    #[must_use]
    pub const fn needs(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, required: true, guarded: false, about }
    }

    /// One that may be absent.
    #[must_use]
    pub const fn may(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, required: false, guarded: false, about }
    }
}

const fn needs(name: &'static str, form: Form, about: &'static str) -> Field {
    Field::needs(name, form, about)
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Field {
    Field::may(name, form, about)
}

const fn guarded(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { guarded: true, ..Field::may(name, form, about) }
}

const HOLIDAY: Form =
    Form::Choice(&["none", "following", "modified_following", "preceding", "modified_preceding"]);

const BENEFICIAL_INTEREST: &[Field] = &[
    needs("name", Form::Text(128), "name"),
    needs("kind", Form::Text(35), "kind of interest"),
    needs("isin", Form::Isin, "ISIN, as in the code of the ledger's asset"),
    may("trust_contract_id", Form::Reference(Kind::TrustContract), "its trust contract"),
    may("initial_beneficiary_id", Form::Reference(Kind::Investor), "the first beneficiary"),
    may(
        "beneficiary_agent_id",
        Form::Reference(Kind::BeneficiaryAgent),
        "who acts for beneficiaries",
    ),
    may("set_quantity", Form::Quantity, "units at the start, atomic"),
    may("set_date", Form::Date, "when it was set up"),
    needs(
        "status",
        Form::Choice(&["preparing", "issued", "redeemed", "cancelled"]),
        "where it stands",
    ),
    may("redemption_date", Form::Date, "when it is to be redeemed"),
    may("record_date_1", Form::Date, "first record date"),
    may("record_date_2", Form::Date, "second record date"),
    needs("holiday_adjustment", HOLIDAY, "what becomes of a date that is no business day"),
    guarded("register_annotation", Form::Text(1000), "annotation of the register"),
    guarded(
        "transfers",
        Form::Choice(&["permitted", "stopped"]),
        "whether units may move; permitted if absent",
    ),
    may("comment_1", Form::Text(400), "free comment"),
    may("comment_2", Form::Text(400), "free comment"),
];

const TRUST_CONTRACT: &[Field] = &[
    needs("number", Form::Text(35), "number of the contract"),
    needs("name", Form::Text(128), "name"),
    may("fund_number", Form::Text(35), "number of the fund at the trust bank"),
    may("settlor_id", Form::Reference(Kind::Settlor), "settlor"),
    may("trustee_id", Form::Reference(Kind::Trustee), "trustee"),
    may("asset_manager_id", Form::Reference(Kind::AssetManager), "asset manager"),
];

const INVESTOR: &[Field] = &[
    may("corporate_number", Form::CorporateNumber, "corporate number, of a legal person"),
    needs("name", Form::Text(128), "name, as the register shows it"),
    needs("address", Form::Text(256), "registered address, as the register shows it"),
    needs("safekeeping_class", Form::Choice(&["own_custody", "safekeeping"]), "how units are kept"),
    may("safekeeping_place_id", Form::Reference(Kind::SafekeepingPlace), "where units are kept"),
    may("safekeeping_account", Form::Text(35), "the investor's id at that place"),
    may("custodian_id", Form::Reference(Kind::Custodian), "who holds the investor's keys"),
];

const INVESTOR_STATE: &[Field] = &[
    needs("status", Form::Choice(&["applied", "active", "suspended", "closed"]), "where it stands"),
    needs("aml_class", Form::Choice(&["low", "medium", "high", "prohibited"]), "risk class"),
    may(
        "custodian_node",
        Form::Code(64),
        "for a register: the custodian's node, by its name in the membership list",
    ),
    may("pseudonym", Form::Code(35), "for a register: the pseudonym that node has told"),
];

const PARTY: &[Field] = &[
    needs("name", Form::Text(128), "name"),
    needs("address", Form::Text(256), "registered address"),
    may("corporate_number", Form::CorporateNumber, "corporate number"),
    may("bic", Form::Bic, "BIC, for ISO 20022 messages"),
    may("lei", Form::Lei, "LEI"),
];

const SAFEKEEPING: &[Field] = &[
    may("own_account", Form::Text(35), "its own account"),
    may("custodian_id", Form::Reference(Kind::Custodian), "its custodian"),
];

const CONTACT: &[Field] = &[
    may("contact_addressee", Form::Text(128), "addressee of letters"),
    may("contact_postal_code", Form::PostalCode, "postal code"),
    may("contact_address", Form::Text(256), "address for letters"),
    may("phone", Form::Phone, "telephone"),
    may("email", Form::Email, "e-mail"),
];

const BANK: &[Field] = &[
    may("bank_code", Form::Digits(4), "bank, by Zengin code"),
    may("bank_name_kana", Form::Kana(15), "bank, in kana"),
    may("branch_code", Form::Digits(3), "branch, by Zengin code"),
    may("branch_name_kana", Form::Kana(15), "branch, in kana"),
    may(
        "deposit_kind",
        Form::Choice(&["ordinary", "current", "savings", "other"]),
        "kind of deposit",
    ),
    may("account_number", Form::Digits(7), "account number"),
    may("account_holder_kana", Form::Kana(30), "account holder, in kana"),
];
