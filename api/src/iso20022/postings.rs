//! Statements of transactions: semt.017 (what was booked) and semt.018 (what is under way).

use super::codec::{choice, codes, record};
use super::holdings::FrequencyType;
use super::parts::{
    Account, Evidence, OwnCode, Pagination, Party, Quantity, ReportNumber, Security, Settled, Side,
    UpdateType, When,
};
use super::settlement::{
    DateChoice, DirectedAmount, Direction, MatchingStatus, Movement, OwnReason, OwnStatus, Payment,
    Reasons, SettlementParties, SettlementStatus, TransactionType,
};
use super::values::{Amount, DateTime, Max35, Text};
use crate::calendar::BusinessDate;

record! {
    /// semt.017.001.12, SecuritiesTransactionPostingReport: what was booked in a period.
    Postings {
        /// Which page.
        pagination: Pagination = "Pgntn",
        /// Of when and what.
        statement: PostingStatement = "StmtGnlDtls",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// What was booked, if not by sub-account.
        securities: Vec<PostedSecurity> = "FinInstrmDtls",
        /// Its sub-accounts.
        sub_accounts: Vec<PostedSubAccount> = "SubAcctDtls",
    }
}

record! {
    /// From one instant to another.
    Instants {
        /// From.
        from: DateTime = "FrDtTm",
        /// Until.
        until: DateTime = "ToDtTm",
    }
}

record! {
    /// From one day to another, both with it.
    Days {
        /// From.
        from: BusinessDate = "FrDt",
        /// Until.
        until: BusinessDate = "ToDt",
    }
}

choice! {
    /// A period.
    Period {
        /// Of instants.
        Instants(Instants) = "FrDtTmToDtTm",
        /// Of days.
        Days(Days) = "FrDtToDt",
    }
}

codes! {
    /// By which date postings count.
    PostingBasis {
        /// Settlement.
        Settled = "SETT",
        /// Trade date.
        Traded = "TRAD",
    }
}

