//! What is said of trades in messages: each state, by the schema of others, and over HTTP to those who may read the operation.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod oracle;
mod support;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::access::{Role, Scope};
use sudare_api::flows::{Flow, Outgoing, Saying, Standing, State, Units, scope};
use sudare_api::iso20022::{Message, TransactionKind};
use sudare_ledger::messages::Reason;

use support::desk::{BROKER, CLERK, Desk, body_of, path_of};
use support::{Answer, HOUSE, databases, sqlite};

const TX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn trade(standing: Standing) -> Outgoing {
    Outgoing {
        reference: "OWN-1".into(),
        servicer_id: Some("0190a5c0d5f07c3b8e1f2a3b4c5d6e7f".into()),
        house: "custodian-a".into(),
        counterparty: "custodian-b".into(),
        trade_id: "T-1".into(),
        kind: TransactionKind::Trade,
        traded: Some("2031-07-16".parse().unwrap()),
        settlement: "2031-07-18".parse().unwrap(),
        receives: false,
        account: "INV-1".into(),
        units: Units { code: "ZZ0000DEMO11".into(), atoms: 12_345, decimals: 2 },
        payment: Some(Units { code: "JPY".into(), atoms: 500, decimals: 0 }),
        taken_ms: 1_942_000_000_000,
        cancel_wanted: false,
        standing,
    }
}

/// Every state, refused for several reasons, with and without wishes to cancel it, paid in all ways.
fn trades() -> Vec<Outgoing> {
    let reasons = [Reason::Overspend, Reason::NoMatch, Reason::Cancelled, Reason::Lapsed];
    let mut standings: Vec<Standing> = State::ALL.map(Standing::at).into();
    for state in [State::Refused, State::Releasing] {
        standings.extend(reasons.map(|reason| {
            let Standing { reason, explanation, .. } = Standing::refused(reason);
            Standing { reason, explanation, ..Standing::at(state) }
        }));
    }
    let mut trades = Vec::new();
    for standing in standings {
        let known = Standing {
            transaction: Some(TX.into()),
            notarised_ms: Some(1_942_000_001_500),
            waiting_for: Some("registrar".into()),
            delivery_date: Some("2031-07-22".into()),
            counterparty_cancel_requested_ms: Some(1),
            ..standing.clone()
        };
        let plain = trade(standing);
        let paid = |code: &str, atoms| Units { code: code.into(), atoms, decimals: 3 };
        trades.extend([
            Outgoing { cancel_wanted: true, ..plain.clone() },
            Outgoing { receives: true, payment: Some(paid("CASH", 20_500)), ..trade(known) },
            Outgoing {
                kind: TransactionKind::Redemption,
                payment: None,
                traded: None,
                servicer_id: None,
                units: paid("POINTS", u64::MAX),
                ..plain.clone()
            },
            plain,
        ]);
    }
    trades
}

/// [ISO-1]
#[test]
fn what_is_said_of_a_trade_in_any_state_is_read_by_an_independent_package_and_by_us() {
    let mut texts = BTreeSet::new();
    for trade in trades() {
        for saying in Saying::ALL {
            let made = trade.message(saying).unwrap();
            texts.extend(made.map(|message| message.to_xml()));
        }
    }
    let lines: String = texts.iter().map(|text| format!("{}\n", json!({ "xml": text }))).collect();
    let answers = oracle::run("iso20022_messages.py", &lines);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), texts.len());
    let mut ids = BTreeSet::new();
    for (place, text) in texts.iter().enumerate() {
        let answer: Value = serde_json::from_str(answers[place]).unwrap();
        assert_eq!(answer["faults"], json!([]), "{text}");
        let parsed = Message::parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.unread.len(), &parsed.message.to_xml()), (0, text));
        let back = Message::parse(answer["xml"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(back, parsed, "{text}");
        ids.insert(parsed.message.id());
    }
    assert_eq!(ids.len(), Saying::ALL.len());
}

/// What stands in the status of a trade.
fn status(trade: &Outgoing) -> String {
    let text = trade.message(Saying::Status).unwrap().unwrap().to_xml();
    text.split_whitespace().collect()
}

