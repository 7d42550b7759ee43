//! From a settlement instruction as a message (sese.023) to an instruction: specs/iso20022.md.

use serde_json::{Map, Value};
use sudare_disclosure::SignedTerms;

use super::outgoing::more_than_one;
use super::{Flow, Node};
use crate::iso20022::{
    DateChoice, Direction, Message, Movement, Parsed, Payment, Quantity, Settled,
    SettlementInstruction, TransactionKind, TransactionType,
};
use crate::masters::FieldError;

const OWN: &str = "must be the institution whose node this is, as `PrtryId` of the issuer `SUDARE`";

/// A message as an instruction: its kind, and the body that HTTP would bring. Its investor may be named by pseudonym.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The kind.
    pub flow: Flow,
    /// The fields.
    pub body: Value,
    receives: bool,
}

impl Incoming {
    /// What a message instructs the node of an institution to do. It must say nothing that would be passed over.
    ///
    /// # Errors
    ///
    /// The elements that are wrong, by their paths.
    pub fn of(
        parsed: &Parsed,
        node: &dyn Node,
        assets: &[SignedTerms],
        house: &str,
    ) -> Result<Self, Vec<FieldError>> {
        let Message::Instruction(message) = &parsed.message else {
            return Err(vec![error(
                "/Document",
                "must be a settlement instruction, sese.023, or a request to cancel one, sese.020",
            )]);
        };
        let mut reading = Reading { message, node, assets, house, errors: Vec::new() };
        for path in &parsed.unread {
            let pointer = format!("/Document{path}");
            reading.errors.push(error(&pointer, "isn't handled: instruct without it"));
        }
        let incoming = reading.incoming();
        match incoming {
            Some(incoming) if reading.errors.is_empty() => Ok(incoming),
            _ => Err(reading.errors),
        }
    }

    /// Where in the message the field of an instruction stands.
    #[must_use]
    pub fn located(&self, wrong: FieldError) -> FieldError {
        let (own, other) = match self.receives {
            true => ("RcvgSttlmPties", "DlvrgSttlmPties"),
            false => ("DlvrgSttlmPties", "RcvgSttlmPties"),
        };
        let at = match wrong.pointer.as_str() {
            "/trade_id" => "TradDtls/TradId".to_owned(),
            "/delivery_date" => "TradDtls/SttlmDt".to_owned(),
            "/trade_date" => "TradDtls/TradDt".to_owned(),
            "/investor_id" => "QtyAndAcctDtls/SfkpgAcct/Id".to_owned(),
            "/asset" => "FinInstrmId".to_owned(),
            "/quantity" => "QtyAndAcctDtls/SttlmQty".to_owned(),
            "/payment_asset" | "/payment_quantity" => "SttlmAmt/Amt".to_owned(),
            "/counterparty" => format!("{other}/Pty1/Id"),
            "/own_reference" => "TxId".to_owned(),
            _ => own.to_owned(),
        };
        FieldError { pointer: path(&at), ..wrong }
    }
}

/// A message with what is found wrong in it.
struct Reading<'a> {
    message: &'a SettlementInstruction,
    node: &'a dyn Node,
    assets: &'a [SignedTerms],
    house: &'a str,
    errors: Vec<FieldError>,
}

