//! Statements of holdings: semt.002 (custody) and semt.003 (accounting, with values).

use super::codec::{choice, codes, record};
use super::parts::{
    Account, Balance, Evidence, OwnCode, Pagination, Party, Quantity, ReportNumber, Security, Side,
    SignedMoney, UpdateType, When,
};
use super::values::{Amount, Max35, Number, Text};

record! {
    /// semt.002.001.11, SecuritiesBalanceCustodyReport: what an account holds, its investors as sub-accounts.
    Custody {
        /// Which page.
        pagination: Pagination = "Pgntn",
        /// Of when and what.
        statement: CustodyStatement = "StmtGnlDtls",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Who keeps it: the registrar, or a custodian.
        servicer: Option<Party> = "AcctSvcr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// What it holds, if not by sub-account.
        balances: Vec<CustodyBalance> = "BalForAcct",
        /// Its sub-accounts.
        sub_accounts: Vec<CustodySubAccount> = "SubAcctDtls",
    }
}

codes! {
    /// How often a custody statement comes.
    CustodyFrequency {
        /// Every year.
        Yearly = "YEAR",
        /// When asked for.
        AdHoc = "ADHO",
        /// Every month.
        Monthly = "MNTH",
        /// Every day.
        Daily = "DAIL",
        /// Several times a day.
        IntraDay = "INDA",
        /// Every week.
        Weekly = "WEEK",
        /// Twice a year.
        HalfYearly = "SEMI",
        /// Every quarter.
        Quarterly = "QUTR",
        /// Three times a month.
        ThriceMonthly = "TOMN",
        /// Three times a week.
        ThriceWeekly = "TOWK",
        /// Twice a month.
        TwiceMonthly = "TWMN",
        /// Over night.
        Overnight = "OVNG",
        /// On demand.
        OnDemand = "ONDE",
    }
}

codes! {
    /// How often other statements come.
    Frequency {
        /// Every year.
        Yearly = "YEAR",
        /// When asked for.
        AdHoc = "ADHO",
        /// Every month.
        Monthly = "MNTH",
        /// Every day.
        Daily = "DAIL",
        /// Several times a day.
        IntraDay = "INDA",
        /// Every week.
        Weekly = "WEEK",
    }
}

codes! {
    /// By which date a position counts.
    Basis {
        /// Contracts.
        Contractual = "CONT",
        /// Settlement.
        Settled = "SETT",
        /// Trade date.
        Traded = "TRAD",
    }
}

record! {
    /// What a custody statement is of.
    CustodyStatement {
        /// The report's number.
        report: Option<ReportNumber> = "RptNb",
        /// The query that it answers.
        query: Option<Max35> = "QryRef",
        /// Its own id: the same on all pages.
        id: Option<Max35> = "StmtId",
        /// As of when.
        at: When = "StmtDtTm",
        /// How often.
        frequency: CustodyFrequencyType = "Frqcy",
        /// Whole, or changes.
        update: UpdateType = "UpdTp",
        /// By which date positions count.
        basis: BasisType = "StmtBsis",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// Whether sub-accounts follow.
        has_sub_accounts: bool = "SubAcctInd",
    }
}

