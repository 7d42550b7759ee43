//! Settlement: sese.023 (instruction), sese.024 (status), sese.025 (confirmation), sese.020 and sese.027 (cancellation and its
//! answer).

use super::Fault;
use super::codec::{Content, Field, choice, codes, only_elements, record};
use super::parts::{Account, Evidence, OwnCode, Party, PartyId, Security, Settled, When};
use super::values::{Amount, Bic, Code4, Country, DateTime, Lei, Max35, Text};
use super::xml::Node;

codes! {
    /// Which way the securities go, seen from the account.
    Movement {
        /// Out.
        Deliver = "DELI",
        /// In.
        Receive = "RECE",
    }
}

codes! {
    /// Whether money moves with the securities.
    Payment {
        /// It doesn't.
        Free = "FREE",
        /// Both or neither.
        Against = "APMT",
    }
}

codes! {
    /// Which way money or an entitlement goes.
    Direction {
        /// To the account.
        Credit = "CRDT",
        /// From the account.
        Debit = "DBIT",
    }
}

codes! {
    /// What kind of transaction it is.
    TransactionKind {
        /// A trade.
        Trade = "TRAD",
        /// An issue.
        Issue = "ISSU",
        /// A redemption.
        Redemption = "REDM",
        /// A transfer between accounts of one owner.
        OwnInternal = "OWNI",
        /// A transfer to another owner's account.
        OwnExternal = "OWNE",
        /// A portfolio moves.
        Portfolio = "PORT",
        /// Collateral comes in.
        CollateralIn = "COLI",
        /// Collateral goes out.
        CollateralOut = "COLO",
    }
}

