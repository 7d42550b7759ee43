//! Erasure on a real network: a person whose data was used in every way is erased, and nothing of it is found in anything that
//! was ever written; what the ledger proves holds on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sudare::clock::now_ms;
use sudare::demo::input::AssetKind;
use sudare::demo::setup::{Desk, text, trade};
use sudare_ledger::custodian::{Instruction, Movement, Side};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::registrar::{Allotment, Instruction as RegistrarInstruction, IssueOrder};
use sudare_ledger::role::Role;
use sudare_tests::system::eventually;
use sudare_tests::system::haystack::Needles;
use sudare_tests::system::network::{Network, SOLD, asset};
use sudare_tests::system::postgres;
use sudare_tests::system::web::{Card, Served, request, sha256};

const DATE: &str = "2031-07-18";
const HOUSE: &str = "custodian-a";
const REASON: &str = "case:2031-7";
/// What the person says of itself: nothing of it is found by chance.
const PLANTED: [(&str, &str); 7] = [
    ("name", "黒瀬 あかつき"),
    ("address", "北海道虻田郡倶知安町字巽9943番地7"),
    ("phone", "+81-136-9943-7719"),
    ("email", "akatsuki.kurose.9943@planted.example"),
    ("account_number", "9943771"),
    ("account_holder_kana", "ｸﾛｾ ｱｶﾂｷ9943"),
    ("safekeeping_account", "KUROSE-9943-7719"),
];

fn person(status: &str) -> Value {
    let mut person =
        json!({ "safekeeping_class": "safekeeping", "status": status, "aml_class": "low" });
    for (name, value) in PLANTED {
        person[name] = json!(value);
    }
    person
}

/// A network whose custodian-a serves the API to three of its own people.
struct House {
    served: Served,
    desk: Desk,
    second: Card,
    signer: Card,
    key: Ed25519KeyPair,
}

impl House {
    async fn open(database: Option<&str>) -> Self {
        let members = [
            ("notary", Role::Notary),
            ("registrar", Role::Registrar),
            (HOUSE, Role::Custodian),
            ("custodian-b", Role::Custodian),
            ("regulator", Role::Regulator),
        ];
        let mut network = Network::make(&members);
        network.run(&["notary", "registrar", "custodian-b", "regulator"]).await;
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", key.public_key().as_ref()]
            .concat();
        let (mut second, mut signer) = (None, None);
        let served = Served::on(network, HOUSE, "custodian", |folder, root| {
            let mut more = String::new();
            if let Some(url) = database {
                let path = folder.join("database.url");
                fs::write(&path, url).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                more += "database_url = \"database.url\"\n";
            }
            for (name, role, card) in
                [("second", "direct-broker", &mut second), ("signer", "custodian", &mut signer)]
            {
                let made = root.card(name);
                more += &format!(
                    "[[api.clients]]\nname = \"{name}\"\nrole = \"{role}\"\ninstitution = \"{HOUSE}\"\ncertificate = \"{}\"\n",
                    sha256(&made.certificate)
                );
                *card = Some(made);
            }
            more + &format!(
                "[[api.clients.keys]]\nid = \"desk\"\npublic = \"{}\"\n",
                STANDARD.encode(&der)
            )
        });
        let served = served.await;
        let mut desk = served.network.desk();
        desk.open_asset(&asset(SOLD, AssetKind::Security), "registrar", "regulator").await.unwrap();
        let account = |custodian: &str, investor: &str| {
            (custodian.to_owned(), SOLD.to_owned(), investor.to_owned())
        };
        desk.add_accounts(&[account(HOUSE, "OWN"), account("custodian-b", "INV-2")]).await.unwrap();
        Self { served, desk, second: second.unwrap(), signer: signer.unwrap(), key }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        self.by(&self.served.clerk, method, path, body, "", status)
    }