choice! {
    /// [`CustodyFrequency`], or one's own code.
    CustodyFrequencyType {
        /// A code.
        Code(CustodyFrequency) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// [`Frequency`], or one's own code.
    FrequencyType {
        /// A code.
        Code(Frequency) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// [`Basis`], or one's own code.
    BasisType {
        /// A code.
        Code(Basis) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

record! {
    /// What an account holds of one security.
    CustodyBalance {
        /// The security.
        security: Security = "FinInstrmId",
        /// All of it.
        total: Balance = "AggtBal",
        /// What it can deliver.
        available: Option<Available> = "AvlblBal",
        /// Parts of it, such as what is blocked or under way.
        parts: Vec<SubBalance> = "BalBrkdwn",
        /// In words.
        details: Option<Text<350>> = "HldgAddtlDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// What can be delivered.
    Available {
        /// Has or owes.
        side: Option<Side> = "ShrtLngInd",
        /// How much.
        quantity: Quantity = "Qty" / "Qty",
    }
}

codes! {
    /// What is special about a part of a balance.
    SubBalanceKind {
        /// Blocked: on the ledger, a frozen account's.
        Blocked = "BLOK",
        /// To be delivered: on the ledger, locked for a trade.
        PendingDelivery = "PEND",
        /// To be received.
        PendingReceipt = "PENR",
        /// Pledged.
        Pledged = "PLED",
        /// Out for registration.
        Registration = "REGO",
        /// Restricted.
        Restricted = "RSTR",
        /// In another account on its way.
        Transit = "TRAN",
        /// Something else.
        Other = "OTHR",
    }
}

choice! {
    /// [`SubBalanceKind`], or one's own code.
    SubBalanceType {
        /// A code.
        Code(SubBalanceKind) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// A part's quantity.
    SubBalanceQuantity {
        /// How much.
        Quantity(Quantity) = "Qty",
        /// How much, and whether it is available.
        Availability(QuantityAvailability) = "QtyAndAvlbty",
    }
}

record! {
    /// A quantity, and whether it is available.
    QuantityAvailability {
        /// How much.
        quantity: Quantity = "Qty",
        /// Whether it can be delivered.
        available: bool = "AvlbtyInd",
    }
}

record! {
    /// A part of a balance.
    SubBalance {
        /// Why it is told apart.
        kind: SubBalanceType = "SubBalTp",
        /// Has or owes.
        side: Option<Side> = "Qty" / "ShrtLngInd",
        /// How much.
        quantity: SubBalanceQuantity = "Qty" / "Qty",
        /// In words.
        details: Option<Text<140>> = "SubBalAddtlDtls",
    }
}

record! {
    /// A sub-account: an investor, by pseudonym.
    CustodySubAccount {
        /// Whose.
        owner: Option<Party> = "AcctOwnr",
        /// Which.
        account: Option<Account> = "SfkpgAcct",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// What it holds.
        balances: Vec<CustodyBalance> = "BalForSubAcct",
    }
}

record! {
    /// semt.003.001.11, SecuritiesBalanceAccountingReport: what an account holds, with its value.
    Accounting {
        /// Which page.
        pagination: Pagination = "Pgntn",
        /// Of when and what.
        statement: AccountingStatement = "StmtGnlDtls",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Who keeps it.
        servicer: Option<Party> = "AcctSvcr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// What it holds, if not by sub-account.
        balances: Vec<AccountingBalance> = "BalForAcct",
        /// Its sub-accounts.
        sub_accounts: Vec<AccountingSubAccount> = "SubAcctDtls",
        /// What all of it is worth.
        totals: Option<AccountingTotals> = "AcctBaseCcyTtlAmts",
    }
}

record! {
    /// What an accounting statement is of.
    AccountingStatement {
        /// The report's number.
        report: Option<ReportNumber> = "RptNb",
        /// The query that it answers.
        query: Option<Max35> = "QryRef",
        /// Its own id: the same on all pages.
        id: Option<Max35> = "StmtId",
        /// As of when.
        at: When = "StmtDtTm",
        /// How often.
        frequency: FrequencyType = "Frqcy",
        /// Whole, or changes.
        update: UpdateType = "UpdTp",
        /// By which date positions count.
        basis: BasisType = "StmtBsis",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// Whether it is audited.
        audited: bool = "AudtdInd",
        /// Whether sub-accounts follow.
        has_sub_accounts: bool = "SubAcctInd",
    }
}

record! {
    /// What an account holds of one security, and what that is worth.
    AccountingBalance {
        /// The security.
        security: Security = "FinInstrmId",
        /// All of it.
        total: Balance = "AggtBal",
        /// Prices.
        prices: Vec<PriceDetails> = "PricDtls",
        /// Values in the account's currency.
        values: BalanceAmounts = "AcctBaseCcyAmts",
        /// Values in the security's currency.
        instrument_values: Option<BalanceAmounts> = "InstrmCcyAmts",
        /// In words.
        details: Option<Text<350>> = "HldgAddtlDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

codes! {
    /// What a price is.
    PriceKind {
        /// Bid.
        Bid = "BIDE",
        /// Offered.
        Offer = "OFFR",
        /// Net asset value.
        NetAssetValue = "NAVL",
        /// Middle.
        Middle = "MIDD",
        /// Market.
        Market = "MRKT",
        /// Indicative.
        Indicative = "INDC",
    }
}

choice! {
    /// [`PriceKind`], or one's own code.
    PriceType {
        /// A code.
        Code(PriceKind) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// What a price says.
    PriceValue {
        /// A rate.
        Rate(Number<11, 10>) = "Rate",
        /// Money.
        Amount(Amount<13>) = "Amt",
        /// That it isn't known.
        Unknown(bool) = "UknwnInd",
    }
}

codes! {
    /// How a price compares to the nominal value.
    PriceValueKind {
        /// Below.
        Discount = "DISC",
        /// Above.
        Premium = "PREM",
        /// The same.
        Par = "PARV",
    }
}

choice! {
    /// How a price is meant.
    PriceBasis {
        /// Whether it is a yield.
        Yield(bool) = "Yldd",
        /// Against the nominal value.
        Value(PriceValueKind) = "ValTp",
    }
}

record! {
    /// A price.
    PriceDetails {
        /// What it is.
        kind: PriceType = "Tp",
        /// How much.
        value: PriceValue = "Val",
        /// How it is meant.
        basis: PriceBasis = "ValTp",
        /// Of when.
        quoted: Option<When> = "QtnDt",
    }
}

record! {
    /// Values of a holding.
    BalanceAmounts {
        /// What it is worth.
        holding: SignedMoney = "HldgVal",
        /// What it stands in the books for.
        book: Option<SignedMoney> = "BookVal",
        /// Gain or loss that isn't realised.
        unrealised: Option<SignedMoney> = "UrlsdGnLoss",
        /// Interest accrued.
        accrued: Option<SignedMoney> = "AcrdIntrstAmt",
    }
}

record! {
    /// A sub-account: an investor, by pseudonym.
    AccountingSubAccount {
        /// Whose.
        owner: Option<Party> = "AcctOwnr",
        /// Which.
        account: Option<Account> = "SfkpgAcct",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// What it holds.
        balances: Vec<AccountingBalance> = "BalForSubAcct",
    }
}

record! {
    /// What a statement's holdings are worth.
    AccountingTotals {
        /// On this page.
        page: Option<SignedMoney> = "TtlHldgsValOfPg",
        /// On all pages.
        statement: SignedMoney = "TtlHldgsValOfStmt",
    }
}
