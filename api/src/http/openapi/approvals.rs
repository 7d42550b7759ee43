//! The document's part on what two people do.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, json_body, key_parameter, limit_parameter, links, operation, page_schema,
    path_parameter, query_parameter, reference, signatures_of, with, with_problems,
};
use crate::approvals::{Deeds, State};

pub(super) fn paths() -> [(String, Value); 4] {
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let proposal = json!({ "$ref": "#/components/schemas/Proposal" });
    let body = |name: &str| json_body(&json!({ "$ref": format!("#/components/schemas/{name}") }));
    let cursor = query_parameter("cursor", &json!({ "type": "string", "pattern": ID }));
    let state =
        query_parameter("state", &json!({ "type": "string", "enum": State::ALL.map(State::name) }));
    let list = operation(
        "listApprovals",
        "List what two people do, by id.",
        &[limit_parameter(), cursor, state],
        &with_problems(
            json!({ "200": answer("A page.", &page_schema(&proposal)) }),
            &["400", "403"],
        ),
    );
    let location = json!({ "Location": { "required": true, "schema": { "type": "string" } } });
    let made = with(
        answer("Proposed, now or by the same request before.", &proposal),
        "headers",
        location,
    );
    let made = with(made, "links", links(&["readApproval", "decideApproval"].map(String::from)));
    let propose = operation(
        "proposeApproval",
        "Propose what two people do.",
        &[key_parameter()],
        &with_problems(json!({ "201": made }), &["400", "403", "413", "415", "422"]),
    );
    let read = operation(
        "readApproval",
        "Read a proposal and what became of it.",
        &[id()],
        &with_problems(
            json!({ "200": answer("The proposal.", &proposal), "404": reference("Problem404") }),
            &["400", "403"],
        ),
    );
    let decide = operation(
        "decideApproval",
        "Approve a proposal, which does it, refuse it, or withdraw one's own.",
        &[id(), key_parameter()],
        &with_problems(
            json!({ "200": answer("Decided.", &proposal) }),
            &["400", "403", "404", "409", "413", "415", "422"],
        ),
    );
    [
        (
            "/v1/approvals".into(),
            json!({ "get": list, "post": with(propose, "requestBody", body("Propose")) }),
        ),
        ("/v1/approvals/{id}".into(), json!({ "get": read })),
        (
            "/v1/approvals/{id}/decision".into(),
            json!({ "post": with(decide, "requestBody", body("Decide")) }),
        ),
        ("/v1/approvals/{id}/signatures".into(), signatures_of("signaturesApproval")),
    ]
}

pub(super) fn schemas(deeds: &Deeds) -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let at = || json!({ "type": "string", "format": "date-time" });
    let hash = || json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let names: Vec<&str> = deeds.iter().map(|deed| deed.name()).collect();
    let mut schemas = Map::new();
    let mut kinds = Vec::new();
    // Generators of clients name types by the names of schemas, so each has its own.
    for deed in deeds.iter() {
        let name = type_name(deed.name());
        let proposal = format!("Propose{name}");
        kinds.push(json!({ "$ref": format!("#/components/schemas/{proposal}") }));
        schemas.insert(
            proposal,
            json!({
                "type": "object",
                "description": deed.about(),
                "additionalProperties": false,
                "required": ["deed", "request"],
                "properties": {
                    "deed": { "type": "string", "const": deed.name() },
                    "request": { "$ref": format!("#/components/schemas/{name}") },
                },
            }),
        );
        schemas.insert(name, deed.schema());
    }
    schemas.insert("Propose".into(), json!({ "oneOf": kinds }));
    schemas.insert(
        "Decide".into(),
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["decision", "hash"],
            "properties": {
                "decision": { "type": "string", "enum": ["approve", "refuse", "withdraw"] },
                "hash": with(hash(), "description", json!("`hash` of the proposal that was read.")),
            },
        }),
    );
    schemas.insert("Proposal".into(), json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "deed", "request", "hash", "state", "proposed_at", "proposed_by", "expires_at"],
        "properties": {
            "id": { "type": "string", "pattern": ID },
            "deed": { "type": "string", "enum": names },
            "request": { "type": "object" },
            "hash": hash(),
            "state": { "type": "string", "enum": State::ALL.map(State::name) },
            "proposed_at": at(),
            "proposed_by": text(),
            "expires_at": at(),
            "decided_at": at(),
            "decided_by": text(),
            "result": { "type": "object" },
            "code": { "type": "string", "description": "A secret for the one who made this request, told once." },
        },
    }));
    schemas
}

/// `erase-investor` as the name of a type.
fn type_name(deed: &str) -> String {
    let words = deed.split('-').filter_map(|word| word.split_at_checked(1));
    words.map(|(first, rest)| first.to_ascii_uppercase() + rest).collect()
}