impl Reading<'_> {
    fn incoming(&mut self) -> Option<Incoming> {
        let message = self.message;
        let receives = message.movement == Movement::Receive;
        let flow = self.flow();
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                drop(body.insert(name.to_owned(), Value::String(value)));
            }
        };
        put("own_reference", Some(message.id.as_str().to_owned()));
        put("trade_id", self.trade_id());
        let DateChoice::Date(day) = &message.settlement;
        put("delivery_date", Some(day.date().to_string()));
        put("investor_id", self.account());
        put("asset", message.security.code().map(str::to_owned));
        put("quantity", self.quantity());
        let counterparty = self.counterparty(receives, flow);
        if flow != Some(Flow::Redemption) {
            put("counterparty", counterparty);
        }
        match flow? {
            Flow::DeliveryVersusPayment => {
                put("side", Some(if receives { "receive" } else { "deliver" }.to_owned()));
            }
            Flow::Execution => {
                put("side", Some(if receives { "buy" } else { "sell" }.to_owned()));
                let traded = message.traded.as_ref().map(|DateChoice::Date(when)| when.date());
                put("trade_date", traded.map(|date| date.to_string()));
            }
            _ => (),
        }
        if let Some((code, quantity)) = self.payment(receives) {
            put("payment_asset", Some(code));
            put("payment_quantity", Some(quantity));
        }
        Some(Incoming { flow: flow?, body: Value::Object(body), receives })
    }

    /// The kind, by what the message is about.
    fn flow(&mut self) -> Option<Flow> {
        use TransactionKind::{Issue, OwnExternal, OwnInternal, Portfolio, Redemption, Trade};
        let message = self.message;
        let (movement, payment) = (message.movement, message.payment);
        let traded = message.traded.is_some();
        let TransactionType::Code(kind) = &message.kind else {
            return self.wrong("SttlmParams/SctiesTxTp", "must be a code of the standard");
        };
        match (kind, movement, payment) {
            (Trade, _, _) if traded => Some(Flow::Execution),
            _ if traded => self.wrong("TradDtls/TradDt", "must be absent but in trades: TRAD"),
            (Trade | OwnInternal | OwnExternal | Portfolio, Movement::Deliver, Payment::Free) => {
                Some(Flow::Transfer)
            }
            (Trade | OwnInternal | OwnExternal | Portfolio, Movement::Receive, Payment::Free)
            | (Issue, Movement::Receive, Payment::Free) => Some(Flow::Receipt),
            (Trade | OwnInternal | OwnExternal | Portfolio, _, Payment::Against) => {
                Some(Flow::DeliveryVersusPayment)
            }
            (Redemption, Movement::Deliver, Payment::Free) => Some(Flow::Redemption),
            _ => self.wrong(
                "SttlmParams/SctiesTxTp",
                "must be TRAD, OWNI, OWNE or PORT, ISSU received free, or REDM delivered free",
            ),
        }
    }

    fn trade_id(&mut self) -> Option<String> {
        match self.message.trades.as_slice() {
            [id] => Some(id.as_str().to_owned()),
            _ => self.wrong("TradDtls/TradId", "must be there once"),
        }
    }

    /// The investor's account; the custodian's must be that of the house.
    fn account(&mut self) -> Option<String> {
        if let Some(owner) = &self.message.owner
            && owner.id.member() != Some(self.house)
        {
            return self.wrong("QtyAndAcctDtls/AcctOwnr/Id", OWN);
        }
        match &self.message.account {
            Some(account) => Some(account.id.as_str().to_owned()),
            None => self.wrong("QtyAndAcctDtls/SfkpgAcct", "must be there: whose units they are"),
        }
    }

    fn quantity(&mut self) -> Option<String> {
        const AT: &str = "QtyAndAcctDtls/SttlmQty";
        let Settled::Quantity(quantity @ (Quantity::Units(_) | Quantity::Tokens(_))) =
            &self.message.quantity
        else {
            return self.wrong(AT, "must be `Unit` or `DgtlTknUnit`");
        };
        let decimals = self.decimals(self.message.security.code().unwrap_or_default());
        let Some(decimals) = decimals else {
            return self.wrong("FinInstrmId", "must be the code of an asset that the node knows");
        };
        match quantity.decimal().to_atoms(decimals) {
            Some(atoms) => Some(atoms.to_string()),
            None => self.wrong(AT, "must be a whole number of atomic units below 2^64"),
        }
    }

    /// The code of what is paid, and how much of it.
    fn payment(&mut self, receives: bool) -> Option<(String, String)> {
        let message = self.message;
        let directed = match (message.payment, &message.amount) {
            (Payment::Free, None) => return None,
            (Payment::Free, Some(_)) => {
                return self.wrong("SttlmAmt", "must be absent, as it is free of payment");
            }
            (Payment::Against, None) => return self.wrong("SttlmAmt", "must be there"),
            (Payment::Against, Some(directed)) => directed,
        };
        let pays = directed.direction == Direction::Debit;
        if pays != receives {
            return self
                .wrong("SttlmAmt/CdtDbtInd", "must be the way that the securities don't go");
        }
        let code = directed.amount.currency.as_str();
        let Some(decimals) = self.decimals(code) else {
            return self.wrong("SttlmAmt/Amt", "must be of a currency that is an asset's code");
        };
        match directed.amount.value.decimal().to_atoms(decimals) {
            Some(atoms) => Some((code.to_owned(), atoms.to_string())),
            None => self.wrong("SttlmAmt/Amt", "must be a whole number of atomic units below 2^64"),
        }
    }

    /// The other side's node. Of both sides the first party alone may be named, and of this one the account that is named elsewhere.
    fn counterparty(&mut self, receives: bool, flow: Option<Flow>) -> Option<String> {
        let message = self.message;
        let delivering = ("DlvrgSttlmPties", message.delivering.as_ref());
        let receiving = ("RcvgSttlmPties", message.receiving.as_ref());
        let (own, other) = match receives {
            true => (receiving, delivering),
            false => (delivering, receiving),
        };
        for (at, parties) in [own, other] {
            if parties.is_some_and(more_than_one) {
                return self.wrong(&format!("{at}/Pty2"), "must be absent: one party of each side");
            }
        }
        if let Some(party) = own.1.and_then(|parties| parties.first.as_ref()) {
            if party.id.member() != Some(self.house) {
                return self.wrong(&format!("{}/Pty1/Id", own.0), OWN);
            }
            let account = message.account.as_ref().map(|account| &account.id);
            let named = party.account.as_ref().map(|account| &account.id);
            if named.is_some() && named != account {
                let at = format!("{}/Pty1/SfkpgAcct/Id", own.0);
                return self.wrong(&at, "must be the account of `QtyAndAcctDtls`");
            }
        }
        let at = format!("{}/Pty1/Id", other.0);
        let party = other.1.and_then(|parties| parties.first.as_ref());
        let Some(party) = party else {
            return match flow {
                Some(Flow::Redemption) => None,
                _ => self.wrong(&at, "must be there: the other side's node"),
            };
        };
        let Some(name) = party.id.member() else {
            return self.wrong(&at, "must be a member's name, as `PrtryId` of the issuer `SUDARE`");
        };
        if flow == Some(Flow::Redemption)
            && self.registrar() != self.node.member(name).map(|one| one.0)
        {
            return self.wrong(&at, "must be the asset's registrar");
        }
        Some(name.to_owned())
    }

    fn registrar(&self) -> Option<sudare_crypto::NodeId> {
        let code = self.message.security.code()?;
        let found = self.assets.iter().find(|one| one.terms.core.code.as_str() == code);
        found.map(|signed| signed.terms.core.registrar)
    }

    fn decimals(&self, code: &str) -> Option<u8> {
        let found = self.assets.iter().find(|one| one.terms.core.code.as_str() == code);
        found.map(|signed| signed.terms.core.decimals)
    }

    fn wrong<T>(&mut self, at: &str, must: &str) -> Option<T> {
        self.errors.push(error(&path(at), must));
        None
    }
}

fn path(at: &str) -> String {
    format!("/Document/SctiesSttlmTxInstr/{at}")
}

fn error(pointer: &str, must: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: must.to_owned() }
}
