//! The document's part on erasure.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, limit_parameter, operation, page_schema, path_parameter, query_parameter,
    with_problems,
};

pub(super) fn paths() -> [(String, Value); 2] {
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let erasure = operation(
        "readErasure",
        "Read what became of an investor's erasure, with the certificate once there is one.",
        &[id()],
        &with_problems(
            json!({ "200": answer("The erasure.", &json!({ "$ref": "#/components/schemas/Erasure" })) }),
            &["400", "403", "404"],
        ),
    );
    let cursor = query_parameter("cursor", &json!({ "type": "string", "pattern": ID }));
    let page = page_schema(&json!({ "$ref": "#/components/schemas/Hold" }));
    let holds = operation(
        "listHolds",
        "List what holds or held an investor's data, oldest first.",
        &[id(), limit_parameter(), cursor],
        &with_problems(json!({ "200": answer("A page.", &page) }), &["400", "403", "404"]),
    );
    [
        ("/v1/investors/{id}/erasure".into(), json!({ "get": erasure })),
        ("/v1/investors/{id}/holds".into(), json!({ "get": holds })),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let at = || json!({ "type": "string", "format": "date-time" });
    let id = || json!({ "type": "string", "pattern": ID });
    let erasure = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["investor_id", "approval_id", "reason", "approved_at", "proposed_by", "approved_by", "state"],
        "properties": {
            "investor_id": id(),
            "approval_id": id(),
            "reason": text(),
            "approved_at": at(),
            "proposed_by": text(),
            "approved_by": text(),
            "state": { "type": "string", "enum": ["erasing", "erased"], "description": "`erasing`: the key is yet to be destroyed." },
            "destroyed_at": at(),
            "certificate": { "type": "string", "description": "In base64: a file for `sudare verify`." },
        },
    });
    let hold = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "reason", "until", "placed_at", "proposed_by", "approved_by"],
        "properties": {
            "id": id(),
            "reason": text(),
            "until": { "type": "string", "format": "date", "description": "The last day on which the data must stay, in Japan." },
            "placed_at": at(),
            "proposed_by": text(),
            "approved_by": text(),
            "lifted_at": at(),
            "lift_proposed_by": text(),
            "lift_approved_by": text(),
        },
    });
    [("Erasure".to_owned(), erasure), ("Hold".to_owned(), hold)].into_iter().collect()
}
