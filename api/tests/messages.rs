//! Files of settlement instructions (sese.023): all or one by one, gone on with wherever they were stopped, nothing passed over.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::flows::{Market, MarketConfig};
use support::desk::{BROKER, CLERK, Desk};
use support::files::{brought, done, file};
use support::ledger::SECURITY;
use support::{HOUSE, databases, hash_of, sqlite, world};

const SESE: &str = "urn:iso:std:iso:20022:tech:xsd:sese.023.001.11";

/// A document by what differs between its kinds.
#[derive(Clone, Copy)]
struct Said<'a> {
    trade: &'a str,
    /// `DELI` or `RECE`.
    way: &'a str,
    kind: &'a str,
    /// When it was traded; with it comes a payment of 500.
    traded: Option<&'a str>,
    paid: bool,
    account: &'a str,
}

impl Said<'_> {
    fn document(self) -> String {
        let Said { trade, way, kind, traded, paid, account } = self;
        let receives = way == "RECE";
        let traded = traded.map(|date| format!("<TradDt><Dt><Dt>{date}</Dt></Dt></TradDt>"));
        let traded = traded.unwrap_or_default();
        let pay = if paid { "APMT" } else { "FREE" };
        let direction = if receives { "DBIT" } else { "CRDT" };
        let amount = format!(
            "<SttlmAmt><Amt Ccy=\"JPY\">500</Amt><CdtDbtInd>{direction}</CdtDbtInd></SttlmAmt>"
        );
        let amount = if paid { amount } else { String::new() };
        let party = |tag: &str, name: &str, account: &str| {
            format!(
                "<{tag}><Pty1><Id><PrtryId><Id>{name}</Id><Issr>SUDARE</Issr></PrtryId></Id>{account}</Pty1></{tag}>"
            )
        };
        let own = format!("<SfkpgAcct><Id>{account}</Id></SfkpgAcct>");
        let sides = match (receives, kind) {
            (_, "REDM") => party("DlvrgSttlmPties", HOUSE, &own),
            (true, _) => {
                party("DlvrgSttlmPties", "custodian-b", "") + &party("RcvgSttlmPties", HOUSE, &own)
            }
            (false, _) => {
                party("DlvrgSttlmPties", HOUSE, &own) + &party("RcvgSttlmPties", "custodian-b", "")
            }
        };
        format!(
            "<Document xmlns=\"{SESE}\"><SctiesSttlmTxInstr><TxId>OWN-{trade}</TxId>\
             <SttlmTpAndAddtlParams><SctiesMvmntTp>{way}</SctiesMvmntTp><Pmt>{pay}</Pmt></SttlmTpAndAddtlParams>\
             <TradDtls><TradId>{trade}</TradId>{traded}<SttlmDt><Dt><Dt>2031-07-18</Dt></Dt></SttlmDt></TradDtls>\
             <FinInstrmId><ISIN>{SECURITY}</ISIN></FinInstrmId>\
             <QtyAndAcctDtls><SttlmQty><Qty><Unit>10</Unit></Qty></SttlmQty><SfkpgAcct><Id>{account}</Id></SfkpgAcct></QtyAndAcctDtls>\
             <SttlmParams><SctiesTxTp><Cd>{kind}</Cd></SctiesTxTp></SttlmParams>\
             {sides}{amount}</SctiesSttlmTxInstr></Document>"
        )
    }
}

const fn receipt<'a>(trade: &'a str, account: &'a str) -> Said<'a> {
    Said { trade, way: "RECE", kind: "TRAD", traded: None, paid: false, account }
}

#[tokio::test]
async fn every_message_of_a_right_file_becomes_what_its_client_could_have_instructed() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let pseudonym = desk.world.store.pseudonym(&investor, false).await.unwrap().unwrap();
        let usual = receipt("T-1", &investor);
        let said = [
            (usual, "receipts"),
            (Said { trade: "T-2", kind: "OWNE", paid: true, ..usual }, "deliveries-versus-payment"),
            (Said { trade: "T-3", traded: Some("2031-07-16"), ..usual }, "executions"),
            (
                Said { trade: "T-4", traded: Some("2031-07-16"), paid: true, way: "DELI", ..usual },
                "executions",
            ),
            (Said { trade: "T-5", kind: "OWNI", way: "DELI", ..usual }, "transfers"),
            (Said { trade: "T-6", kind: "REDM", way: "DELI", ..usual }, "redemptions"),
            // Statements name investors by pseudonym.
            (receipt("T-7", pseudonym.as_str()), "receipts"),
        ];
        let text = file(said.iter().map(|(said, _)| said.document()));
        let (stands, rows) = done(&desk, BROKER, "all", &text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("done"), &json!("complete")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(7), &json!(0)));
        for (place, (said, kind)) in said.iter().enumerate() {
            let path = format!("/v1/operations/{}", rows[place]["id"].as_str().unwrap());
            let read = desk.world.get(BROKER, &path).await.body;
            assert_eq!(read["kind"], *kind);
            assert_eq!(read["instructed_by"], "entrusting-broker at other");
            let asked = &read["instruction"];
            assert_eq!(
                (&asked["trade_id"], &asked["quantity"]),
                (&json!(said.trade), &json!("10"))
            );
            assert_eq!(asked["own_reference"], format!("OWN-{}", said.trade));
            assert_eq!(asked["investor_id"], investor.as_str());
            assert_eq!(asked["payment_quantity"].as_str(), said.paid.then_some("500"));
        }
        // The node has them.
        desk.until(BROKER, rows[0]["id"].as_str().unwrap(), "matching").await;
        assert_eq!(desk.node.trades("T-1").len(), 1);
    }
}

