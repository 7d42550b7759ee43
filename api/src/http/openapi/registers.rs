//! The document's part on registers.

use serde_json::{Map, Value, json};

use super::{
    ID, PAGE, answer, limit_parameter, operation, page_schema, path_parameter, query_parameter,
    with, with_problems,
};

const CODE: &str = "^[A-Za-z0-9]{1,12}$";
const HEX: &str = "^[0-9a-f]{64}$";
const NUMBER: &str = "^(0|[1-9][0-9]{0,38})$";
const SHARE: &str = "^(0|[1-9][0-9]{0,19})/(0|[1-9][0-9]{0,19})$";
const AS_OF: &str = "^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)$";

pub(super) fn paths() -> Vec<(String, Value)> {
    let asset = || path_parameter("asset", &json!({ "type": "string", "pattern": CODE }));
    let text = pattern;
    let register = json!({ "$ref": "#/components/schemas/Register" });
    let list = operation(
        "listRegisters",
        "List the registers that the client may read, or some of whose lines, by code.",
        &[limit_parameter(), query_parameter("cursor", &text(CODE))],
        &with_problems(
            json!({ "200": answer("A page.", &page_schema(&register)) }),
            &["400", "403"],
        ),
    );
    let page = json!({ "$ref": "#/components/schemas/RegisterPage" });
    let read = operation(
        "readRegister",
        "Read a register by account: now, or as of a height of its log, an instant or the end of a day in Japan. All pages are of one height, which the cursor names; `as_of` beside it says nothing.",
        &[
            asset(),
            limit_parameter(),
            query_parameter("cursor", &text("^[0-9]{1,18}-[0-9a-f]{64}$")),
            query_parameter("as_of", &text(AS_OF)),
        ],
        &with_problems(json!({ "200": answer("A page.", &page) }), &["400", "403", "404"]),
    );
    let taken = json!({ "$ref": "#/components/schemas/RegisterSnapshot" });
    let snapshots = operation(
        "listRegisterSnapshots",
        "List the snapshots that have fixed a register in its log, by number.",
        &[asset(), limit_parameter(), query_parameter("cursor", &text("^[0-9]{1,9}$"))],
        &with_problems(
            json!({ "200": answer("A page.", &page_schema(&taken)) }),
            &["400", "403", "404"],
        ),
    );
    let file = json!({
        "description": "The file: `sudare verify FILE --recipient INSTITUTION --nonce NONCE --asset ID`.",
        "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } },
    });
    let proof = operation(
        "proveRegister",
        "Get a file that shows what accounts held in a snapshot, the newest if none is named, for the client's institution and its nonce: of all lines that it may read, or with `limit` of a page of them.",
        &[
            asset(),
            query_parameter("snapshot", &text("^[0-9]{1,9}$")),
            query_parameter(
                "limit",
                &json!({ "type": "integer", "minimum": 1, "maximum": PAGE.0 }),
            ),
            query_parameter("after", &text(HEX)),
            query_parameter("nonce", &text(HEX)),
        ],
        &with_problems(json!({ "200": file }), &["400", "403", "404", "409"]),
    );
    vec![
        ("/v1/beneficial-interests/{id}/record-dates".into(), record_dates()),
        ("/v1/registers".into(), json!({ "get": list })),
        ("/v1/registers/{asset}".into(), json!({ "get": read })),
        ("/v1/registers/{asset}/proof".into(), json!({ "get": proof })),
        ("/v1/registers/{asset}/snapshots".into(), json!({ "get": snapshots })),
    ]
}

fn record_dates() -> Value {
    let id = path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let date = json!({ "$ref": "#/components/schemas/RecordDate" });
    let get = operation(
        "listRecordDates",
        "List a product's record dates, as the calendar moves them, and what has fixed the register when they were over.",
        &[id],
        &with_problems(
            json!({ "200": answer("The record dates.", &page_schema(&date)) }),
            &["400", "403", "404"],
        ),
    );
    json!({ "get": get })
}