    fn by(
        &self,
        card: &Card,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &str,
        status: u16,
    ) -> Value {
        let headers = format!("{headers}access-reason: {REASON}\r\n");
        let answer = eventually("the API answers", || {
            self.served.ask_with(Some(card), method, path, &headers, body)
        });
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.1);
        answer.1
    }

    fn put(&self, id: &str, etag: u32, body: &Value) {
        let matching = format!("if-match: \"v{etag}\"\r\n");
        let path = format!("/v1/investors/{id}");
        self.by(&self.served.clerk, "PUT", &path, Some(body), &matching, 200);
    }

    fn until(&self, kind: &str, body: &Value, state: &str) -> String {
        let taken = self.ask("POST", &format!("/v1/instructions/{kind}"), Some(body), 202);
        let id = taken["id"].as_str().unwrap().to_owned();
        self.reached(&id, state);
        id
    }

    fn reached(&self, id: &str, state: &str) {
        eventually(&format!("{id} is {state}"), || {
            let read = self.ask("GET", &format!("/v1/operations/{id}"), None, 200);
            assert!(read["ended"] != true || read["state"] == state, "{read}");
            (read["state"] == state).then_some(())
        });
    }

    /// A request that makes the person, signed.
    fn signed(&self) -> String {
        let body = person("closed").to_string();
        let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
        let content = format!("sha-256=:{}:", STANDARD.encode(digest));
        let target = format!("https://localhost:{}/v1/investors", self.served.address.port());
        let input = format!(
            "(\"@method\" \"@target-uri\" \"content-digest\" \"idempotency-key\");created={};keyid=\"desk\"",
            now_ms() / 1000
        );
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {target}\n\"content-digest\": {content}\n\"idempotency-key\": signed-1\n\"@signature-params\": {input}"
        );
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()));
        let headers = format!(
            "content-type: application/json\r\nidempotency-key: signed-1\r\ncontent-digest: {content}\r\nsignature-input: desk={input}\r\nsignature: desk=:{signature}:\r\n"
        );
        let (root, address) = (&self.served.root, self.served.address);
        let card = Some(&self.signer);
        let answer = request(root, card, address, "POST", "/v1/investors", &headers, &body);
        let (status, text) = answer.unwrap();
        assert_eq!(status, 201, "{text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        let kept = self.ask("GET", &format!("/v1/investors/{id}/signatures"), None, 200);
        assert_eq!(
            STANDARD.decode(kept["items"][0]["body"].as_str().unwrap()).unwrap(),
            body.as_bytes()
        );
        id
    }

    /// The person in a file of rows.
    fn imported(&self) -> String {
        let names: Vec<&str> = PLANTED.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = PLANTED.iter().map(|(_, value)| *value).collect();
        let file = format!(
            "{},safekeeping_class,status,aml_class\n{},safekeeping,closed,low\n",
            names.join(","),
            values.join(",")
        );
        let body = json!({
            "target": "investors", "class": "rows", "size": file.len().to_string(), "sha256": sha256(file.as_bytes()),
            "file_at": "2026-01-05T00:00:00Z",
        });
        let made = self.ask("POST", "/v1/imports", Some(&body), 201);
        let path = format!("/v1/imports/{}", made["id"].as_str().unwrap());
        let (root, address) = (&self.served.root, self.served.address);
        let part = format!("{path}/content?offset=0");
        let headers = "content-type: text/csv\r\n";
        let card = Some(&self.served.clerk);
        let answer = request(root, card, address, "PUT", &part, headers, &file).unwrap();
        assert_eq!(answer.0, 200, "{}", answer.1);
        eventually("the file is done", || {
            (self.ask("GET", &path, None, 200)["status"] == "done").then_some(())
        });
        let rows = self.ask("GET", &format!("{path}/rows"), None, 200);
        rows["items"][0]["id"].as_str().unwrap().to_owned()
    }

    /// What the second of two people is answered.
    fn two(&self, deed: &str, request: &Value, status: u16) -> Value {
        let body = json!({ "deed": deed, "request": request });
        let proposed = self.ask("POST", "/v1/approvals", Some(&body), 201);
        let decision = json!({ "decision": "approve", "hash": proposed["hash"] });
        let path = format!("/v1/approvals/{}/decision", proposed["id"].as_str().unwrap());
        self.by(&self.second, "POST", &path, Some(&decision), "", status)
    }

    fn erase(&self, id: &str, reason: &str, status: u16) -> Value {
        self.two("erase-investor", &json!({ "investor_id": id, "reason": reason }), status)
    }

    /// Issues units to the person, who then has them; gives the account's instruction, too.
    async fn issue(&self, id: &str) {
        let account = json!({ "investor_id": id, "asset": SOLD });
        self.until("accounts", &account, "registered");
        let receipt = json!({
            "investor_id": id, "asset": SOLD, "trade_id": "ISSUE-1", "delivery_date": DATE, "quantity": "100",
            "counterparty": "registrar",
        });
        let waits = self.until("receipts", &receipt, "matching");
        let allotment = Allotment {
            trade_id: text("ISSUE-1").unwrap(),
            custodian: self.desk.id(HOUSE).unwrap(),
            quantity: 100,
        };
        let order = IssueOrder {
            reference: text("ISSUE-1").unwrap(),
            asset: self.desk.terms(SOLD).unwrap().terms.asset(),
            allotments: vec![allotment].try_into().unwrap(),
            trade: TradeInfo { delivery_date: text(DATE).unwrap(), ..TradeInfo::default() },
        };
        let issue = RegistrarInstruction::Issue(Box::new(order));
        self.desk.node("registrar").unwrap().instruct(&issue).await.unwrap();
        self.reached(&waits, "settled");
    }

    /// The person delivers all that it has to somebody at custodian-b.
    async fn sell_out(&self, id: &str) {
        let transfer = json!({
            "investor_id": id, "asset": SOLD, "trade_id": "OUT-1", "delivery_date": DATE, "quantity": "100",
            "counterparty": "custodian-b",
        });
        let out = self.until("transfers", &transfer, "matching");
        let seller = self.desk.id(HOUSE).unwrap();
        let mut side = trade(seller, Side::Counterparty, &text("OUT-1").unwrap(), 600_000).unwrap();
        side.trade.delivery_date = text(DATE).unwrap();
        let asset = self.desk.terms(SOLD).unwrap().terms.asset();
        side.receive = Some(Movement { asset, investor: text("INV-2").unwrap(), quantity: 100 });
        let instruction = Instruction::Trade(Box::new(side));
        self.desk.node("custodian-b").unwrap().instruct(&instruction).await.unwrap();
        self.reached(&out, "settled");
    }
}

