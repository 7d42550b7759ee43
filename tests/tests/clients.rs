//! What others bring to the HTTP API of a running node: clients generated from its document, a fuzzer that reads the document, an
//! issuer of tokens, a browser.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use sudare::demo::input::AssetKind;
use sudare_api::access::Role;
use sudare_ledger::registrar::Instruction;
use sudare_ledger::role::Role as NodeRole;
use sudare_tests::system::network::{Holder, Leg, Network, SOLD, asset, open};
use sudare_tests::system::web::{Card, Root, Served, request, sha256};

/// The folder `tests/clients` of the sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// The folder with `python` and `node_modules`, which the first call makes.
fn packages() -> PathBuf {
    let prepared =
        Command::new(sources().join("prepare")).stderr(Stdio::inherit()).output().unwrap();
    assert!(prepared.status.success(), "tests/clients/prepare failed; it needs the network, once");
    String::from_utf8(prepared.stdout).unwrap().trim().into()
}

/// Runs a program in a folder to its good end; what it prints.
fn run(folder: &Path, program: &Path, args: &[&str]) -> String {
    let path = std::env::var("PATH").unwrap();
    let beside = program.parent().unwrap().display();
    let ran = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("PATH", format!("{beside}:{path}"))
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program:?} {args:?}\n{out}\n{err}");
    out.into_owned()
}

/// The address of a node as its certificate names it.
fn url(served: &Served) -> String {
    format!("https://localhost:{}", served.address.port())
}

/// Writes the node's document into its folder.
fn document(served: &Served) -> Value {
    let document = served.await_answer("/openapi.json").1;
    fs::write(served.folder().join("openapi.json"), document.to_string()).unwrap();
    document
}