fn record_date() -> Value {
    let number = || json!({ "type": "integer", "minimum": 0 });
    let date = |about: &str| json!({ "type": "string", "format": "date", "description": about });
    let at = |about: &str| json!({ "type": "string", "format": "date-time", "description": about });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["number", "nominal", "state"],
        "properties": {
            "number": { "type": "integer", "enum": [1, 2] },
            "nominal": date("As the product's master says it."),
            "date": date("As the calendar moves it, if it reaches that date."),
            "calendar": { "type": "string", "description": "Which calendar." },
            "over_at": at("When it is over in Japan."),
            "state": {
                "type": "string",
                "enum": ["coming", "over", "fixed", "missed"],
                "description": "`over`: it will be fixed soon, if this node keeps the register; `missed`: it was too late for a snapshot.",
            },
            "snapshot": number(),
            "entry": { "type": "integer", "minimum": 0, "description": "The snapshot's index in the log." },
            "taken_at": at("When it was taken."),
            "entries_after": { "type": "integer", "minimum": 0, "description": "How many entries the log got between the end of the date and the snapshot." },
        },
    })
}

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = [
        ("Register", object(register(), &REQUIRED)),
        ("RegisterPage", register_page()),
        ("RegisterLine", line()),
        ("RegisterSnapshot", snapshot()),
        ("RecordDate", record_date()),
    ];
    schemas.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

/// What is always there of a register.
const REQUIRED: [&str; 5] = ["asset", "asset_id", "as_of", "minted", "supply"];

fn text() -> Value {
    json!({ "type": "string" })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn units(about: &str) -> Value {
    json!({ "type": "string", "pattern": NUMBER, "description": about })
}

fn described(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn object(properties: Vec<(&str, Value)>, required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, one)| (name.to_owned(), one)).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn register() -> Vec<(&'static str, Value)> {
    let as_of = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["height", "at"],
        "properties": {
            "height": { "type": "integer", "minimum": 1, "description": "How many entries the asset's log had." },
            "at": { "type": "string", "format": "date-time", "description": "When it got the last of them." },
            "snapshot": { "$ref": "#/components/schemas/RegisterSnapshot" },
        },
    });
    vec![
        ("asset", pattern(CODE)),
        ("asset_id", pattern(HEX)),
        ("as_of", as_of),
        ("minted", units("Atomic units ever issued.")),
        ("proof", described("The path of the file that shows this, if a snapshot has fixed it.")),
        ("supply", units("Of these what was not redeemed: what all lines come to.")),
    ]
}

fn register_page() -> Value {
    let product = ["name", "annotation", "comment_1", "comment_2"].map(|name| (name, text()));
    let items = json!({ "type": "array", "items": { "$ref": "#/components/schemas/RegisterLine" }, "maxItems": PAGE.0 });
    let page = [
        ("product", object(product.into(), &["name"])),
        ("items", items),
        ("next", described("The path of the next page, if there is one.")),
        ("page_proof", described("The path of the file that shows this page's lines alone.")),
    ];
    let required: Vec<&str> = REQUIRED.into_iter().chain(["items"]).collect();
    object(register().into_iter().chain(page).collect(), &required)
}

fn line() -> Value {
    let properties = vec![
        ("account", pattern(HEX)),
        ("custodian", described("The custodian's node, by its name in the membership list.")),
        ("investor", described("The investor's pseudonym there.")),
        ("quantity", units("Atomic units.")),
        ("share", with(pattern(SHARE), "description", json!("Of the supply, in lowest terms."))),
        (
            "investor_id",
            with(pattern(ID), "description", json!("The row of the investor, for the registrar.")),
        ),
        ("name", text()),
        ("address", text()),
    ];
    object(properties, &["account", "custodian", "investor", "quantity", "share"])
}

fn snapshot() -> Value {
    let number = || json!({ "type": "integer", "minimum": 0 });
    let entry = with(number(), "description", json!("Its index in the log."));
    let properties = vec![
        ("number", number()),
        ("entry", entry),
        ("at", json!({ "type": "string", "format": "date-time" })),
        ("supply", units("Atomic units.")),
        ("root", pattern(HEX)),
    ];
    let snapshot = object(properties, &["number", "entry", "at", "supply", "root"]);
    let about = "An entry of the log that has fixed the register as it was then.";
    with(snapshot, "description", json!(about))
}
