//! The document's part on files of rows.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, json_body, key_parameter, limit_parameter, links, operation, page_schema,
    path_parameter, query_parameter, schema_of, signatures_of, with, with_problems,
};
use crate::imports::{ANNOUNCE, Class, Outcome, Status, Target};

pub(super) fn paths() -> Vec<(String, Value)> {
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let import = json!({ "$ref": "#/components/schemas/Import" });
    let cursor =
        |pattern: &str| query_parameter("cursor", &json!({ "type": "string", "pattern": pattern }));
    let list = operation(
        "listImports",
        "List files of rows, by id.",
        &[limit_parameter(), cursor(ID)],
        &with_problems(json!({ "200": answer("A page.", &page_schema(&import)) }), &["400", "403"]),
    );
    let location = json!({ "Location": { "required": true, "schema": { "type": "string" } } });
    let made =
        with(answer("Announced, now or by the same request before.", &import), "headers", location);
    let next = ["readImport", "putImportContent", "listImportRows"].map(String::from);
    let made = with(made, "links", links(&next));
    let announce = operation(
        "announceImport",
        "Announce a file of rows: CSV in UTF-8 whose first line names fields of its target, or settlement instructions of ISO 20022 (sese.023).",
        &[key_parameter()],
        &with_problems(json!({ "201": made }), &["400", "403", "413", "415", "422"]),
    );
    let body = json_body(&json!({ "$ref": "#/components/schemas/AnnounceImport" }));
    let read = operation(
        "readImport",
        "Read where a file of rows stands.",
        &[id()],
        &with_problems(json!({ "200": answer("The file.", &import) }), &["400", "403", "404"]),
    );
    let offset = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let offset = with(query_parameter("offset", &offset), "required", json!(true));
    let take = operation(
        "putImportContent",
        "Bring the next part of a file, or one again that came before. With the last one its rows are made.",
        &[id(), offset],
        &with_problems(
            json!({ "200": answer("Taken.", &import) }),
            &["400", "403", "404", "409", "413", "415"],
        ),
    );
    let part = json!({
        "required": true,
        "content": { "text/csv": { "schema": {} }, "application/xml": { "schema": {} } },
    });
    let refused = query_parameter("refused", &json!({ "type": "boolean", "default": false }));
    let row = json!({ "$ref": "#/components/schemas/ImportedRow" });
    let rows = operation(
        "listImportRows",
        "List what became of the rows of a file, all or those refused, by number.",
        &[id(), limit_parameter(), cursor("^[0-9]{1,9}$"), refused],
        &with_problems(
            json!({ "200": answer("A page.", &page_schema(&row)) }),
            &["400", "403", "404"],
        ),
    );
    vec![
        ("/v1/imports".into(), json!({ "get": list, "post": with(announce, "requestBody", body) })),
        ("/v1/imports/{id}".into(), json!({ "get": read })),
        ("/v1/imports/{id}/content".into(), json!({ "put": with(take, "requestBody", part) })),
        ("/v1/imports/{id}/rows".into(), json!({ "get": rows })),
        ("/v1/imports/{id}/signatures".into(), signatures_of("signaturesImport")),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let at = || json!({ "type": "string", "format": "date-time" });
    let number = || json!({ "type": "string", "pattern": "^(0|[1-9][0-9]*)$" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let import = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "target", "class", "size", "file_at", "status", "received", "rows_done", "rows_refused", "created_at", "created_by", "updated_at"],
        "properties": {
            "id": { "type": "string", "pattern": ID },
            "target": { "type": "string", "enum": Target::ALL.map(Target::path) },
            "class": { "type": "string", "enum": Class::ALL.map(Class::name) },
            "size": number(),
            "sha256": { "type": "string", "description": "Gone once an investor is erased that was made of the file." },
            "file_at": at(),
            "status": { "type": "string", "enum": Status::ALL.map(Status::name) },
            "result": { "type": "string", "enum": Outcome::ALL.map(Outcome::name) },
            "received": number(),
            "rows_done": count(),
            "rows_refused": count(),
            "created_at": at(),
            "created_by": text(),
            "updated_at": at(),
        },
    });
    let error = json!({
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": { "pointer": text(), "detail": text() },
    });
    let row = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["row"],
        "properties": {
            "row": { "type": "integer", "minimum": 1, "description": "Its number in the file, without the first line." },
            "id": { "type": "string", "pattern": ID, "description": "The row that was made." },
            "errors": { "type": "array", "items": error },
        },
    });
    [("AnnounceImport", schema_of(ANNOUNCE)), ("Import", import), ("ImportedRow", row)]
        .map(|(name, schema)| (name.to_owned(), schema))
        .into_iter()
        .collect()
}
