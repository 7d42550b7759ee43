//! The document's part on instructions and what becomes of them.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, json_body, key_parameter, limit_parameter, links, operation, page_schema,
    path_parameter, query_parameter, signatures_of, with, with_problems,
};
use crate::flows::{Flow, Saying, State};
use crate::http::instructions::path_of;

const CURSOR: &str = "^[0-9]{1,18}-[0-9a-f]{32}$";

pub(super) fn paths() -> Vec<(String, Value)> {
    let mut paths: Vec<(String, Value)> = Flow::ALL.into_iter().map(instruct).collect();
    let found = || json!({ "$ref": "#/components/schemas/Operation" });
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let cursor = query_parameter("cursor", &json!({ "type": "string", "pattern": CURSOR }));
    let state =
        query_parameter("state", &json!({ "type": "string", "enum": State::ALL.map(State::name) }));
    let list = operation(
        "listOperations",
        "List what became of instructions, by id. All pages are of one moment: that of the first.",
        &[limit_parameter(), cursor, state],
        &with_problems(
            json!({ "200": answer("A page.", &pinned(&found())) }),
            &["400", "403", "404"],
        ),
    );
    let read = operation(
        "readOperation",
        "Read what became of an instruction.",
        &[id()],
        &with_problems(
            json!({ "200": answer("The operation.", &found()) }),
            &["400", "403", "404"],
        ),
    );
    let cancel = operation(
        "cancelOperation",
        "Ask for a trade, an issue or a redemption's permission to be cancelled: it is once the other side asks too if it has accepted, unless it is signed by then.",
        &[id(), key_parameter()],
        &with_problems(
            json!({ "202": accepted() }),
            &["400", "403", "404", "409", "413", "415", "422"],
        ),
    );
    let saying = json!({ "type": "string", "enum": Saying::ALL.map(Saying::name) });
    let xml = json!({
        "description": "The message: sese.024.001.12, sese.025.001.11 or sese.027.001.07.",
        "content": { "application/xml": { "schema": { "type": "string", "format": "binary" } } },
    });
    let message = operation(
        "messageOperation",
        "Read what became of a trade as an ISO 20022 message: its status, its confirmation once it has settled, the answer to a request to cancel it.",
        &[id(), path_parameter("message", &saying)],
        &with_problems(json!({ "200": xml }), &["400", "403", "404", "409"]),
    );
    let hops = operation(
        "hopsOperation",
        "Read whose delay a trade was: one party's part after the other, by the clock of this node.",
        &[id()],
        &with_problems(
            json!({ "200": answer("The parts, in order of their beginnings.", &hops_schema()) }),
            &["400", "403", "404", "409"],
        ),
    );
    let nothing = json_body(&json!({ "type": "object", "additionalProperties": false }));
    let cancel = with(cancel, "requestBody", nothing);
    let signatures = signatures_of("signaturesOperation");
    paths.push(("/v1/operations/{id}/signatures".into(), signatures));
    paths.push(("/v1/operations/{id}/messages/{message}".into(), json!({ "get": message })));
    paths.push(("/v1/operations/{id}/hops".into(), json!({ "get": hops })));
    paths.push(("/v1/operations".into(), json!({ "get": list })));
    paths.push(("/v1/operations/{id}".into(), json!({ "get": read })));
    paths.push(("/v1/operations/{id}/cancellation".into(), json!({ "post": cancel })));
    paths
}

fn instruct(flow: Flow) -> (String, Value) {
    let post = operation(
        &format!("instruct{}", flow.name()),
        flow.about(),
        &[key_parameter()],
        &with_problems(json!({ "202": accepted() }), &["400", "403", "409", "413", "415", "422"]),
    );
    let body = json_body(&json!({ "$ref": format!("#/components/schemas/{}", flow.name()) }));
    (path_of(flow), json!({ "post": with(post, "requestBody", body) }))
}

