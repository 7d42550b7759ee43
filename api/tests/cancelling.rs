//! Requests to cancel that come as messages (sese.020): of one instruction of the own institution, and of what it says it is.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::flows::Flow;
use sudare_api::iso20022::{CancellationStatus, Message};

use support::desk::{BROKER, CLERK, Desk, body_of, path_of};
use support::files::{done, file};
use support::ledger::SECURITY;
use support::{HOUSE, databases, sqlite};

const SESE: &str = "urn:iso:std:iso:20022:tech:xsd:sese.020.001.07";

/// A request to cancel the receipt of ten units, free of payment, with all that may be said of it.
fn request(reference: &str, account: &str) -> String {
    let party = |tag: &str, name: &str, account: &str| {
        format!(
            "<{tag}><Pty1><Id><PrtryId><Id>{name}</Id><Issr>SUDARE</Issr></PrtryId></Id>{account}</Pty1></{tag}>"
        )
    };
    let own = format!("<SfkpgAcct><Id>{account}</Id></SfkpgAcct>");
    let sides = party("DlvrgSttlmPties", "custodian-b", "") + &party("RcvgSttlmPties", HOUSE, &own);
    format!(
        "<Document xmlns=\"{SESE}\"><SctiesTxCxlReq>\
         <AcctOwnrTxId><SctiesSttlmTxId><TxId>{reference}</TxId><SctiesMvmntTp>RECE</SctiesMvmntTp><Pmt>FREE</Pmt></SctiesSttlmTxId></AcctOwnrTxId>\
         <AcctOwnr><Id><PrtryId><Id>{HOUSE}</Id><Issr>SUDARE</Issr></PrtryId></Id></AcctOwnr>\
         <SfkpgAcct><Id>{account}</Id></SfkpgAcct>\
         <TxDtls><FinInstrmId><ISIN>{SECURITY}</ISIN></FinInstrmId><SttlmDt><Dt><Dt>2031-07-18</Dt></Dt></SttlmDt>\
         <SttlmQty><Qty><Unit>10</Unit></Qty></SttlmQty>{sides}</TxDtls>\
         <CxlRsn><Cd><Cd>CANI</Cd></Cd></CxlRsn></SctiesTxCxlReq></Document>"
    )
}

/// Instructs a receipt and waits until the node has it.
async fn receipt(desk: &Desk, investor: &str, trade: &str, own: Option<&str>) -> String {
    let mut body = body_of(Flow::Receipt, investor, trade);
    if let Some(own) = own {
        body["own_reference"] = json!(own);
    }
    let taken = desk.world.post(BROKER, &path_of(Flow::Receipt), trade, &body).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
    desk.until(BROKER, &taken.id(), "matching").await;
    taken.id()
}

fn pointer(row: &Value) -> String {
    let at = row["errors"][0]["pointer"].as_str().unwrap();
    at.strip_prefix("/Document/SctiesTxCxlReq/").unwrap().to_owned()
}

/// [IMP-2]
#[tokio::test]
async fn a_request_to_cancel_ends_the_instruction_that_it_names_and_is_answered() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let pseudonym = desk.world.store.pseudonym(&investor, false).await.unwrap().unwrap();
        let named = receipt(&desk, &investor, "T-1", Some("OWN-1")).await;
        let unnamed = receipt(&desk, &investor, "T-2", None).await;
        let stays = receipt(&desk, &investor, "T-3", Some("OWN-3")).await;
        let texts = [request("OWN-1", pseudonym.as_str()), request("T-2", &investor)];
        let (stands, rows) = done(&desk, BROKER, "all", &file(texts.clone())).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("done"), &json!("complete")));
        assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&json!(named), &json!(unnamed)));
        for id in [&named, &unnamed] {
            let ended = desk.until(BROKER, id, "refused").await;
            assert_eq!(ended["reason"], "cancelled", "{ended}");
            let path = format!("/v1/operations/{id}/messages/cancellation");
            let answer = desk.world.get(BROKER, &path).await;
            let answer = Message::parse(answer.body.as_str().unwrap().as_bytes()).unwrap();
            let Message::CancellationAdvice(answer) = answer.message else { panic!() };
            assert!(matches!(answer.status, CancellationStatus::Cancelled(_)), "{answer:?}");
        }
        let read = desk.world.get(BROKER, &format!("/v1/operations/{stays}")).await.body;
        assert_eq!(read["state"], "matching");
        // What has ended is not cancelled again, and what is instructed again under the name is.
        let (_, rows) = done(&desk, BROKER, "rows", &texts[0]).await;
        assert_eq!(pointer(&rows[0]), "AcctOwnrTxId/SctiesSttlmTxId/TxId");
        let again = receipt(&desk, &investor, "T-4", Some("OWN-1")).await;
        let (_, rows) = done(&desk, BROKER, "rows", &(texts[0].clone() + "\n")).await;
        assert_eq!(rows[0]["id"], json!(again));
    }
}

