//! Registers over HTTP from a real registrar's node: who holds what, now and as it was, for each of those who may read it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use sudare::demo::input::AssetKind;
use sudare::demo::setup::Desk;
use sudare_ledger::role::Role;
use sudare_tests::system::Place;
use sudare_tests::system::network::{Holder, Leg, Network, SOLD, asset, deal, open, redeem};
use sudare_tests::system::web::{Card, Served, sha256};

const SELLER: Holder<'static> = Holder { custodian: "custodian-a", investor: "INV-1" };
const BUYER: Holder<'static> = Holder { custodian: "custodian-b", investor: "INV-2" };
const IDLE: Holder<'static> = Holder { custodian: "custodian-b", investor: "INV-9" };

/// A registrar whose API has a clerk, a custodian, an issuer that is party to the asset and one that is not.
struct Registry {
    served: Served,
    desk: Desk,
    custodian: Card,
    issuer: Card,
    other: Card,
}

impl Registry {
    /// INV-1 was issued 1000 units and has delivered 10 of them to INV-2.
    async fn open() -> Self {
        let members = [
            ("notary", Role::Notary),
            ("registrar", Role::Registrar),
            ("custodian-a", Role::Custodian),
            ("custodian-b", Role::Custodian),
            ("regulator", Role::Regulator),
        ];
        let mut network = Network::make(&members);
        network.run(&["notary", "custodian-a", "custodian-b", "regulator"]).await;
        let mut cards = Vec::new();
        let served = Served::on(network, "registrar", "registrar", |_, root| {
            let mut text = String::new();
            for (name, role, institution, assets) in [
                ("desk", "custodian", "custodian-b", vec![]),
                ("issuer", "issuer", "issuer-x", vec![SOLD]),
                ("other", "issuer", "issuer-y", vec!["ZZ0000DEMO11"]),
            ] {
                let card = root.card(name);
                let hash = sha256(&card.certificate);
                text += &format!(
                    "[[api.clients]]\nname = \"{name}\"\nrole = \"{role}\"\ninstitution = \"{institution}\"\nassets = {assets:?}\ncertificate = \"{hash}\"\n"
                );
                cards.push(card);
            }
            text
        });
        let served = served.await;
        let mut desk = served.network.desk();
        desk.open_asset(&asset(SOLD, AssetKind::Security), "registrar", "regulator").await.unwrap();
        let opening = (SELLER, Leg { code: SOLD, quantity: 1_000 });
        open(&desk, &[opening], &[(BUYER, SOLD), (IDLE, SOLD)]).await;
        let leg = Leg { code: SOLD, quantity: 10 };
        assert_eq!(deal(&desk, "R-1", SELLER, BUYER, leg, None).await, Ok(()));
        let [custodian, issuer, other] = cards.try_into().ok().unwrap();
        Self { served, desk, custodian, issuer, other }
    }