/// [ISO-6]
#[test]
fn a_status_is_what_the_standard_calls_the_trade_s_state() {
    let unmatched = "<MtchgSts><Umtchd><Rsn><Cd><Cd>CMIS</Cd></Cd></Rsn></Umtchd></MtchgSts>";
    let cases = [
        (State::Received, "<PrcgSts><PdgPrcg><NoSpcfdRsn>"),
        (State::Scheduled, "<SttlmSts><Pdg><Rsn><Cd><Cd>FUTU</Cd>"),
        (State::CarriedOver, "<SttlmSts><Flng><Rsn><Cd><Cd>LATE</Cd>"),
        (State::Matching, unmatched),
        (State::Queued, "<SttlmSts><Pdg><Rsn><Cd><Cd>LACK</Cd>"),
        (State::Approving, "<SchmeNm>approving</SchmeNm>"),
        (State::Settled, "<PrtrySts><Id>LDGR</Id><Issr>SUDARE</Issr><SchmeNm>settled</SchmeNm>"),
    ];
    for (state, said) in cases {
        let text = status(&trade(Standing::at(state)));
        assert!(text.contains(said), "{state:?}: {text}");
    }
    let refused = |reason| trade(Standing::refused(reason));
    let text = status(&refused(Reason::Overspend));
    assert!(text.contains("<PrcgSts><Rjctd><Rsn><Cd><Prtry><Id>LDGR</Id>"), "{text}");
    assert!(text.contains("<SchmeNm>overspend</SchmeNm>"), "{text}");
    let text = status(&refused(Reason::Cancelled));
    assert!(text.contains("<PrcgSts><Canc><Rsn><Cd><Cd>CANI</Cd>"), "{text}");
    let wanted = Outgoing { cancel_wanted: true, ..trade(Standing::at(State::Approving)) };
    assert!(status(&wanted).contains("<PrcgSts><PdgCxl><Rsn><Cd><Cd>CONF</Cd>"), "{wanted:?}");
    let asked =
        Standing { counterparty_cancel_requested_ms: Some(1), ..Standing::at(State::Approving) };
    assert!(status(&trade(asked)).contains("<PrcgSts><CxlReqd>"));
}

/// [ISO-6]
#[test]
fn a_confirmation_says_when_the_notary_made_it_final_and_a_cancellation_what_became_of_it() {
    let standing = Standing {
        transaction: Some(TX.into()),
        notarised_ms: Some(1_942_000_001_500),
        ..Standing::at(State::Settled)
    };
    let settled = trade(standing.clone());
    let text = settled.message(Saying::Confirmation).unwrap().unwrap().to_xml();
    let text: String = text.split_whitespace().collect();
    for said in [
        "<FctvSttlmDt><Dt><DtTm>2031-07-16T20:26:41.5Z</DtTm></Dt></FctvSttlmDt>",
        &format!("<Valueof=\"tx\">{TX}</Value>"),
        &format!("<MktInfrstrctrTxId>{}</MktInfrstrctrTxId>", &TX[..32]),
        "<SttldQty><Qty><Unit>123.45</Unit></Qty></SttldQty>",
        "<AmtCcy=\"JPY\">500</Amt><CdtDbtInd>CRDT</CdtDbtInd>",
    ] {
        assert!(text.contains(said), "{said} isn't in {text}");
    }
    // Final by the notary's word, but not yet in the register's log: it is not confirmed.
    let finalising = Standing { state: State::Finalising, ..standing.clone() };
    assert_eq!(trade(finalising.clone()).message(Saying::Confirmation), Ok(None));
    let answer = |standing: Standing, wanted: bool| {
        let one = Outgoing { cancel_wanted: wanted, ..trade(standing) };
        let message = one.message(Saying::Cancellation).unwrap()?;
        let text: String = message.to_xml().split_whitespace().collect();
        let (_, rest) = text.split_once("<PrcgSts><").unwrap();
        Some(rest.split_once('>').unwrap().0.to_owned())
    };
    assert_eq!(answer(standing.clone(), false), None);
    for (state, said) in [
        (standing, "Dnd"),
        (finalising, "Dnd"),
        (Standing::at(State::Approving), "PdgCxl"),
        (Standing::refused(Reason::Lapsed), "Dnd"),
        (Standing::refused(Reason::Cancelled), "Canc"),
    ] {
        assert_eq!(answer(state, true).as_deref(), Some(said));
    }
}

/// The text of a message.
fn text(answer: &Answer) -> &[u8] {
    answer.body.as_str().unwrap().as_bytes()
}