choice! {
    /// [`PostingBasis`], or one's own code.
    PostingBasisType {
        /// A code.
        Code(PostingBasis) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

record! {
    /// What a statement of postings is of.
    PostingStatement {
        /// The report's number.
        report: Option<ReportNumber> = "RptNb",
        /// The query that it answers.
        query: Option<Max35> = "QryRef",
        /// Its own id: the same on all pages.
        id: Option<Max35> = "StmtId",
        /// From when until when.
        period: Period = "StmtPrd",
        /// How often.
        frequency: Option<FrequencyType> = "Frqcy",
        /// Whole, or changes.
        update: Option<UpdateType> = "UpdTp",
        /// By which date postings count.
        basis: PostingBasisType = "StmtBsis",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// Whether sub-accounts follow.
        has_sub_accounts: bool = "SubAcctInd",
    }
}

choice! {
    /// A balance in one number.
    PlainBalance {
        /// How much.
        Quantity(Quantity) = "Qty",
    }
}

choice! {
    /// The balance before the first posting, or before this page's.
    OpeningAmount {
        /// Before the first.
        First(PlainBalance) = "Frst",
        /// Before this page's.
        Intermediate(PlainBalance) = "Intrmy",
    }
}

choice! {
    /// The balance after the last posting, or after this page's.
    ClosingAmount {
        /// After the last.
        Final(PlainBalance) = "Fnl",
        /// After this page's.
        Intermediate(PlainBalance) = "Intrmy",
    }
}

record! {
    /// The balance before.
    Opening {
        /// Has or owes.
        side: Side = "ShrtLngInd",
        /// How much.
        balance: OpeningAmount = "OpngBal",
    }
}

record! {
    /// The balance after.
    Closing {
        /// Has or owes.
        side: Side = "ShrtLngInd",
        /// How much.
        balance: ClosingAmount = "ClsgBal",
    }
}

record! {
    /// What was booked of one security.
    PostedSecurity {
        /// The security.
        security: Security = "FinInstrmId",
        /// What was held before.
        opening: Option<Opening> = "OpngBal",
        /// What is held after.
        closing: Option<Closing> = "ClsgBal",
        /// Each booking.
        postings: Vec<Posting> = "Tx",
    }
}

record! {
    /// A sub-account: an investor, by pseudonym.
    PostedSubAccount {
        /// Whose.
        owner: Option<Party> = "AcctOwnr",
        /// Which.
        account: Option<Account> = "SfkpgAcct",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
        /// What was booked.
        securities: Vec<PostedSecurity> = "FinInstrmDtls",
    }
}

record! {
    /// A booking.
    Posting {
        /// The instructing party's reference.
        id: Max35 = "AcctOwnrTxId",
        /// The account's keeper's.
        servicer_id: Option<Max35> = "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "MktInfrstrctrTxId",
        /// The processing party's.
        processor_id: Option<Max35> = "PrcrTxId",
        /// 取引ID.
        trades: Vec<Text<52>> = "TradId",
        /// A reference that both sides have.
        common: Option<Max35> = "CmonId",
        /// What was booked.
        details: Option<PostingDetails> = "TxDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

codes! {
    /// Why something was booked.
    Activity {
        /// Borrowing and lending.
        Lending = "BOLE",
        /// A market claim.
        Claim = "CLAI",
        /// Collateral.
        Collateral = "COLL",
        /// A corporate action.
        CorporateAction = "CORP",
        /// A settlement.
        Settlement = "SETT",
    }
}

choice! {
    /// [`Activity`], or one's own code.
    ActivityType {
        /// A code.
        Code(Activity) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// What kind of event it was.
    EventKind {
        /// A transaction.
        Transaction(TransactionType) = "SctiesTxTp",
    }
}

record! {
    /// Money that was booked.
    PostedAmount {
        /// How much.
        amount: Amount<5> = "Amt",
        /// Which way.
        direction: Direction = "CdtDbt",
    }
}

record! {
    /// What was booked.
    PostingDetails {
        /// Why.
        activity: ActivityType = "TxActvty",
        /// What kind of event.
        kind: Option<EventKind> = "SttlmTxOrCorpActnEvtTp",
        /// Which way.
        movement: Movement = "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "Pmt",
        /// How much.
        quantity: Settled = "PstngQty",
        /// What was paid.
        amount: Option<PostedAmount> = "PstngAmt",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDt",
        /// When it was final.
        effective: When = "FctvSttlmDt",
        /// 受渡日.
        settlement: Option<DateChoice> = "SttlmDt",
        /// Who delivered.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who received.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
        /// Whether it takes another one back.
        reversal: Option<bool> = "RvslInd",
        /// In words.
        text: Option<Text<350>> = "TxAddtlDtls",
    }
}

record! {
    /// semt.018.001.13, SecuritiesTransactionPendingReport: what is under way.
    PendingReport {
        /// Which page.
        pagination: Pagination = "Pgntn",
        /// Of when and what.
        statement: PendingStatement = "StmtGnlDtls",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// Transactions by status.
        by_status: Vec<PendingGroup> = "Sts",
        /// Transactions, each with its status.
        transactions: Vec<PendingTransaction> = "Txs",
    }
}

codes! {
    /// Whether a statement is by status or by transaction.
    Structure {
        /// By status.
        Status = "STAT",
        /// By transaction.
        Transaction = "TRAN",
    }
}

record! {
    /// What a statement of transactions under way is of.
    PendingStatement {
        /// The report's number.
        report: Option<ReportNumber> = "RptNb",
        /// The query that it answers.
        query: Option<Max35> = "QryRef",
        /// Its own id: the same on all pages.
        id: Option<Max35> = "StmtId",
        /// As of when.
        at: When = "StmtDtTm",
        /// How often.
        frequency: Option<FrequencyType> = "Frqcy",
        /// Whole, or changes.
        update: Option<UpdateType> = "UpdTp",
        /// By status or by transaction.
        structure: Structure = "StmtStr",
        /// Whether there is anything to say.
        activity: bool = "ActvtyInd",
    }
}

choice! {
    /// How far an instruction is, in a statement.
    InstructionStatus {
        /// Not looked at yet.
        Pending(Reasons) = "PdgPrcg",
        /// Its cancellation was asked for.
        CancellationRequested(OwnReason) = "CxlReqd",
        /// Taken.
        Accepted(Reasons) = "AckdAccptd",
        /// Cancelled.
        Cancelled(Reasons) = "Canc",
        /// Made by the account's keeper.
        Generated(Reasons) = "Gnrtd",
        /// To be repaired.
        Repair(Reasons) = "Rpr",
        /// To be cancelled.
        CancellationPending(Reasons) = "PdgCxl",
        /// Its change was asked for.
        ModificationRequested(OwnReason) = "ModReqd",
    }
}

choice! {
    /// A status.
    PendingState {
        /// One's own.
        Own(OwnStatus) = "Prtry",
        /// Of matching.
        Matching(MatchingStatus) = "MtchgSts",
        /// Of matching, as the keeper infers.
        Inferred(MatchingStatus) = "IfrrdMtchgSts",
        /// Of settlement.
        Settlement(SettlementStatus) = "SttlmSts",
        /// Of the instruction.
        Instruction(InstructionStatus) = "InstrPrcgSts",
    }
}

record! {
    /// Transactions of one status.
    PendingGroup {
        /// Which.
        status: PendingState = "StsAndRsn",
        /// They.
        transactions: Vec<PendingOfStatus> = "Tx",
    }
}

record! {
    /// A transaction of a status.
    PendingOfStatus {
        /// The instructing party's reference.
        id: Max35 = "AcctOwnrTxId",
        /// The account's keeper's.
        servicer_id: Option<Max35> = "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "MktInfrstrctrTxId",
        /// 取引ID.
        trades: Vec<Text<52>> = "TradId",
        /// What.
        details: Option<PendingDetails> = "TxDtls",
    }
}

record! {
    /// A transaction with its statuses.
    PendingTransaction {
        /// The instructing party's reference.
        id: Max35 = "AcctOwnrTxId",
        /// The account's keeper's.
        servicer_id: Option<Max35> = "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "MktInfrstrctrTxId",
        /// 取引ID.
        trades: Vec<Text<52>> = "TradId",
        /// What.
        details: Option<PendingDetails> = "TxDtls",
        /// How far it is.
        statuses: Vec<PendingState> = "StsAndRsn",
    }
}

record! {
    /// What is under way.
    PendingDetails {
        /// Why.
        activity: ActivityType = "TxActvty",
        /// What kind of event.
        kind: Option<EventKind> = "SttlmTxOrCorpActnEvtTp",
        /// Which way.
        movement: Movement = "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "Pmt",
        /// Of what.
        security: Security = "FinInstrmId",
        /// How much.
        quantity: Settled = "PstngQty",
        /// What is paid.
        amount: Option<DirectedAmount> = "PstngAmt",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDt",
        /// When it is expected to settle.
        expected: Option<When> = "XpctdSttlmDt",
        /// 受渡日.
        settlement: DateChoice = "SttlmDt",
        /// When it was delivered late.
        late: Option<When> = "LateDlvryDt",
        /// When it was taken.
        acknowledged: Option<DateTime> = "AckdStsTmStmp",
        /// When it matched.
        matched: Option<DateTime> = "MtchdStsTmStmp",
        /// Who delivers.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who receives.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
        /// In words.
        text: Option<Text<350>> = "TxAddtlDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}
