//! Corporate actions: seev.031 (notification, such as of a record date or a redemption) and seev.036 (what was booked for one).

use super::codec::{Content, Field, choice, codes, only_elements, record};
use super::parts::{
    Evidence, OwnCode, Pagination, PartyId, Quantity, Security, Settled, Side, When,
};
use super::settlement::Direction;
use super::values::{Amount, Currency, Max35, OptionNumber};
use super::xml::Node;
use super::{Fault, FaultKind};
use crate::calendar::BusinessDate;

record! {
    /// seev.031.001.14, CorporateActionNotification.
    EventNotification {
        /// Which page.
        pagination: Option<Pagination> = "Pgntn",
        /// New, or instead of an earlier one.
        notification: NotificationHead = "NtfctnGnlInf",
        /// The one before.
        previous: Option<Max35> = "PrvsNtfctnId" / "Id",
        /// What happens.
        event: NotifiedEvent = "CorpActnGnlInf",
        /// To which accounts.
        accounts: NotifiedAccounts = "AcctDtls",
        /// When.
        details: Option<EventDetails> = "CorpActnDtls",
        /// What one may choose, or gets.
        options: Vec<NotifiedOption> = "CorpActnOptnDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

codes! {
    /// What a notification is to those before.
    NotificationKind {
        /// New.
        New = "NEWM",
        /// Instead of the one before.
        Replacement = "REPL",
        /// A reminder.
        Reminder = "RMDR",
    }
}

codes! {
    /// Whether all is known.
    Completeness {
        /// It is.
        Complete = "COMP",
        /// Not yet.
        Incomplete = "INCO",
    }
}

codes! {
    /// Whether it will happen.
    Confirmation {
        /// It will.
        Confirmed = "CONF",
        /// Not yet sure.
        Unconfirmed = "UCON",
    }
}

record! {
    /// How sure an event is.
    EventStatus {
        /// Whether all is known.
        completeness: Completeness = "EvtCmpltnsSts",
        /// Whether it will happen.
        confirmation: Confirmation = "EvtConfSts",
    }
}

choice! {
    /// [`EventStatus`], or one's own code.
    EventStatusType {
        /// Codes.
        Codes(EventStatus) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

record! {
    /// A notification's head.
    NotificationHead {
        /// Its id.
        id: Option<Max35> = "NtfctnId",
        /// What it is to those before.
        kind: NotificationKind = "NtfctnTp",
        /// How sure the event is.
        status: EventStatusType = "PrcgSts",
    }
}

codes! {
    /// What happens. Of the standard's list those that befall interests in a trust, bonds and unlisted shares.
    EventCode {
        /// Interest.
        Interest = "INTR",
        /// Dividend in cash.
        CashDividend = "DVCA",
        /// Distribution of capital.
        CapitalDistribution = "CAPD",
        /// Distribution of capital gains.
        CapitalGains = "CAPG",
        /// Redemption at maturity.
        Redemption = "REDM",
        /// Partial redemption, its holders' quantity as before.
        PartialRedemption = "PRED",
        /// Partial redemption, with fewer units.
        PartialCall = "PCAL",
        /// Early redemption of all.
        FullCall = "MCAL",
        /// Redemption by lot.
        Drawing = "DRAW",
        /// Liquidation.
        Liquidation = "LIQU",
        /// Merger.
        Merger = "MRGR",
        /// Split.
        Split = "SPLF",
        /// Reverse split.
        ReverseSplit = "SPLR",
        /// Conversion.
        Conversion = "CONV",
        /// Offer to buy.
        Tender = "TEND",
        /// A change of terms.
        Change = "CHAN",
        /// Default.
        Default = "DFLT",
        /// Something else.
        Other = "OTHR",
    }
}

choice! {
    /// [`EventCode`], or one's own code.
    EventType {
        /// A code.
        Code(EventCode) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

codes! {
    /// Whether holders may choose.
    Mandatory {
        /// They may not.
        Mandatory = "MAND",
        /// They must choose one option.
        Choice = "CHOS",
        /// They may take part.
        Voluntary = "VOLU",
    }
}

choice! {
    /// [`Mandatory`], or one's own code.
    MandatoryType {
        /// A code.
        Code(Mandatory) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

record! {
    /// An event that is announced.
    NotifiedEvent {
        /// The keeper's id.
        id: Max35 = "CorpActnEvtId",
        /// The id that all have.
        official: Option<Max35> = "OffclCorpActnEvtId",
        /// What happens.
        kind: EventType = "EvtTp",
        /// Whether holders may choose.
        mandatory: MandatoryType = "MndtryVlntryEvtTp",
        /// Of what.
        security: Security = "UndrlygScty" / "FinInstrmId",
    }
}

/// To which accounts a notification is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotifiedAccounts {
    /// To all that the reader has.
    All,
    /// To these.
    These(Vec<NotifiedAccount>),
}

codes! {
    /// All accounts.
    AllAccounts {
        /// All.
        General = "GENR",
    }
}

record! {
    /// An account that is notified.
    NotifiedAccount {
        /// Which.
        account: Option<Max35> = "SfkpgAcct",
        /// Whose.
        owner: Option<PartyId> = "AcctOwnr",
    }
}

impl Content for NotifiedAccounts {
    fn read(node: &Node) -> Result<Self, Fault> {
        only_elements(node)?;
        let all = Option::<AllAccounts>::get(node, &["ForAllAccts", "IdCd"])?;
        let these = Vec::<NotifiedAccount>::get(node, &["AcctsListAndBalDtls"])?;
        match (all, these.is_empty()) {
            (Some(_), true) => Ok(Self::All),
            (None, false) => Ok(Self::These(these)),
            (Some(_), false) => Err(FaultKind::Ambiguous.into()),
            (None, true) => Err(FaultKind::Missing.into()),
        }
    }

    fn write(&self, node: &mut Node) {
        match self {
            Self::All => AllAccounts::General.put(node, &["ForAllAccts", "IdCd"]),
            Self::These(these) => these.put(node, &["AcctsListAndBalDtls"]),
        }
    }
}

codes! {
    /// That a date isn't known.
    DateCode {
        /// It isn't known.
        Unknown = "UKWN",
        /// It has none.
        Ongoing = "ONGO",
    }
}

choice! {
    /// [`DateCode`], or one's own code.
    DateCodeType {
        /// A code.
        Code(DateCode) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// A date of an event, or that it isn't known.
    EventDate {
        /// A business date.
        Day(BusinessDate) = "Dt",
        /// None.
        Code(DateCodeType) = "DtCd",
    }
}

record! {
    /// An event's dates.
    EventDates {
        /// 権利確定日.
        record: Option<EventDate> = "RcrdDt",
        /// From when it trades without.
        ex: Option<EventDate> = "ExDvddDt",
        /// When it is paid.
        payment: Option<EventDate> = "PmtDt",
    }
}

record! {
    /// More of an event.
    EventDetails {
        /// When.
        dates: Option<EventDates> = "DtDtls",
    }
}

codes! {
    /// What an option brings.
    OptionCode {
        /// Money.
        Cash = "CASH",
        /// Securities.
        Securities = "SECU",
        /// Both.
        CashAndSecurities = "CASE",
        /// Nothing: it lapses.
        Lapse = "LAPS",
        /// Nothing: no action.
        NoAction = "NOAC",
        /// Something else.
        Other = "OTHR",
    }
}

choice! {
    /// [`OptionCode`], or one's own code.
    OptionType {
        /// A code.
        Code(OptionCode) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// What happens without an answer.
    DefaultOption {
        /// Whether it is this option.
        Default(bool) = "DfltOptnInd",
        /// Whether a standing instruction decides.
        Standing(bool) = "StgInstrInd",
    }
}

record! {
    /// What one may choose, or gets.
    NotifiedOption {
        /// Its number.
        number: OptionNumber = "OptnNb",
        /// What it brings.
        kind: OptionType = "OptnTp",
        /// In which currency.
        currency: Option<Currency> = "CcyOptn",
        /// What happens without an answer.
        default: DefaultOption = "DfltPrcgOrStgInstr",
        /// Securities that come or go.
        securities: Vec<NotifiedSecurities> = "SctiesMvmntDtls",
        /// Money that comes or goes.
        cash: Vec<NotifiedCash> = "CshMvmntDtls",
    }
}

record! {
    /// Securities that will come or go.
    NotifiedSecurities {
        /// Which.
        security: Security = "SctyDtls" / "FinInstrmId",
        /// Which way.
        direction: Direction = "CdtDbtInd",
        /// How much.
        entitled: Option<Settled> = "EntitldQty",
        /// When.
        dates: PaymentDates = "DtDtls",
    }
}

record! {
    /// When something is paid.
    PaymentDates {
        /// When.
        payment: EventDate = "PmtDt",
    }
}

record! {
    /// Money that will come or go.
    NotifiedCash {
        /// Which way.
        direction: Direction = "CdtDbtInd",
        /// How much.
        amounts: Option<NotifiedAmounts> = "AmtDtls",
        /// When.
        dates: PaymentDates = "DtDtls",
    }
}

record! {
    /// Amounts that will be paid.
    NotifiedAmounts {
        /// Before taxes.
        gross: Option<Amount<5>> = "GrssCshAmt",
        /// After them.
        net: Option<Amount<5>> = "NetCshAmt",
        /// Taxes withheld.
        withheld: Option<Amount<5>> = "WhldgTaxAmt",
        /// What one is entitled to.
        entitled: Option<Amount<5>> = "EntitldAmt",
    }
}

record! {
    /// seev.036.001.15, CorporateActionMovementConfirmation.
    EventConfirmation {
        /// Which page.
        pagination: Option<Pagination> = "Pgntn",
        /// Its id.
        id: Option<Max35> = "MvmntConfId",
        /// The notification's.
        notification: Option<Max35> = "NtfctnId" / "Id",
        /// What happened.
        event: ConfirmedEvent = "CorpActnGnlInf",
        /// To which account.
        account: ConfirmedAccount = "AcctDtls",
        /// When.
        details: Option<ConfirmedDetails> = "CorpActnDtls",
        /// What was booked.
        confirmed: ConfirmedOption = "CorpActnConfDtls",
        /// Where the ledger proves it.
        evidence: Evidence = "SplmtryData",
    }
}

record! {
    /// An event that happened.
    ConfirmedEvent {
        /// The keeper's id.
        id: Max35 = "CorpActnEvtId",
        /// The id that all have.
        official: Option<Max35> = "OffclCorpActnEvtId",
        /// What happened.
        kind: EventType = "EvtTp",
        /// Of what.
        security: Security = "FinInstrmId",
    }
}

choice! {
    /// A quantity.
    HeldQuantity {
        /// In one number.
        Quantity(Quantity) = "Qty",
    }
}

record! {
    /// A balance with its side.
    HeldBalance {
        /// Has or owes.
        side: Side = "ShrtLngPos",
        /// How much.
        quantity: HeldQuantity = "QtyChc",
    }
}

record! {
    /// A balance with its side, without choices.
    PlainHeld {
        /// Has or owes.
        side: Side = "ShrtLngPos",
        /// How much.
        quantity: Quantity = "Qty",
    }
}

choice! {
    /// The balance that an event was for.
    ConfirmedBalance {
        /// All.
        Balance(HeldBalance) = "Bal",
        /// What takes part.
        Eligible(PlainHeld) = "ElgblBal",
        /// What doesn't.
        NotEligible(PlainHeld) = "NotElgblBal",
    }
}

record! {
    /// The account that was booked.
    ConfirmedAccount {
        /// Which.
        account: Option<Max35> = "SfkpgAcct",
        /// Whose.
        owner: Option<PartyId> = "AcctOwnr",
        /// What it held at the record date.
        balance: ConfirmedBalance = "Bal" / "ConfdBal",
    }
}

record! {
    /// Dates of an event that happened.
    ConfirmedDates {
        /// 権利確定日.
        record: Option<EventDate> = "RcrdDt",
        /// From when it trades without.
        ex: Option<EventDate> = "ExDvddDt",
    }
}

record! {
    /// More of an event that happened.
    ConfirmedDetails {
        /// When.
        dates: Option<ConfirmedDates> = "DtDtls",
    }
}

codes! {
    /// That nobody was asked.
    UnsolicitedOption {
        /// Nobody was asked.
        Unsolicited = "UNSO",
    }
}

choice! {
    /// An option's number.
    ConfirmedNumber {
        /// Of the notification.
        Number(OptionNumber) = "Nb",
        /// None.
        Code(UnsolicitedOption) = "Cd",
    }
}

record! {
    /// What was booked.
    ConfirmedOption {
        /// For which option.
        number: ConfirmedNumber = "OptnNb",
        /// What it brings.
        kind: OptionType = "OptnTp",
        /// In which currency.
        currency: Option<Currency> = "CcyOptn",
        /// Securities that came or went.
        securities: Vec<ConfirmedSecurities> = "SctiesMvmntDtls",
        /// Money that came or went.
        cash: Vec<ConfirmedCash> = "CshMvmntDtls",
    }
}

record! {
    /// Securities that came or went.
    ConfirmedSecurities {
        /// Which.
        security: Security = "FinInstrmId",
        /// Which way.
        direction: Direction = "CdtDbtInd",
        /// How much.
        posted: Settled = "PstngQty",
        /// When.
        dates: PostingDates = "DtDtls",
    }
}

record! {
    /// When something was booked.
    PostingDates {
        /// When.
        posted: When = "PstngDt",
    }
}

record! {
    /// Money that came or went.
    ConfirmedCash {
        /// Which way.
        direction: Direction = "CdtDbtInd",
        /// How much.
        amounts: ConfirmedAmounts = "AmtDtls",
        /// When.
        dates: PostingDates = "DtDtls",
    }
}

record! {
    /// Amounts that were paid.
    ConfirmedAmounts {
        /// What was booked.
        posted: Amount<5> = "PstngAmt",
        /// Before taxes.
        gross: Option<Amount<5>> = "GrssCshAmt",
        /// After them.
        net: Option<Amount<5>> = "NetCshAmt",
        /// Taxes withheld.
        withheld: Option<Amount<5>> = "WhldgTaxAmt",
    }
}