choice! {
    /// [`TransactionKind`], or one's own code, such as the ledger's for a recovery.
    TransactionType {
        /// A code.
        Code(TransactionKind) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// When something was agreed, is to settle, or did.
    DateChoice {
        /// A day or instant.
        Date(When) = "Dt",
    }
}

record! {
    /// Money with its direction.
    DirectedAmount {
        /// How much.
        amount: Amount<5> = "Amt",
        /// Which way.
        direction: Direction = "CdtDbtInd",
    }
}

choice! {
    /// A central depository.
    DepositoryId {
        /// BIC.
        Bic(Bic) = "AnyBIC",
        /// That of a country.
        Country(Country) = "Ctry",
    }
}

record! {
    /// Where a side settles.
    Depository {
        /// Which.
        id: DepositoryId = "Id",
        /// Its LEI.
        lei: Option<Lei> = "LEI",
    }
}

record! {
    /// A party of one side.
    SettlementParty {
        /// Who.
        id: PartyId = "Id",
        /// Its LEI.
        lei: Option<Lei> = "LEI",
        /// Its account, or its customer's.
        account: Option<Account> = "SfkpgAcct",
        /// Its own reference.
        reference: Option<Max35> = "PrcgId",
    }
}

record! {
    /// One side of a settlement, from the depository outwards.
    SettlementParties {
        /// The depository.
        depository: Option<Depository> = "Dpstry",
        /// Its participant: on the ledger, the custodian.
        first: Option<SettlementParty> = "Pty1",
        /// That one's customer.
        second: Option<SettlementParty> = "Pty2",
        /// And so on.
        third: Option<SettlementParty> = "Pty3",
        /// And so on.
        fourth: Option<SettlementParty> = "Pty4",
        /// And so on.
        fifth: Option<SettlementParty> = "Pty5",
    }
}

record! {
    /// sese.023.001.11, SecuritiesSettlementTransactionInstruction.
    SettlementInstruction {
        /// The instructing party's reference.
        id: Max35 = "TxId",
        /// Which way.
        movement: Movement = "SttlmTpAndAddtlParams" / "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "SttlmTpAndAddtlParams" / "Pmt",
        /// A reference that both sides have.
        common: Option<Max35> = "SttlmTpAndAddtlParams" / "CmonId",
        /// 取引ID.
        trades: Vec<Text<52>> = "TradDtls" / "TradId",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDtls" / "TradDt",
        /// 受渡日.
        settlement: DateChoice = "TradDtls" / "SttlmDt",
        /// Of what.
        security: Security = "FinInstrmId",
        /// How much.
        quantity: Settled = "QtyAndAcctDtls" / "SttlmQty",
        /// Whose account.
        owner: Option<Party> = "QtyAndAcctDtls" / "AcctOwnr",
        /// Which account: an investor's pseudonym.
        account: Option<Account> = "QtyAndAcctDtls" / "SfkpgAcct",
        /// What kind.
        kind: TransactionType = "SttlmParams" / "SctiesTxTp",
        /// Who delivers.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who receives.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
        /// What is paid.
        amount: Option<DirectedAmount> = "SttlmAmt",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

choice! {
    /// Why: a code of the standard's list for the status, or one's own such as a reason of the ledger. Codes are taken by
    /// their form; their lists differ from status to status.
    ReasonCode {
        /// A code.
        Code(Code4) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

record! {
    /// Why.
    Reason {
        /// As a code.
        code: ReasonCode = "Cd",
        /// In words.
        text: Option<Text<210>> = "AddtlRsnInf",
    }
}

/// Reasons, or that none is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reasons {
    /// None is given.
    NotSaid,
    /// These.
    Said(Vec<Reason>),
}

codes! {
    /// That no reason is given.
    NoReason {
        /// No reason.
        None = "NORE",
    }
}

impl Content for Reasons {
    fn read(node: &Node) -> Result<Self, Fault> {
        only_elements(node)?;
        let none = Option::<NoReason>::get(node, &["NoSpcfdRsn"])?;
        let reasons = Vec::<Reason>::get(node, &["Rsn"])?;
        match (none, reasons.is_empty()) {
            (Some(_), true) => Ok(Self::NotSaid),
            (None, false) => Ok(Self::Said(reasons)),
            (Some(_), false) => Err(super::FaultKind::Ambiguous.into()),
            (None, true) => Err(super::FaultKind::Missing.into()),
        }
    }

    fn write(&self, node: &mut Node) {
        match self {
            Self::NotSaid => NoReason::None.put(node, &["NoSpcfdRsn"]),
            Self::Said(reasons) => reasons.put(node, &["Rsn"]),
        }
    }
}

record! {
    /// A reason of one's own.
    OwnReason {
        /// As a code.
        code: Option<OwnCode> = "Rsn",
        /// In words.
        text: Option<Text<210>> = "AddtlRsnInf",
    }
}

record! {
    /// A status of one's own.
    OwnStatus {
        /// Which.
        status: OwnCode = "PrtrySts",
        /// Why.
        reasons: Vec<OwnReason> = "PrtryRsn",
    }
}

choice! {
    /// How far an instruction is.
    ProcessingStatus {
        /// Taken.
        Accepted(Reasons) = "AckdAccptd",
        /// Not looked at yet.
        Pending(Reasons) = "PdgPrcg",
        /// Refused.
        Rejected(Reasons) = "Rjctd",
        /// To be repaired.
        Repair(Reasons) = "Rpr",
        /// Cancelled.
        Cancelled(Reasons) = "Canc",
        /// To be cancelled.
        CancellationPending(Reasons) = "PdgCxl",
        /// One's own.
        Own(OwnStatus) = "Prtry",
        /// Its cancellation was asked for.
        CancellationRequested(OwnReason) = "CxlReqd",
        /// Its change was asked for.
        ModificationRequested(OwnReason) = "ModReqd",
    }
}

choice! {
    /// Whether the other side says the same.
    MatchingStatus {
        /// It does.
        Matched(OwnReason) = "Mtchd",
        /// It doesn't, or not yet.
        Unmatched(Reasons) = "Umtchd",
        /// One's own.
        Own(OwnStatus) = "Prtry",
    }
}

choice! {
    /// How far the settlement is.
    SettlementStatus {
        /// It waits.
        Pending(Reasons) = "Pdg",
        /// Its date has passed.
        Failing(Reasons) = "Flng",
        /// One's own.
        Own(OwnStatus) = "Prtry",
    }
}

record! {
    /// sese.024.001.12, SecuritiesSettlementTransactionStatusAdvice.
    StatusAdvice {
        /// The instructing party's reference.
        id: Max35 = "TxId" / "AcctOwnrTxId",
        /// The account's keeper's.
        servicer_id: Option<Max35> = "TxId" / "AcctSvcrTxId",
        /// The infrastructure's: on the ledger, the head of the transaction's id.
        market_id: Option<Max35> = "TxId" / "MktInfrstrctrTxId",
        /// The processing party's.
        processor_id: Option<Max35> = "TxId" / "PrcrTxId",
        /// A reference that both sides have.
        common: Option<Max35> = "TxId" / "CmonId",
        /// How far the instruction is.
        processing: Option<ProcessingStatus> = "PrcgSts",
        /// Whether it matches, as the keeper infers.
        inferred: Option<MatchingStatus> = "IfrrdMtchgSts",
        /// Whether it matches.
        matching: Option<MatchingStatus> = "MtchgSts",
        /// How far the settlement is.
        settlement: Option<SettlementStatus> = "SttlmSts",
        /// Of what.
        details: Option<StatusDetails> = "TxDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// The transaction that a status is of.
    StatusDetails {
        /// 取引ID.
        trades: Vec<Text<52>> = "TradId",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// Of what.
        security: Security = "FinInstrmId",
        /// How much.
        quantity: Settled = "SttlmQty",
        /// What is paid.
        amount: Option<DirectedAmount> = "SttlmAmt",
        /// When it is expected to settle.
        expected: Option<When> = "XpctdSttlmDt",
        /// 受渡日.
        settlement: DateChoice = "SttlmDt",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDt",
        /// When it was taken.
        acknowledged: Option<DateTime> = "AckdStsTmStmp",
        /// When it matched.
        matched: Option<DateTime> = "MtchdStsTmStmp",
        /// Which way.
        movement: Movement = "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "Pmt",
        /// What kind.
        kind: TransactionType = "SttlmParams" / "SctiesTxTp",
        /// Who receives.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
        /// Who delivers.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// In words.
        text: Option<Text<350>> = "SttlmInstrPrcgAddtlDtls",
    }
}

record! {
    /// sese.025.001.11, SecuritiesSettlementTransactionConfirmation.
    SettlementConfirmation {
        /// The instructing party's reference.
        id: Max35 = "TxIdDtls" / "AcctOwnrTxId",
        /// The account's keeper's.
        servicer_id: Option<Max35> = "TxIdDtls" / "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "TxIdDtls" / "MktInfrstrctrTxId",
        /// The processing party's.
        processor_id: Option<Max35> = "TxIdDtls" / "PrcrTxId",
        /// Which way.
        movement: Movement = "TxIdDtls" / "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "TxIdDtls" / "Pmt",
        /// A reference that both sides have.
        common: Option<Max35> = "TxIdDtls" / "CmonId",
        /// 取引ID.
        trades: Vec<Text<52>> = "TradDtls" / "TradId",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDtls" / "TradDt",
        /// 受渡日.
        settlement: Option<DateChoice> = "TradDtls" / "SttlmDt",
        /// When it was final, by the notary's receipt.
        effective: DateChoice = "TradDtls" / "FctvSttlmDt",
        /// Of what.
        security: Security = "FinInstrmId",
        /// How much settled.
        quantity: Settled = "QtyAndAcctDtls" / "SttldQty",
        /// Whose account.
        owner: Option<Party> = "QtyAndAcctDtls" / "AcctOwnr",
        /// Which account.
        account: Option<Account> = "QtyAndAcctDtls" / "SfkpgAcct",
        /// What kind.
        kind: TransactionType = "SttlmParams" / "SctiesTxTp",
        /// Who delivered.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who received.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
        /// What was paid.
        amount: Option<DirectedAmount> = "SttldAmt",
        /// Where the ledger proves it: the transaction's id.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// An instruction that was sent.
    Instructed {
        /// Its reference.
        id: Max35 = "TxId",
        /// Which way.
        movement: Movement = "SctiesMvmntTp",
        /// With or without money.
        payment: Payment = "Pmt",
    }
}

choice! {
    /// What is to be cancelled.
    Cancelled {
        /// A settlement instruction.
        Settlement(Instructed) = "SctiesSttlmTxId",
    }
}

record! {
    /// sese.020.001.07, SecuritiesTransactionCancellationRequest.
    CancellationRequest {
        /// What, by the instructing party's reference.
        cancelled: Cancelled = "AcctOwnrTxId",
        /// The account's keeper's reference.
        servicer_id: Option<Max35> = "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "MktInfrstrctrTxId",
        /// The processing party's.
        processor_id: Option<Max35> = "PrcrTxId",
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// Of what.
        details: Option<CancelledDetails> = "TxDtls",
        /// Why.
        reason: Option<ReasonCode> = "CxlRsn" / "Cd",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// The transaction to be cancelled.
    CancelledDetails {
        /// Of what.
        security: Security = "FinInstrmId",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDt",
        /// 受渡日.
        settlement: DateChoice = "SttlmDt",
        /// How much.
        quantity: Settled = "SttlmQty",
        /// What is paid.
        amount: Option<DirectedAmount> = "SttlmAmt",
        /// Who delivers.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who receives.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
    }
}

choice! {
    /// What becomes of a request to cancel.
    CancellationStatus {
        /// It waits: on the ledger, for the other side.
        Pending(Reasons) = "PdgCxl",
        /// Refused as a request.
        Rejected(Reasons) = "Rjctd",
        /// To be repaired.
        Repair(Reasons) = "Rpr",
        /// Taken.
        Accepted(Reasons) = "AckdAccptd",
        /// One's own.
        Own(OwnStatus) = "Prtry",
        /// It is too late.
        Denied(Reasons) = "Dnd",
        /// Done.
        Cancelled(Reasons) = "Canc",
    }
}

record! {
    /// References of what was to be cancelled.
    CancelledIds {
        /// The account's keeper's.
        servicer_id: Option<Max35> = "AcctSvcrTxId",
        /// The infrastructure's.
        market_id: Option<Max35> = "MktInfrstrctrTxId",
        /// The processing party's.
        processor_id: Option<Max35> = "PrcrTxId",
        /// The instructing party's.
        cancelled: Cancelled = "AcctOwnrTxId",
    }
}

record! {
    /// sese.027.001.07, SecuritiesTransactionCancellationRequestStatusAdvice.
    CancellationAdvice {
        /// The request's reference.
        request: Max35 = "CxlReqRef",
        /// What was to be cancelled.
        transaction: Option<CancelledIds> = "TxId",
        /// What becomes of it.
        status: CancellationStatus = "PrcgSts",
        /// Of what.
        details: Option<AnsweredDetails> = "TxDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// The transaction of a request that is answered.
    AnsweredDetails {
        /// Whose account.
        owner: Option<Party> = "AcctOwnr",
        /// Which account.
        account: Option<Account> = "SfkpgAcct",
        /// Of what.
        security: Security = "FinInstrmId",
        /// How much.
        quantity: Settled = "SttlmQty",
        /// What is paid.
        amount: Option<DirectedAmount> = "SttlmAmt",
        /// When it was agreed.
        traded: Option<DateChoice> = "TradDt",
        /// 受渡日.
        settlement: DateChoice = "SttlmDt",
        /// Who delivers.
        delivering: Option<SettlementParties> = "DlvrgSttlmPties",
        /// Who receives.
        receiving: Option<SettlementParties> = "RcvgSttlmPties",
    }
}