fn needles() -> Needles {
    let mut needles = Needles::default();
    for (name, value) in PLANTED {
        needles.person(name, value);
    }
    needles
}

/// Who handled the person's data stands in the node's access log, which a peer watches; an entry is shown to somebody who has a file
/// and the node's id.
fn logged(house: &House, id: &str, others: &[String]) {
    let network = &house.served.network;
    let says = |line: &str| network.place.says(line);
    let at = |name: &str| format!("-c {}", network.config(name).display());
    let log =
        |row: &str| says(&format!("access log {} --row {row} -o json", at(HOUSE))).well().json();
    let entries = log(id);
    let entries = entries.as_array().unwrap();
    let handled: Vec<&Value> = entries.iter().map(|entry| &entry["handling"]).collect();
    let what: BTreeSet<&str> =
        handled.iter().map(|handling| handling["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        BTreeSet::from(["made", "read", "listed", "changed", "history read", "erased"])
    );
    for handling in &handled {
        let who = if handling["what"] == "erased" { "second" } else { "clerk" };
        assert_eq!(
            (&handling["client"], &handling["institution"], &handling["reason"]),
            (&json!(who), &json!(HOUSE), &json!(REASON))
        );
    }
    let said = says(&format!("access log {}", at(HOUSE))).well().out;
    assert!(said.contains(&format!("made by clerk of {HOUSE}: {REASON}; ")), "{said}");
    // The one who signed said nothing of why; a file's rows are its client's.
    for (other, who) in [(&others[0], "signer"), (&others[1], "clerk")] {
        let entries = log(other);
        assert_eq!(
            (&entries[0]["handling"]["what"], &entries[0]["handling"]["client"]),
            (&json!("made"), &json!(who))
        );
    }

    let index = entries.last().unwrap()["entry"].as_u64().unwrap();
    let _ = says(&format!("access prove {} --entry {index} --out erased.entry", at(HOUSE))).well();
    let node = network.member(HOUSE).id.to_string();
    let shown = says(&format!("verify erased.entry --node {node}")).well().out;
    assert!(shown.contains(&format!("erased by second of {HOUSE}: {REASON}")), "{shown}");
    let other = network.member("custodian-b").id.to_string();
    let _ = says(&format!("verify erased.entry --node {other}")).badly(1, &[]);
    let all = says(&format!("access log {} -o json", at(HOUSE))).well().json();
    for (name, size) in [(HOUSE, all.as_array().unwrap().len()), ("registrar", 0)] {
        let watched = says(&format!("access watch {} --of {name}", at("custodian-b"))).well().out;
        assert!(watched.contains(&format!("{size} entries, ")), "{watched}");
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_person_nothing_is_found_on_sqlite() {
    erased_from(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_person_nothing_is_found_on_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let server = postgres::Server::start(folder.path());
    erased_from(Some((&server.url(), folder.path()))).await;
}

/// Uses the person's data in every way. The rows that were made of it: the first has sold all that it had.
async fn used(house: &House) -> [String; 3] {
    let made = house.ask("POST", "/v1/investors", Some(&person("active")), 201);
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/investors/{id}");
    assert_eq!(house.ask("POST", "/v1/investors", Some(&person("active")), 201)["id"], id);
    let mut wrong = person("active");
    wrong["bank_code"] = json!(PLANTED[0].1);
    house.ask("POST", "/v1/investors", Some(&wrong), 422);
    house.ask(
        "POST",
        "/v1/custodians",
        Some(&json!({ "name": PLANTED[0].1, "x": PLANTED[1].1 })),
        422,
    );
    let read = house.ask("GET", &path, None, 200);
    assert_eq!(read["name"], PLANTED[0].1, "the search below looks for what is there");
    house.ask("GET", "/v1/investors", None, 200);
    house.put(id, 1, &person("active"));
    house.ask("GET", &format!("{path}/history"), None, 200);
    let others = [house.signed(), house.imported()];
    house.issue(id).await;
    house.put(id, 2, &person("closed"));
    let held = house.erase(id, "too early", 409);
    assert_eq!(held["detail"], format!("the investor still holds units: 100 of {SOLD}"));
    house.put(id, 3, &person("active"));
    house.sell_out(id).await;
    house.put(id, 4, &person("closed"));
    [id.to_owned(), others[0].clone(), others[1].clone()]
}

async fn erased_from(database: Option<(&str, &Path)>) {
    let mut house = House::open(database.map(|(url, _)| url)).await;
    let [id, others @ ..] = used(&house).await;
    let (id, path) = (id.as_str(), format!("/v1/investors/{id}"));
    let hold = json!({ "investor_id": id, "reason": "case 2031-7", "until": "2099-01-01" });
    let placed = house.two("place-hold", &hold, 200);
    let refused = house.erase(id, "held", 409);
    assert!(refused["detail"].as_str().unwrap().contains("case 2031-7"), "{refused}");
    let lift = json!({ "hold_id": placed["result"]["hold_id"], "reason": "case closed" });
    house.two("lift-hold", &lift, 200);

    let copies = tempfile::tempdir().unwrap();
    copy(&house.served.folder(), &copies.path().join("node"));
    if let Some((_, folder)) = database {
        copy(&folder.join("pg"), &copies.path().join("pg"));
    }
    house.erase(id, "asked for", 200);
    for other in &others {
        house.erase(other, "asked for", 200);
    }
    assert_eq!(house.ask("GET", &path, None, 200)["name"], "erased");
    let erasure = house.ask("GET", &format!("{path}/erasure"), None, 200);
    let file = house.served.network.place.join("erased.sudare");
    fs::write(&file, STANDARD.decode(erasure["certificate"].as_str().unwrap()).unwrap()).unwrap();
    let node = house.served.network.member(HOUSE).id.to_string();
    let verify = ["verify", file.to_str().unwrap(), "--node", &node, "-o", "json"];
    let shown = house.served.network.place.sudare(verify).well().json();
    assert_eq!((&shown["row"], &shown["accounts"]), (&json!(id), &json!(1)), "{shown}");

    logged(&house, id, &others);

    // What the ledger proves is proven as before.
    let regulator = house.served.network.config("regulator");
    let replay = [
        "audit",
        "replay",
        "--config",
        regulator.to_str().unwrap(),
        "--registrar",
        "registrar",
        "--asset",
        SOLD,
    ];
    let _ = house.served.network.place.sudare(replay).well();
    let needles = needles();
    assert_eq!(needles.found_in(house.served.network.said(HOUSE).as_bytes()), BTreeSet::new());
    house.served.network.stop(HOUSE);
    for folder in [&house.served.network.place.join("net"), copies.path()] {
        assert_eq!(needles.found_under(folder), BTreeSet::new(), "{}", folder.display());
    }
    if let Some((_, folder)) = database {
        assert_eq!(needles.found_under(&folder.join("pg")), BTreeSet::new());
    }
    // The node goes on, and what was erased stays so.
    house.served.network.run(&[HOUSE]).await;
    let read = house.served.await_answer(&path);
    assert_eq!((read.0, &read.1["name"]), (200, &json!("erased")));
}