#[tokio::test]
async fn all_or_nothing_keeps_nothing_when_one_message_is_wrong_and_each_by_itself_the_others() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let (investor, stranger) = (desk.investor(BROKER).await, desk.investor(CLERK).await);
        let before = desk.world.get(BROKER, "/v1/operations?limit=200").await.body["items"].clone();
        let text = file([
            receipt("T-1", &investor).document(),
            receipt("T-2", &stranger).document(),
            "<Document xmlns=\"urn:other\"/>".to_owned(),
            receipt("T-1", &investor).document(),
            receipt("T-4", &investor).document().replace("<Unit>10", "<Unit>0.5"),
        ]);
        let (stands, rows) = done(&desk, BROKER, "all", &text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("refused"), &json!("rows")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(0), &json!(4)));
        let at = "/Document/SctiesSttlmTxInstr";
        let expected = [
            (2, format!("{at}/QtyAndAcctDtls/SfkpgAcct/Id")),
            (3, "".to_owned()),
            (4, format!("{at}/TradDtls/TradId")),
            (5, format!("{at}/QtyAndAcctDtls/SttlmQty")),
        ];
        let wrong = |rows: &[Value]| -> Vec<(i64, String)> {
            rows.iter()
                .filter(|row| row["errors"].is_array())
                .map(|row| {
                    let pointer = row["errors"][0]["pointer"].as_str().unwrap();
                    (row["row"].as_i64().unwrap(), pointer.to_owned())
                })
                .collect()
        };
        assert_eq!(wrong(&rows), expected);
        let after = desk.world.get(BROKER, "/v1/operations?limit=200").await.body["items"].clone();
        assert_eq!(before, after, "something was kept");
        let (stands, rows) = done(&desk, BROKER, "rows", &text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("done"), &json!("partial")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(1), &json!(4)));
        assert_eq!(wrong(&rows), expected);
        let id = rows[0]["id"].as_str().unwrap();
        assert_eq!(desk.until(BROKER, id, "matching").await["instruction"]["trade_id"], "T-1");
    }
}

#[tokio::test]
async fn messages_are_kept_once_each_however_often_the_work_is_stopped_and_begun_again() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let documents = (1..=450).map(|number| {
            // Every tenth is wrong.
            let account = if number % 10 == 0 { "nobody" } else { investor.as_str() };
            receipt(&format!("T-{number}"), account).document()
        });
        let id = brought(&desk, BROKER, "rows", &file(documents)).await;
        let path = format!("/v1/imports/{id}");
        let mut pause = Duration::from_millis(2);
        let stands = loop {
            let api = desk.world.api.clone();
            let work = tokio::spawn(async move { api.import_next().await });
            tokio::time::sleep(pause).await;
            work.abort();
            pause *= 2;
            let stands = desk.world.get(BROKER, &path).await.body;
            if stands["status"] == "done" {
                break stands;
            }
        };
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(405), &json!(45)));
        let (mut trades, mut count) = (BTreeSet::new(), 0);
        let mut page = "/v1/operations?limit=200".to_owned();
        loop {
            let read = desk.world.get(BROKER, &page).await.body;
            for item in read["items"].as_array().unwrap() {
                if let Some(trade) = item["instruction"]["trade_id"].as_str() {
                    count += 1;
                    trades.insert(trade.to_owned());
                }
            }
            let Some(next) = read["next"].as_str() else { break };
            page = next.to_owned();
        }
        assert_eq!((trades.len(), count), (405, 405));
    }
}