    /// The register as a client reads it.
    fn read(&self, card: &Card, query: &str) -> Value {
        let path = format!("/v1/registers/{SOLD}{query}");
        let (status, answer) = self.served.ask(card, "GET", &path, None).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn clerk(&self) -> &Card {
        &self.served.clerk
    }
}

/// Who holds how much, and which share.
fn held(register: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = register["items"].as_array().unwrap().iter();
    let mut held: Vec<_> = items
        .map(|item| (text(&item["investor"]), text(&item["quantity"]), text(&item["share"])))
        .collect();
    held.sort();
    held
}

fn of(lines: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let line = |(one, two, three): &(&str, &str, &str)| {
        ((*one).to_owned(), (*two).to_owned(), (*three).to_owned())
    };
    lines.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_is_read_over_http_now_and_as_it_was_by_each_who_may() {
    let registry = Registry::open().await;
    let first = of(&[("INV-1", "990", "99/100"), ("INV-2", "10", "1/100")]);
    let register = registry.read(registry.clerk(), "");
    assert_eq!((held(&register), &register["supply"]), (first.clone(), &json!("1000")));
    let height = register["as_of"]["height"].as_u64().unwrap();
    let instant = register["as_of"]["at"].as_str().unwrap().to_owned();
    assert!(instant.ends_with('Z'), "{instant}");
    assert_eq!(held(&registry.read(&registry.issuer, "")), first);
    assert_eq!(held(&registry.read(&registry.custodian, "")), of(&[("INV-2", "10", "1/100")]));
    let path = format!("/v1/registers/{SOLD}");
    assert_eq!(registry.served.ask(&registry.other, "GET", &path, None).unwrap().0, 404);

    // The second page is of the state of the first, whatever happens between.
    let page = registry.read(registry.clerk(), "?limit=1");
    let leg = Leg { code: SOLD, quantity: 90 };
    assert_eq!(deal(&registry.desk, "R-2", SELLER, BUYER, leg, None).await, Ok(()));
    let leg = Leg { code: SOLD, quantity: 100 };
    assert_eq!(redeem(&registry.desk, "R-3", SELLER, leg).await, Ok(()));
    let next = page["next"].as_str().unwrap().strip_prefix(&path).unwrap().to_owned();
    let rest = registry.read(registry.clerk(), &next);
    let mut both: Vec<_> = held(&page).into_iter().chain(held(&rest)).collect();
    both.sort();
    assert_eq!(
        (both, &rest["as_of"]["height"], rest.get("next")),
        (first.clone(), &json!(height), None)
    );
    let now = registry.read(registry.clerk(), "");
    assert_eq!(held(&now), of(&[("INV-1", "800", "8/9"), ("INV-2", "100", "1/9")]));
    assert_eq!((&now["minted"], &now["supply"]), (&json!("1000"), &json!("900")));
    let then = registry.read(registry.clerk(), &format!("?as_of={height}"));
    assert_eq!((held(&then), &then["supply"]), (first.clone(), &json!("1000")));

    // The registrar's own rows say who stands behind a line, and nobody else is told.
    let person = json!({
        "name": "Planted Person 7391", "address": "Planted Street 5577", "safekeeping_class": "safekeeping",
        "status": "active", "aml_class": "low", "custodian_node": "custodian-b", "pseudonym": "INV-2",
    });
    let made =
        registry.served.ask(registry.clerk(), "POST", "/v1/investors", Some(&person)).unwrap();
    assert_eq!(made.0, 201, "{}", made.1);
    let named = registry.read(registry.clerk(), "");
    let line =
        named["items"].as_array().unwrap().iter().find(|one| one["investor"] == "INV-2").unwrap();
    assert_eq!((&line["name"], &line["address"]), (&person["name"], &person["address"]));
    for card in [&registry.issuer, &registry.custodian] {
        assert!(!registry.read(card, "").to_string().contains("Planted"));
    }
}

/// Accounts with what they hold.
fn pairs(items: &Value) -> BTreeSet<(String, String)> {
    let text = |one: &Value| one.as_str().unwrap().to_owned();
    let items = items.as_array().unwrap().iter();
    items.map(|one| (text(&one["account"]), text(&one["quantity"]))).collect()
}

/// What a client's file shows, saved on a machine with nothing but the file.
fn proof(registry: &Registry, card: &Card, query: &str) -> Vec<u8> {
    let path = format!("/v1/registers/{SOLD}/proof?{query}");
    let (status, file) = registry.served.fetch(card, &path).unwrap();
    assert_eq!(status, 200, "{path}");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_shows_the_lines_that_its_reader_may_see_and_is_verified_offline() {
    let registry = Registry::open().await;
    let path = format!("/v1/registers/{SOLD}/proof");
    // No snapshot, no file.
    assert_eq!(registry.served.ask(registry.clerk(), "GET", &path, None).unwrap().0, 404);
    let at = "-c net/registrar/node.toml";
    let snapshot = format!("register snapshot {at} --asset {SOLD}");
    let _ = registry.served.network.place.says(&snapshot).well();
    let register = registry.read(&registry.issuer, "");
    let (asset, taken) = (register["asset_id"].as_str().unwrap(), &register["as_of"]["snapshot"]);
    assert_eq!(register["proof"], format!("{path}?snapshot=0"));
    let leg = Leg { code: SOLD, quantity: 90 };
    assert_eq!(deal(&registry.desk, "P-1", SELLER, BUYER, leg, None).await, Ok(()));
    assert!(registry.read(&registry.issuer, "").get("proof").is_none());
    let _ = registry.served.network.place.says(&snapshot).well();

    let nonce = "09".repeat(32);
    let place = Place::default();
    for (card, recipient, number, held, whole) in [
        (&registry.issuer, "issuer-x", 0, vec!["10", "990"], true),
        (&registry.custodian, "custodian-b", 0, vec!["10"], false),
        (&registry.custodian, "custodian-b", 1, vec!["100"], false),
        (registry.clerk(), "registrar", 1, vec!["100", "900"], true),
    ] {
        let file = proof(&registry, card, &format!("snapshot={number}&nonce={nonce}"));
        fs::write(place.join("proof"), &file).unwrap();
        let known = format!("--recipient {recipient} --nonce {nonce} --asset {asset} -o json");
        let view = place.says(&format!("verify proof {known}")).well().json();
        let holdings = &view["holdings"];
        let lines = holdings["lines"].as_array().unwrap().iter();
        let mut quantities: Vec<_> = lines.map(|line| line["quantity"].as_str().unwrap()).collect();
        quantities.sort_unstable();
        assert_eq!((quantities, &holdings["whole"]), (held, &json!(whole)), "{view}");
        assert_eq!((&holdings["supply"], &holdings["snapshot"]), (&json!("1000"), &json!(number)));
        if number == 0 {
            assert_eq!(holdings["snapshot_root"], taken["root"]);
            // The same accounts with the same quantities as the answer.
            let then = registry.read(card, "?as_of=4");
            assert_eq!(pairs(&holdings["lines"]), pairs(&then["items"]));
        }
        for sample in 0..12 {
            let at = file.len() * sample / 12;
            let mut bytes = file.clone();
            bytes[at] ^= 1 << (sample % 8);
            fs::write(place.join("changed"), &bytes).unwrap();
            let ran = place.says(&format!("verify changed {known}"));
            assert_eq!(ran.code, Some(1), "byte {at}: {ran}");
        }
        let _ = place
            .says(&format!("verify proof --recipient another --asset {asset}"))
            .badly(1, &["[STM-6]"]);
        let zeros = "0".repeat(64);
        let _ = place
            .says(&format!("verify proof --recipient {recipient} --nonce {zeros} --asset {asset}"))
            .badly(1, &["[STM-6]"]);
    }
    pages_prove_themselves(&registry, asset);
    let said =
        place.says(&format!("verify proof --recipient registrar --asset {asset}")).well().out;
    assert!(said.contains("the whole register") && said.contains("not shown: "), "{said}");
    for (query, status) in [
        ("snapshot=2", 404),
        ("nonce=09", 400),
        ("limit=0", 400),
        ("after=09", 400),
        ("snapshot=x", 400),
        ("a=1", 400),
    ] {
        let (found, _) =
            registry.served.fetch(registry.clerk(), &format!("{path}?{query}")).unwrap();
        assert_eq!(found, status, "{query}");
    }
    assert_eq!(registry.served.fetch(&registry.other, &path).unwrap().0, 404);
}

/// Each page of a register names the file that shows its own lines and no others.
fn pages_prove_themselves(registry: &Registry, asset: &str) {
    let place = Place::default();
    let path = format!("/v1/registers/{SOLD}");
    let (mut next, mut seen) = (Some("?as_of=4&limit=1".to_owned()), 0);
    while let Some(query) = next {
        let page = registry.read(registry.clerk(), &query);
        let (status, file) =
            registry.served.fetch(registry.clerk(), page["page_proof"].as_str().unwrap()).unwrap();
        assert_eq!(status, 200, "{page}");
        fs::write(place.join("page"), file).unwrap();
        let verify = format!("verify page --recipient registrar --asset {asset} -o json");
        let view = place.says(&verify).well().json();
        assert_eq!(pairs(&view["holdings"]["lines"]), pairs(&page["items"]), "{view}");
        assert_eq!(view["holdings"]["whole"], false);
        seen += page["items"].as_array().unwrap().len();
        next = page["next"].as_str().map(|next| next.strip_prefix(&path).unwrap().to_owned());
    }
    assert_eq!(seen, 2);
}