/// Puts a script of the sources into a folder, beside a link to the packages of npm.
fn with_script(folder: &Path, packages: &Path, script: &str) {
    let _ = fs::copy(sources().join(script), folder.join(script)).unwrap();
    let link = folder.join("node_modules");
    if !link.exists() {
        symlink(packages.join("node_modules"), link).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_generated_from_the_document_does_a_clerk_s_work() {
    let packages = packages();
    let served = Served::start(|_, _| String::new()).await;
    let folder = served.folder();
    let _ = document(&served);
    let tools = packages.join("python/bin");
    fs::write(folder.join("generate.yaml"), "package_name_override: sudare_client\ncontent_type_overrides:\n  text/csv: application/octet-stream\n  application/xml: application/octet-stream\n").unwrap();
    let args = ["generate", "--path", "openapi.json", "--config", "generate.yaml", "--meta=none"];
    let args = [&args[..], &["--fail-on-warning", "--output-path", "sudare_client"]].concat();
    let _ = run(&folder, &tools.join("openapi-python-client"), &args);
    let flow = sources().join("flow.py");
    let _ = run(&folder, &tools.join("python"), &[flow.to_str().unwrap(), &url(&served)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typescript_client_generated_from_the_document_does_a_clerk_s_work() {
    let packages = packages();
    let served = Served::start(|_, _| String::new()).await;
    let folder = served.folder();
    let _ = document(&served);
    with_script(&folder, &packages, "flow.ts");
    let tools = packages.join("node_modules/.bin");
    let args = ["openapi.json", "-o", "schema.ts"];
    let _ = run(&folder, &tools.join("openapi-typescript"), &args);
    fs::write(folder.join("package.json"), "{\"type\": \"module\"}").unwrap();
    let strict = ["--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
    let _ = run(&folder, &tools.join("tsc"), &[&strict[..], &["flow.ts"]].concat());
    let _ = run(&folder, Path::new("node"), &["flow.js", &url(&served)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_signed_by_a_library_of_others_are_taken_and_kept_as_it_would_check_them() {
    let packages = packages();
    let served = Served::start(|folder, root| {
        with_script(folder, &packages, "signed.mjs");
        let made = run(folder, Path::new("node"), &["signed.mjs", "keys"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let card = root.card("desk");
        fs::write(folder.join("desk.crt"), &card.pem).unwrap();
        fs::write(folder.join("desk.key"), &card.key).unwrap();
        let keys = made.as_object().unwrap().iter();
        let keys = keys.map(|(id, public)| {
            format!("[[api.clients.keys]]\nid = \"{id}\"\npublic = {public}\n")
        });
        format!(
            "[[api.clients]]\nname = \"desk\"\nrole = \"custodian\"\ninstitution = \"custodian\"\ncertificate = \"{}\"\nmust_sign = true\n{}",
            sha256(&card.certificate),
            keys.collect::<String>()
        )
    });
    let served = served.await;
    let _ = run(&served.folder(), Path::new("node"), &["signed.mjs", &url(&served)]);
}

/// How many examples each phase of the fuzzer makes of an operation at most, and at a registrar's node.
const EXAMPLES: (&str, &str) = ("20", "6");
/// From which number it draws them.
const SEED: &str = "9421";
/// How much the fuzzer asks in a second is the machine's: a limit would make some of its answers 429, by chance.
const UNLIMITED: &str = "[api.limits]\nburst = 1000000\nper_second = 1000000\n";
/// An asset whose code is an ISIN.
const PRODUCT: &str = "ZZ0000SOLD16";

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_that_reads_the_document_finds_nothing_that_differs_from_it() {
    let roles: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    let more = format!(
        "[api.webhooks]\nroots = \"roots.pem\"\n{UNLIMITED}[api.users]\npassword_days = 90\nattempts = 5\nlock_minutes = 30\nsession_minutes = 60\n\
         [[api.users.institutions]]\ninstitution = \"custodian\"\nroles = {roles:?}\nwithout_certificate = true\n",
    );
    let (served, issuer) = issued_on(trading("custodian").await, "custodian", &more).await;
    known(&served).await;
    let _ = fuzz(
        (&served, &issuer),
        EXAMPLES.0,
        &[
            // Without `/v1/events`: a stream of events ends after ten minutes.
            (
                "custodian",
                "--include-path-regex=^/v1/(instructions|operations|webhooks|imports|market)",
            ),
            ("registrar", "--exclude-path-regex=^/v1/(users|audit)"),
            ("administrator", "--include-path-regex=^/v1/(users|audit|approvals)"),
        ],
    );
}

/// A registrar with a register that has holders, a snapshot of it and a product; and an issuer who reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_at_a_registrar_s_node_finds_nothing_that_differs_from_the_document() {
    let (served, issuer) = issued_on(trading("registrar").await, "registrar", UNLIMITED).await;
    let mut desk = served.network.desk();
    desk.open_asset(&asset(PRODUCT, AssetKind::Security), "registrar", "regulator").await.unwrap();
    let holder = |custodian, investor| Holder { custodian, investor };
    let leg = Leg { code: PRODUCT, quantity: 1_000 };
    let holders = [holder("custodian", "INV-1"), holder("custodian-b", "INV-2")];
    open(&desk, &holders.map(|holder| (holder, leg)), &[]).await;
    let id = desk.terms(PRODUCT).unwrap().terms.asset();
    let _ = desk.node("registrar").unwrap().instruct(&Instruction::Snapshot(id)).await.unwrap();
    let product = json!({
        "name": "Tower One", "kind": "real estate", "isin": PRODUCT, "status": "issued", "holiday_adjustment": "following",
    });
    let made = served.ask(&served.clerk, "POST", "/v1/beneficial-interests", Some(&product));
    assert_eq!(made.unwrap().0, 201);
    let known = json!({ "asset": PRODUCT, "counterparty": "custodian-b" });
    fs::write(served.folder().join("known.json"), known.to_string()).unwrap();
    let said = fuzz(
        (&served, &issuer),
        EXAMPLES.1,
        &[
            (
                "registrar",
                "--include-path-regex=^/v1/(registers|instructions|operations|beneficial-interests)",
            ),
            ("issuer", "--include-path-regex=^/v1/registers"),
        ],
    );
    // A token that counts for nothing would find nothing.
    assert!(said.iter().all(|said| !said.contains("401 Unauthorized")), "{said:?}");
}

/// Lets the fuzzer ask what it makes of the document, as each of these roles of what they ask about; what it says.
fn fuzz(
    (served, issuer): (&Served, &Issuer),
    examples: &str,
    asks: &[(&str, &str)],
) -> Vec<String> {
    // One at a time: two of them leave a small machine's nodes no time to answer in.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let mut said = Vec::new();
    let (packages, folder) = (packages(), served.folder());
    let _ = document(served);
    // Of no client, so that a token alone says who asks.
    let card = served.root.card("clerk");
    fs::write(folder.join("token.crt"), &card.pem).unwrap();
    fs::write(folder.join("token.key"), &card.key).unwrap();
    for name in ["fuzzer.py", "fuzzer.toml"] {
        let _ = fs::copy(sources().join(name), folder.join(name)).unwrap();
    }
    for (role, operations) in asks {
        let ask = format!("client_id=desk&resource=urn:es&scope=sudare.{role}");
        let token = issuer.token(&served.root, &card, &ask).unwrap();
        let header = format!("Authorization: Bearer {token}");
        let server = url(served);
        let mut args =
            vec!["--config-file", "fuzzer.toml", "run", "openapi.json", "--url", &server];
        args.extend(["--tls-verify", "roots.pem", "--request-cert", "token.crt"]);
        args.extend(["--request-cert-key", "token.key", "--header", &header, "--checks", "all"]);
        args.extend(["--phases", "examples,coverage,fuzzing,stateful", "--mode", "all"]);
        args.extend(["--max-examples", examples, "--seed", SEED, "--no-color", operations]);
        said.push(run(&folder, &packages.join("python/bin/st"), &args));
    }
    said
}

/// A network whose nodes run but for one.
async fn trading(but: &str) -> Network {
    let mut network = Network::make(&[
        ("notary", NodeRole::Notary),
        ("registrar", NodeRole::Registrar),
        ("custodian", NodeRole::Custodian),
        ("custodian-b", NodeRole::Custodian),
        ("regulator", NodeRole::Regulator),
    ]);
    let others = ["notary", "registrar", "custodian", "custodian-b", "regulator"];
    network.run(&others.into_iter().filter(|name| *name != but).collect::<Vec<_>>()).await;
    network
}

/// Makes what instructions refer to: assets, and an investor with accounts in them. The fuzzer finds it in `known.json`.
async fn known(served: &Served) {
    let mut desk = served.network.desk();
    let mut own = Vec::new();
    for (code, kind) in [(SOLD, AssetKind::Security), ("CASH", AssetKind::Cash)] {
        desk.open_asset(&asset(code, kind), "registrar", "regulator").await.unwrap();
        own.push(("custodian".to_owned(), code.to_owned(), "OWN".to_owned()));
    }
    desk.add_accounts(&own).await.unwrap();
    let person = json!({
        "name": "Demo Person", "address": "1 Demo Street", "safekeeping_class": "safekeeping", "status": "active",
        "aml_class": "low",
    });
    let ask = |path: &str, body: &Value, status: u16| {
        let (found, answer) = served.ask(&served.clerk, "POST", path, Some(body)).unwrap();
        assert_eq!(found, status, "{answer}");
        answer["id"].clone()
    };
    let investor = ask("/v1/investors", &person, 201);
    for code in [SOLD, "CASH"] {
        let account = json!({ "investor_id": investor, "asset": code });
        let _ = ask("/v1/instructions/accounts", &account, 202);
    }
    let known = json!({
        "investor_id": investor, "asset": SOLD, "payment_asset": "CASH", "counterparty": "custodian-b",
    });
    fs::write(served.folder().join("known.json"), known.to_string()).unwrap();
}

/// Starts a node that takes tokens of a real issuer, by scope, besides `more` of its configuration.
async fn with_issuer(more: &str) -> (Served, Issuer) {
    let members = [("notary", NodeRole::Notary), ("custodian", NodeRole::Custodian)];
    issued_on(Network::make(&members), "custodian", more).await
}

/// The same at a node of a network that is called as its role.
async fn issued_on(network: Network, node: &str, more: &str) -> (Served, Issuer) {
    let mut issuer = None;
    let served = Served::on(network, node, node, |folder, _| {
        let started = Issuer::start(folder);
        let roles = "{ \"sudare.desk\" = \"entrusting-broker\", \"sudare.registrar\" = \"registrar\", \"sudare.administrator\" = \"administrator\", \"sudare.custodian\" = \"custodian\", \"sudare.issuer\" = \"issuer\" }";
        let config = format!(
            "{more}[api.tokens]\nissuer = \"{0}\"\naudience = \"{AUDIENCE}\"\nkeys_url = \"{0}/jwks\"\nkeys_roots = \"roots.pem\"\n\
             [[api.tokens.clients]]\nid = \"desk\"\ninstitution = \"{node}\"\nroles = {roles}\nassets = [\"{PRODUCT}\"]\n\
             [[api.tokens.clients]]\nid = \"loose\"\ninstitution = \"{node}\"\nroles = {roles}\n",
            started.url
        );
        issuer = Some(started);
        config
    })
    .await;
    (served, issuer.unwrap())
}

/// A running issuer of tokens; ends when dropped.
struct Issuer {
    child: Child,
    url: String,
}

impl Issuer {
    /// Starts `oidc-provider` with the certificates of a folder, for this audience.
    fn start(folder: &Path) -> Self {
        with_script(folder, &packages(), "issuer.mjs");
        let mut child = Command::new("node")
            .arg("issuer.mjs")
            .arg(folder)
            .arg(AUDIENCE)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().to_owned() }
    }

    /// Asks for a token with a certificate; what is wrong, if there is none.
    fn token(&self, root: &Root, card: &Card, more: &str) -> Result<String, String> {
        let port = self.url.rsplit(':').next().unwrap().parse().unwrap();
        let body = format!("grant_type=client_credentials&{more}");
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        let address = ([127, 0, 0, 1], port).into();
        let (status, text) =
            request(root, Some(card), address, "POST", "/token", headers, &body).unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match answer["access_token"].as_str() {
            Some(token) if status == 200 => Ok(token.to_owned()),
            _ => Err(text),
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const AUDIENCE: &str = "https://node.example";

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_real_issuer_count_over_the_certificate_that_they_are_bound_to() {
    let (served, issuer) = with_issuer("").await;
    let (root, clerk) = (&served.root, &served.clerk);
    let ask = |card: &Card, token: &str| {
        let header = format!("authorization: Bearer {token}\r\n");
        let path = "/v1/investors";
        let (status, answer) = served.ask_with(Some(card), "GET", path, &header, None).unwrap();
        (status, answer["type"].as_str().unwrap_or_default().to_owned())
    };
    let desk = |resource: &str, scope: &str| {
        issuer.token(root, clerk, &format!("client_id=desk&resource={resource}&scope={scope}"))
    };
    // The node has looked for the issuer's keys at start; the issuer was there before.
    for resource in ["urn:ps", "urn:es", "urn:ed"] {
        let token = desk(resource, "sudare.desk").unwrap();
        assert_eq!(ask(clerk, &token), (200, String::new()), "{resource}");
        // Stolen: over another connection it is nothing.
        let thief = root.card("thief");
        assert_eq!(ask(&thief, &token), (401, "/problems/token-refused".into()));
    }
    // An algorithm that isn't listed; another audience; a scope without a role; one that is bound to no certificate.
    for token in [
        desk("urn:rs", "sudare.desk"),
        desk("urn:elsewhere", "sudare.desk"),
        desk("urn:es", "sudare.all"),
        desk("urn:es", ""),
        issuer.token(
            root,
            clerk,
            "client_id=loose&client_secret=not%20bound%20to%20any%20certificate&resource=urn:es&scope=sudare.desk",
        ),
    ] {
        assert_eq!(ask(clerk, &token.unwrap()), (401, "/problems/token-refused".into()));
    }
    // The token's role counts, not the certificate's, which is a custodian's.
    let token = desk("urn:es", "sudare.desk").unwrap();
    let header = format!("authorization: Bearer {token}\r\n");
    let body = json!({ "name": "Demo", "address": "1 Demo Street" });
    let made =
        served.ask_with(Some(clerk), "POST", "/v1/custodians", &header, Some(&body)).unwrap();
    assert_eq!((made.0, &made.1["type"]), (403, &json!("/problems/forbidden")));
    // The issuer itself knows the certificate: no other one gets a token.
    assert!(issuer.token(root, &root.card("thief"), "client_id=desk&resource=urn:es").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_the_documentation_and_asks_nobody_for_anything_else() {
    let packages = packages();
    let served = Served::start(|_, _| "client_certificates = \"optional\"\n".to_owned()).await;
    let document = document(&served);
    let folder = served.folder();
    with_script(&folder, &packages, "page.mjs");
    let base = url(&served);
    let said = run(&folder, Path::new("node"), &["page.mjs", &base, "/docs", "/deprecations"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    for path in ["/docs", "/deprecations"] {
        let page = &report[path];
        assert_eq!(page["status"], 200, "{page}");
        assert_eq!(page["complaints"], json!([]), "{page}");
        assert_eq!(page["scripts"], 0, "{page}");
        assert_eq!(page["dangling"], json!([]), "{page}");
        assert_eq!(page["styled"], "sans-serif", "the style sheet doesn't hold: {page}");
        assert!(page["overflow"].as_i64().unwrap() <= 0, "wider than the window: {page}");
        let asked = page["asked"].as_array().unwrap();
        let own = |url: &Value| *url == format!("{base}{path}") || *url == "data:,";
        assert!(asked.iter().all(own), "{asked:?}");
        for link in page["links"].as_array().unwrap() {
            let path = link.as_str().unwrap().strip_prefix(&base).unwrap();
            assert_eq!(served.ask(&served.clerk, "GET", path, None).unwrap().0, 200, "{link}");
        }
    }
    let headings = report["/docs"]["headings"].as_array().unwrap();
    let items = document["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        assert!(headings.contains(&operation["operationId"]), "{operation}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(headings.contains(&json!(name)), "{name}");
    }
}