/// [ISO-5]
#[tokio::test]
async fn a_message_that_says_anything_that_would_be_passed_over_instructs_nothing() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let investor = desk.investor(BROKER).await;
    let usual = receipt("T-1", &investor).document();
    let paid = Said { paid: true, ..receipt("T-1", &investor) }.document();
    let redemption = Said { kind: "REDM", way: "DELI", ..receipt("T-1", &investor) }.document();
    let own = "<RcvgSttlmPties><Pty1><Id><PrtryId><Id>house";
    let second = "<Pty2><Id><AnyBIC>DEMOJPJT</AnyBIC></Id></Pty2></DlvrgSttlmPties>";
    let cases = [
        (
            &usual,
            "<SttlmParams>",
            "<SttlmParams><HldInd><Ind>true</Ind></HldInd>",
            "SttlmParams/HldInd",
        ),
        (&usual, "</DlvrgSttlmPties>", second, "DlvrgSttlmPties/Pty2"),
        (&usual, own, "<RcvgSttlmPties><Pty1><Id><PrtryId><Id>other", "RcvgSttlmPties/Pty1/Id"),
        (&usual, "<Issr>SUDARE", "<Issr>PLANTED", "DlvrgSttlmPties/Pty1/Id"),
        (&usual, "custodian-b", "notary", "DlvrgSttlmPties/Pty1/Id"),
        (&usual, "<Cd>TRAD", "<Cd>COLI", "SttlmParams/SctiesTxTp"),
        (&usual, "<Cd>TRAD", "<Cd>REDM", "SttlmParams/SctiesTxTp"),
        (&usual, "<ISIN>ZZ0000000008", "<ISIN>ZZ0000000016", "FinInstrmId"),
        (&usual, "<Unit>10</Unit>", "<FaceAmt>10</FaceAmt>", "QtyAndAcctDtls/SttlmQty"),
        (&usual, "<Unit>10", "<Unit>0", "QtyAndAcctDtls/SttlmQty"),
        (&usual, "<TradId>T-1</TradId>", "", "TradDtls/TradId"),
        (
            &usual,
            "<TradId>T-1</TradId>",
            "<TradId>T-1</TradId><TradId>T-2</TradId>",
            "TradDtls/TradId",
        ),
        (
            &usual,
            "</SctiesSttlmTxInstr>",
            "<SttlmAmt><Amt Ccy=\"JPY\">1</Amt><CdtDbtInd>DBIT</CdtDbtInd></SttlmAmt></SctiesSttlmTxInstr>",
            "SttlmAmt",
        ),
        (&paid, "DBIT", "CRDT", "SttlmAmt/CdtDbtInd"),
        (&paid, "Ccy=\"JPY\"", "Ccy=\"EUR\"", "SttlmAmt/Amt"),
        (&paid, ">500<", ">0<", "SttlmAmt/Amt"),
        (&redemption, "<Cd>REDM", "<Cd>ISSU", "SttlmParams/SctiesTxTp"),
    ];
    let texts = cases.map(|(text, from, to, _)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let (stands, rows) = done(&desk, BROKER, "all", &file(texts)).await;
    assert_eq!(stands["rows_refused"], cases.len());
    for (place, (_, _, to, at)) in cases.into_iter().enumerate() {
        let row = &rows[place];
        let pointers: Vec<&str> = row["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        let expected = format!("/Document/SctiesSttlmTxInstr/{at}");
        assert!(pointers.contains(&expected.as_str()), "{to}: {pointers:?}");
        assert!(!row.to_string().contains("PLANTED"), "a value is repeated: {row}");
    }
    // One alone needs no envelope.
    let (stands, _) = done(&desk, BROKER, "all", &usual).await;
    assert_eq!(stands["result"], "complete");
    for (text, result) in [("<Xchg", "form"), ("<Other/>", "form"), (&file([]), "count")] {
        let (stands, _) = done(&desk, BROKER, "rows", text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("refused"), &json!(result)));
    }
}

#[tokio::test]
async fn who_may_not_instruct_brings_no_messages_and_a_closed_market_takes_none() {
    let database = sqlite();
    let market = Market::new(&MarketConfig { cut_offs: Default::default(), carry_overs: 1 });
    let node = std::sync::Arc::new(support::ledger::InMemory::new());
    let desk = Desk::set_up(&database, node, |setup| setup.market = Some(market.unwrap())).await;
    let text = file([receipt("T-1", &"0".repeat(32)).document()]);
    let body = json!({
        "target": "instructions", "class": "all", "size": text.len().to_string(),
        "sha256": hash_of(text.as_bytes()), "file_at": "2026-01-05T00:00:00Z",
    });
    for role in [Role::Registrar, Role::Regulator, Role::Issuer, Role::Operator] {
        let refused = desk.world.post((role, HOUSE), "/v1/imports", "k", &body).await;
        assert_eq!(refused.problem(), "forbidden", "{role}");
    }
    // CSV is no message.
    let made = desk.world.post(BROKER, "/v1/imports", "k", &body).await;
    let path = format!("/v1/imports/{}/content?offset=0", made.id());
    let csv = [("content-type", "text/csv")];
    let refused = desk.world.text(BROKER, Method::PUT, &path, &csv, &text).await;
    assert_eq!(refused.problem(), "impossible");
    let mut person = support::smallest(sudare_api::masters::Kind::Investor);
    person["status"] = json!("active");
    let investor = desk.world.post(BROKER, "/v1/investors", "i", &person).await.id();
    desk.world.store.pseudonym(&investor, true).await.unwrap();
    let text = file([receipt("T-1", &investor).document()]);
    let (stands, rows) = done(&desk, BROKER, "rows", &text).await;
    assert_eq!(stands["rows_refused"], 1);
    assert_eq!(rows[0]["errors"][0]["detail"], "the market is closed");
    drop(desk);
    // A node without the role takes none.
    let refused = world(&sqlite()).await.post(BROKER, "/v1/imports", "k", &body).await;
    assert_eq!(refused.problem(), "impossible");
}