fn schema(flow: Flow) -> Value {
    match flow.list() {
        None => super::object_of(flow.fields(), []),
        Some(list) => {
            let items = json!({
                "type": "array",
                "minItems": 1,
                "maxItems": list.max,
                "items": super::schema_of(list.fields),
                "description": list.about,
            });
            super::object_of(flow.fields(), [(list.name, items)])
        }
    }
}

fn accepted() -> Value {
    let location = json!({ "Location": { "required": true, "schema": { "type": "string" } } });
    let taken = answer(
        "Taken, now or by the same request before.",
        &json!({ "$ref": "#/components/schemas/Operation" }),
    );
    let next = ["readOperation", "cancelOperation", "signaturesOperation"].map(String::from);
    with(with(taken, "headers", location), "links", links(&next))
}

fn hops_schema() -> Value {
    let (text, at) =
        (json!({ "type": "string" }), json!({ "type": "string", "format": "date-time" }));
    let item = json!({
        "type": "object",
        "required": ["party", "step", "from", "took_ms", "signed"],
        "properties": {
            "party": { "type": "string", "description": "Whose turn it was." },
            "step": { "type": "string", "description": "What was asked of it, and what came." },
            "from": at,
            "until": { "type": "string", "format": "date-time", "description": "Absent while it is waited for." },
            "took_ms": { "type": "integer", "minimum": 0, "description": "So far, while it is waited for. Of others with the way there and back." },
            "signed": { "type": "boolean", "description": "Whether what came is the party's signature, which can be shown to others." },
        },
    });
    json!({
        "type": "object",
        "required": ["items", "clock"],
        "properties": { "items": { "type": "array", "items": item }, "clock": text },
    })
}

/// A page of one moment.
fn pinned(item: &Value) -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    let mut page = page_schema(item);
    if let Some(Value::Object(properties)) = page.get_mut("properties") {
        properties.insert("as_of".into(), json!({
            "type": "object",
            "required": ["event", "height"],
            "properties": { "event": number, "height": number },
            "description": "The moment that the list is of: the newest event, and how many records the node's log had.",
        }));
    }
    with(page, "required", json!(["items", "as_of"]))
}

pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas: Map<String, Value> =
        Flow::ALL.into_iter().map(|flow| (flow.name().to_owned(), schema(flow))).collect();
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let at = || json!({ "type": "string", "format": "date-time" });
    schemas.insert("Operation".into(), json!({
        "type": "object",
        "required": ["id", "kind", "institution", "instructed_at", "instructed_by", "instruction", "state", "ended", "since", "event", "height"],
        "properties": {
            "id": { "type": "string", "pattern": ID },
            "kind": { "type": "string", "enum": Flow::ALL.map(Flow::path) },
            "institution": text(),
            "instructed_at": at(),
            "instructed_by": text(),
            "instruction": { "type": "object", "description": "The instruction's values." },
            "state": { "type": "string", "enum": State::ALL.map(State::name) },
            "ended": { "type": "boolean", "description": "Whether nothing more is going to happen." },
            "progress": {
                "type": "object",
                "required": ["step", "of"],
                "properties": { "step": number(), "of": number() },
            },
            "since": at(),
            "delivery_date": { "type": "string", "format": "date", "description": "When it is to settle, where there is a market." },
            "carried_over": { "type": "integer", "minimum": 1, "description": "How often it was carried over to a later day." },
            "event": { "type": "integer", "minimum": 1, "description": "The number of the event that says so." },
            "height": { "type": "integer", "minimum": 0, "description": "How many records the node's log had when it was seen." },
            "waiting_for": { "type": "string", "description": "Whom it waits for." },
            "reason": { "type": "string", "description": "The stable code of why it was refused or is being given up." },
            "explanation": { "type": "string", "description": "That reason in words, with the next step." },
            "transaction": { "type": "string", "description": "The transaction on the ledger." },
            "notarised_at": { "type": "string", "format": "date-time", "description": "From then on it is final." },
            "cancel_requested_at": at(),
            "counterparty_cancel_requested_at": at(),
        },
    }));
    schemas
}