#[tokio::test]
async fn who_reads_an_operation_reads_it_as_messages_and_is_told_why_there_is_none() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let mut body = body_of(Flow::Execution, &investor, "T-1");
        body["own_reference"] = json!("BROKER-7");
        let taken = desk.world.post(BROKER, &path_of(Flow::Execution), "k1", &body).await;
        desk.until(BROKER, &taken.id(), "matching").await;
        let path = format!("/v1/operations/{}", taken.id());
        let read =
            async |said: &str| desk.world.get(BROKER, &format!("{path}/messages/{said}")).await;
        let status = read("status").await;
        assert_eq!(status.status, StatusCode::OK, "{status:?}");
        assert_eq!(status.header("content-type"), "application/xml");
        let parsed = Message::parse(text(&status)).unwrap();
        let Message::Status(advice) = parsed.message else { panic!("no status") };
        assert_eq!(advice.id.as_str(), "BROKER-7");
        assert_eq!(advice.servicer_id.unwrap().as_str(), taken.id());
        let details = advice.details.unwrap();
        let pseudonym = desk.world.store.pseudonym(&investor, false).await.unwrap().unwrap();
        assert_eq!(details.account.unwrap().id.as_str(), pseudonym.as_str());
        let other = details.delivering.unwrap().first.unwrap();
        assert_eq!(other.id.member(), Some("custodian-b"));
        for absent in ["confirmation", "cancellation"] {
            let none = read(absent).await;
            assert_eq!((none.status, none.problem()), (StatusCode::CONFLICT, "impossible"));
        }
        assert_eq!(read("other").await.status, StatusCode::NOT_FOUND);
        let cancelled =
            desk.world.post(BROKER, &format!("{path}/cancellation"), "k2", &json!({})).await;
        assert_eq!(cancelled.status, StatusCode::ACCEPTED);
        desk.until(BROKER, &taken.id(), "refused").await;
        let answer = Message::parse(text(&read("cancellation").await)).unwrap();
        let Message::CancellationAdvice(answer) = answer.message else { panic!("no answer") };
        assert_eq!(answer.request.as_str(), "BROKER-7");
        assert!(read("status").await.body.as_str().unwrap().contains("<Canc>"));
    }
}

/// [FLOW-7]
#[tokio::test]
async fn the_hops_of_a_trade_say_whom_it_waits_for() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        desk.carrying.abort();
        let body = body_of(Flow::Receipt, &investor, "T-1");
        let taken = desk.world.post(BROKER, &path_of(Flow::Receipt), "k1", &body).await;
        let path = format!("/v1/operations/{}/hops", taken.id());
        let none = desk.world.get(BROKER, &path).await;
        assert_eq!((none.status, &none.body["items"]), (StatusCode::OK, &json!([])));
        let desk = Desk::at(&database, std::sync::Arc::clone(&desk.node)).await;
        desk.until(BROKER, &taken.id(), "matching").await;
        desk.node.proposed("T-1");
        let read = desk.world.get(BROKER, &path).await.body;
        assert_eq!(read["clock"], HOUSE);
        let parts: Vec<(&str, &str)> = read["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hop| (hop["party"].as_str().unwrap(), hop["step"].as_str().unwrap()))
            .collect();
        let steps = ["its instruction -> proposal", "proposal -> slot", "slot -> legs"];
        let expected = [("custodian-b", steps[0]), (HOUSE, steps[1]), ("custodian-b", steps[2])];
        assert_eq!(parts, expected);
        let last = &read["items"][2];
        assert!(last.get("until").is_none() && last["took_ms"].is_u64(), "{last}");
        assert!(read["items"][0]["until"].is_string());
    }
}

/// [AUT-2]
#[tokio::test]
async fn messages_are_read_by_those_who_read_the_operation_and_are_about_trades_alone() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let investor = desk.investor(BROKER).await;
    let body = body_of(Flow::Receipt, &investor, "T-1");
    let taken = desk.world.post(BROKER, &path_of(Flow::Receipt), "k1", &body).await;
    let path = format!("/v1/operations/{}/messages/status", taken.id());
    for role in Role::ALL {
        for institution in [HOUSE, "other"] {
            let expected = match scope(role, Flow::Receipt) {
                Scope::Nothing => 403,
                Scope::House if institution == HOUSE => 200,
                _ if institution == "other" => 200,
                _ => 404,
            };
            let read = desk.world.get((role, institution), &path).await;
            assert_eq!(read.status.as_u16(), expected, "{role} of {institution}");
        }
    }
    let path = path.replace("messages/status", "hops");
    for (who, expected) in [
        (BROKER, 200),
        (CLERK, 200),
        ((Role::EntrustingBroker, HOUSE), 404),
        ((Role::Regulator, HOUSE), 403),
    ] {
        assert_eq!(desk.world.get(who, &path).await.status.as_u16(), expected, "{who:?}");
    }
    let listed = desk.world.get(CLERK, "/v1/operations?limit=1").await.body["items"][0].clone();
    assert_eq!(listed["kind"], "accounts");
    for what in ["messages/status", "hops"] {
        let path = format!("/v1/operations/{}/{what}", listed["id"].as_str().unwrap());
        assert_eq!(desk.world.get(CLERK, &path).await.problem(), "impossible");
    }
}