/// [ISO-5]
#[tokio::test]
async fn a_request_that_says_what_is_not_so_of_the_instruction_cancels_nothing() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let investor = desk.investor(BROKER).await;
    let id = receipt(&desk, &investor, "T-1", Some("OWN-1")).await;
    let usual = request("OWN-1", &investor);
    let own = "<Pty1><Id><PrtryId><Id>custodian-b";
    let cases = [
        ("<TxId>OWN-1", "<TxId>OWN-2", "AcctOwnrTxId/SctiesSttlmTxId/TxId"),
        (">RECE<", ">DELI<", "AcctOwnrTxId/SctiesSttlmTxId/SctiesMvmntTp"),
        (">FREE<", ">APMT<", "AcctOwnrTxId/SctiesSttlmTxId/Pmt"),
        ("<AcctOwnr>", "<AcctSvcrTxId>0</AcctSvcrTxId><AcctOwnr>", "AcctSvcrTxId"),
        ("<AcctOwnr><Id><PrtryId><Id>house", "<AcctOwnr><Id><PrtryId><Id>other", "AcctOwnr/Id"),
        ("</AcctOwnr><SfkpgAcct><Id>", "</AcctOwnr><SfkpgAcct><Id>x", "SfkpgAcct/Id"),
        ("<Unit>10<", "<Unit>11<", "TxDtls/SttlmQty"),
        (SECURITY, "ZZ0000000016", "TxDtls/FinInstrmId"),
        ("2031-07-18", "2031-07-19", "TxDtls/SttlmDt"),
        (own, "<Pty1><Id><PrtryId><Id>custodian-c", "TxDtls/DlvrgSttlmPties"),
        ("<CxlRsn>", "<Lkgs><PrcgPos><Cd>WITH</Cd></PrcgPos></Lkgs><CxlRsn>", "Lkgs"),
    ];
    let texts = cases.map(|(from, to, _)| {
        assert!(usual.contains(from), "{from}");
        usual.replacen(from, to, 1)
    });
    let (stands, rows) = done(&desk, BROKER, "all", &file(texts)).await;
    assert_eq!(stands["rows_refused"], cases.len());
    for (place, (_, to, at)) in cases.into_iter().enumerate() {
        assert_eq!(pointer(&rows[place]), at, "{to}: {}", rows[place]);
    }
    // Its reference is its institution's alone, and one that several have names none.
    let (_, rows) = done(&desk, CLERK, "rows", &usual).await;
    assert_eq!(pointer(&rows[0]), "AcctOwnrTxId/SctiesSttlmTxId/TxId");
    let other = receipt(&desk, &investor, "T-2", Some("OWN-1")).await;
    let (_, rows) = done(&desk, BROKER, "rows", &usual).await;
    assert_eq!(pointer(&rows[0]), "AcctOwnrTxId/SctiesSttlmTxId/TxId");
    // With one wrong message of all, none is cancelled.
    let third = receipt(&desk, &investor, "T-3", Some("OWN-3")).await;
    let both = [request("OWN-3", &investor), request("OWN-4", &investor)];
    let (stands, _) = done(&desk, BROKER, "all", &file(both)).await;
    assert_eq!(stands["result"], "rows");
    for id in [&id, &other, &third] {
        let read = desk.world.get(BROKER, &format!("/v1/operations/{id}")).await.body;
        assert_eq!(read["state"], "matching", "{read}");
        let path = format!("/v1/operations/{id}/messages/cancellation");
        assert_eq!(desk.world.get(BROKER, &path).await.problem(), "impossible");
    }
}
