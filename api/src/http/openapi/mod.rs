//! The OpenAPI 3.1 document, made from the same tables as checks and paths.

mod approvals;
mod erasures;
mod events;
mod flows;
mod imports;
mod registers;
mod users;

use serde_json::{Map, Value, json};

use super::deprecation::Deprecated;
use super::manners::{KEY_MAX, PAGE, REASON_MAX};
use super::problem::Problem;
use crate::approvals::Deeds;
use crate::masters::{Field, Form, Kind};

const ID: &str = "^[0-9a-f]{32}$";
/// Half-width characters of the Zengin formats, without the blank.
const KANA: &str = "\u{ff66}\u{ff71}-\u{ff9f}A-Z0-9()./,\u{ff62}\u{ff63}\\\\-";
/// No control characters, not blank at either end.
const TEXT: &str = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]([^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f])?$";
const ETAG: &str = "^\"v[1-9][0-9]{0,17}\"$";

/// What a change of a row is answered with if it isn't done; of a row that may be erased 409 besides.
const CHANGED_UNLESS_ERASED: &[&str] =
    &["400", "403", "404", "409", "412", "413", "415", "422", "428"];
const CHANGED: &[&str] = &["400", "403", "404", "412", "413", "415", "422", "428"];

/// The operations that handle personal data.
const RECORDED: &[&str] = &[
    "createInvestor",
    "readInvestor",
    "listInvestor",
    "historyInvestor",
    "signaturesInvestor",
    "updateInvestor",
    "announceImport",
    "putImportContent",
    "signaturesImport",
    "readRegister",
    "decideApproval",
];

/// The document.
pub(super) fn document(deeds: &Deeds, deprecated: &[Deprecated]) -> Value {
    let (mut paths, mut schemas) = (Map::new(), shared_schemas());
    paths.extend(approvals::paths());
    schemas.extend(approvals::schemas(deeds));
    paths.extend(erasures::paths());
    schemas.extend(erasures::schemas());
    paths.extend(events::paths());
    schemas.extend(events::schemas());
    paths.extend(flows::paths());
    schemas.extend(flows::schemas());
    paths.extend(imports::paths());
    schemas.extend(imports::schemas());
    paths.extend(registers::paths());
    schemas.extend(registers::schemas());
    paths.extend(users::paths());
    schemas.extend(users::schemas());
    paths.insert("/openapi.json".into(), json!({ "get": operation("openapi", "This document.", &[], &json!({
        "200": { "description": "The document.", "content": { "application/json": { "schema": { "type": "object" } } } }
    })) }));
    paths.insert("/problems/{code}".into(), json!({ "get": operation("problem", "What a problem's type means.", &[path_parameter("code", &codes())], &json!({
        "200": { "description": "The page.", "content": { "text/plain; charset=utf-8": { "schema": { "type": "string" } } } },
        "404": reference("Problem404"),
    })) }));
    for (path, id, about) in [
        (
            "/docs",
            "docs",
            "This document as a page, without scripts and without anything from elsewhere.",
        ),
        ("/deprecations", "deprecations", "What will go, and when."),
    ] {
        let page = json!({ "200": { "description": "The page.", "content": { "text/html; charset=utf-8": { "schema": { "type": "string" } } } } });
        paths.insert(path.into(), json!({ "get": operation(id, about, &[], &page) }));
    }
    for kind in Kind::ALL {
        schemas.insert(kind.name().into(), schema(kind));
        schemas.insert(format!("{}Row", kind.name()), row_schema(kind));
        paths.extend(paths_of(kind));
    }
    mark_recorded(&mut paths);
    mark_deprecated(&mut paths, deprecated);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sudare",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Masters of a node of the ledger, and instructions to it. Rules: specs/api.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "mutualTLS": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses(),
            "securitySchemes": {
                "mutualTLS": { "type": "mutualTLS", "description": "A client certificate that the node's configuration names." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "A session's token (POST /v1/sessions), or an issuer's access token bound to the client certificate (RFC 8705)." },
            },
        },
    })
}

/// [ACC-6]: they take a reason, and aren't done unless that is recorded.
fn mark_recorded(paths: &mut Map<String, Value>) {
    let recorded = |operation: &Value| {
        let id = operation.get("operationId").and_then(Value::as_str);
        id.is_some_and(|id| RECORDED.contains(&id))
    };
    let items = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in items.flat_map(Map::values_mut).filter(|operation| recorded(operation)) {
        if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
            parameters.push(reason_parameter());
        }
        if let Some(Value::Object(responses)) = operation.get_mut("responses") {
            responses.insert("503".into(), reference("Problem503"));
        }
    }
}

fn mark_deprecated(paths: &mut Map<String, Value>, deprecated: &[Deprecated]) {
    for one in deprecated {
        let method = one.method.to_ascii_lowercase();
        let operation = paths.get_mut(one.path).and_then(|item| item.get_mut(&method));
        if let Some(Value::Object(operation)) = operation {
            operation.insert("deprecated".into(), true.into());
        }
    }
}

fn paths_of(kind: Kind) -> [(String, Value); 4] {
    let (path, name) = (kind.path(), kind.name());
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let row = json!({ "$ref": format!("#/components/schemas/{name}Row") });
    let body = json!({ "required": true, "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } } });
    let page =
        [limit_parameter(), query_parameter("cursor", &json!({ "type": "string", "pattern": ID }))];
    let past = [
        id(),
        limit_parameter(),
        query_parameter("cursor", &json!({ "type": "string", "pattern": "^[0-9]{1,9}$" })),
    ];
    let key = key_parameter();
    let matching =
        header_parameter("If-Match", true, &json!({ "type": "string", "pattern": ETAG }));
    let known = header_parameter("If-None-Match", false, &json!({ "type": "string" }));
    let written = json!({ "$ref": "#/components/schemas/Written" });
    let created = with(
        tagged("Made, now or by the same request before.", &written),
        "links",
        links(&["read", "update", "history"].map(|verb| format!("{verb}{name}"))),
    );
    let post = operation(
        &format!("create{name}"),
        "Make a row.",
        &[key],
        &with_problems(json!({ "201": created }), &["400", "403", "413", "415", "422"]),
    );
    let put = operation(
        &format!("update{name}"),
        "Replace a row's values.",
        &[id(), matching],
        &with_problems(
            json!({ "200": tagged("Replaced.", &written) }),
            if kind.is_sealed() { CHANGED_UNLESS_ERASED } else { CHANGED },
        ),
    );
    let post = with(post, "requestBody", body.clone());
    let put = with(put, "requestBody", body);
    let list = operation(
        &format!("list{name}"),
        "List rows by id.",
        &page,
        &with_problems(json!({ "200": answer("A page.", &page_schema(&row)) }), &["400", "403"]),
    );
    let read = operation(
        &format!("read{name}"),
        "Read a row.",
        &[id(), known],
        &with_problems(
            json!({ "200": tagged("The row.", &row), "304": { "description": "It is what `If-None-Match` says." } }),
            &["400", "403", "404"],
        ),
    );
    let version = json!({ "$ref": "#/components/schemas/Version" });
    let history = operation(
        &format!("history{name}"),
        "List all versions of a row, oldest first.",
        &past,
        &with_problems(
            json!({ "200": answer("A page.", &page_schema(&version)) }),
            &["400", "403", "404"],
        ),
    );
    let signatures = signatures_of(&format!("signatures{name}"));
    [
        (format!("/v1/{path}"), json!({ "get": list, "post": post })),
        (format!("/v1/{path}/{{id}}"), json!({ "get": read, "put": put })),
        (format!("/v1/{path}/{{id}}/history"), json!({ "get": history })),
        (format!("/v1/{path}/{{id}}/signatures"), signatures),
    ]
}

/// The signed requests behind something.
fn signatures_of(id: &str) -> Value {
    let cursor = query_parameter("cursor", &json!({ "type": "string", "pattern": ID }));
    let row = path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let page = page_schema(&json!({ "$ref": "#/components/schemas/SignedRequest" }));
    let get = operation(
        id,
        "List the signed requests that made or changed this, oldest first.",
        &[row, limit_parameter(), cursor],
        &with_problems(json!({ "200": answer("A page.", &page) }), &["400", "403", "404"]),
    );
    json!({ "get": get })
}

fn operation(id: &str, summary: &str, parameters: &[Value], responses: &Value) -> Value {
    let responses = with_problems(responses.clone(), &["401", "405", "429", "500"]);
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn with_problems(mut responses: Value, statuses: &[&str]) -> Value {
    if let Value::Object(responses) = &mut responses {
        for status in statuses {
            responses.insert((*status).into(), reference(&format!("Problem{status}")));
        }
    }
    responses
}

fn reference(response: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{response}") })
}

fn answer(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn tagged(description: &str, schema: &Value) -> Value {
    let etag = json!({ "required": true, "schema": { "type": "string", "pattern": ETAG } });
    with(answer(description, schema), "headers", json!({ "ETag": etag }))
}

/// Which operations take the id that an answer names.
fn links(operations: &[String]) -> Value {
    let link = |id: &String| {
        let link = json!({ "operationId": id, "parameters": { "id": "$response.body#/id" } });
        (id.clone(), link)
    };
    Value::Object(operations.iter().map(link).collect())
}

/// The object with one more member.
fn with(mut object: Value, name: &str, member: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert(name.into(), member);
    }
    object
}

fn limit_parameter() -> Value {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": PAGE.0, "default": PAGE.1 });
    query_parameter("limit", &schema)
}

fn path_parameter(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn query_parameter(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "schema": schema })
}

fn header_parameter(name: &str, required: bool, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "required": required, "schema": schema })
}

fn reason_parameter() -> Value {
    let schema = json!({
        "type": "string",
        "pattern": format!("^[0-9A-Za-z._/:#-]{{1,{REASON_MAX}}}$"),
        "description": "Why personal data is handled, by a code or case number with nothing personal in it: it stands in the node's access log.",
    });
    header_parameter("Access-Reason", false, &schema)
}

fn key_parameter() -> Value {
    let schema = json!({ "type": "string", "pattern": format!("^[!-~]{{1,{KEY_MAX}}}$") });
    header_parameter("Idempotency-Key", true, &schema)
}

fn json_body(schema: &Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn codes() -> Value {
    json!({ "type": "string", "enum": Problem::ALL.map(|about| about.code) })
}

/// One response a status, which may stand for several problems.
fn responses() -> Value {
    let mut responses = Map::new();
    for about in Problem::ALL {
        let status = about.status.as_u16();
        let same = Problem::ALL.into_iter().filter(|other| other.status == about.status);
        let description: Vec<&str> = same.map(|other| other.title).collect();
        responses.insert(format!("Problem{status}"), json!({
            "description": description.join(" Or: "),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        }));
    }
    Value::Object(responses)
}

fn shared_schemas() -> Map<String, Value> {
    let types: Vec<String> =
        Problem::ALL.iter().map(|about| format!("/problems/{}", about.code)).collect();
    let mut schemas = Map::new();
    schemas.insert("Problem".into(), json!({
        "type": "object",
        "required": ["type", "title", "status", "next", "trace_id"],
        "properties": {
            "type": { "type": "string", "enum": types },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "next": { "type": "string", "description": "What to do next." },
            "trace_id": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": { "pointer": { "type": "string" }, "detail": { "type": "string" } },
            } },
        },
    }));
    let text = || json!({ "type": "string" });
    schemas.insert("SignedRequest".into(), json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "at", "by", "key_id", "public_key", "algorithm", "base", "signature", "body"],
        "properties": {
            "id": { "type": "string", "pattern": ID },
            "at": { "type": "string", "format": "date-time" },
            "by": text(),
            "key_id": text(),
            "public_key": { "type": "string", "description": "In base64: SubjectPublicKeyInfo." },
            "algorithm": { "type": "string", "description": "By its name in RFC 9421." },
            "base": { "type": "string", "description": "What was signed: RFC 9421's signature base." },
            "signature": { "type": "string", "description": "In base64." },
            "body": { "type": "string", "description": "In base64; its digest is in the base." },
        },
    }));
    schemas.insert("Written".into(), json!({
        "type": "object",
        "required": ["id", "version"],
        "properties": { "id": { "type": "string", "pattern": ID }, "version": { "type": "integer", "minimum": 1 } },
    }));
    schemas.insert(
        "Version".into(),
        json!({
            "type": "object",
            "required": ["version", "at", "by"],
            "properties": {
                "version": { "type": "integer", "minimum": 1 },
                "at": { "type": "string", "format": "date-time" },
                "by": { "type": "string" },
                "content": { "type": "object", "description": "What was written." },
            },
        }),
    );
    schemas
}

fn page_schema(item: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": { "type": "array", "items": item, "maxItems": PAGE.0 },
            "next": { "type": "string", "description": "The path of the next page, if there is one." },
        },
    })
}

/// The schema of an object with these fields alone.
pub(super) fn schema_of(fields: &[Field]) -> Value {
    object_of(fields.iter(), [])
}

fn schema(kind: Kind) -> Value {
    object_of(kind.fields().filter(|field| !field.guarded), [])
}

fn row_schema(kind: Kind) -> Value {
    let text = || json!({ "type": "string" });
    let at = || json!({ "type": "string", "format": "date-time" });
    object_of(
        kind.fields(),
        [
            ("id", json!({ "type": "string", "pattern": ID })),
            ("version", json!({ "type": "integer", "minimum": 1 })),
            ("owner", text()),
            ("created_at", at()),
            ("created_by", text()),
            ("updated_at", at()),
            ("updated_by", text()),
        ],
    )
}

/// Some fields, and `more` that are always there.
fn object_of<'a, const N: usize>(
    fields: impl Iterator<Item = &'a Field>,
    more: [(&str, Value); N],
) -> Value {
    let fields: Vec<&Field> = fields.collect();
    let mut required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    required.extend(more.iter().map(|(name, _)| *name));
    let mut properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required = json!(required);
    properties.extend(more.map(|(name, property)| (name.to_owned(), property)));
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn property(field: &Field) -> Value {
    let form = match field.form {
        Form::Text(max) => json!({ "minLength": 1, "maxLength": max, "pattern": TEXT }),
        Form::Kana(max) => {
            json!({ "minLength": 1, "maxLength": max, "pattern": format!("^[{KANA}]([ {KANA}]*[{KANA}])?$") })
        }
        Form::Choice(choices) => json!({ "enum": choices }),
        Form::Code(max) => json!({ "pattern": format!("^[!-~]{{1,{max}}}$") }),
        Form::Digits(count) => json!({ "pattern": format!("^[0-9]{{{count}}}$") }),
        Form::Quantity => json!({ "pattern": "^(0|[1-9][0-9]{0,19})$" }),
        Form::Date => json!({ "format": "date" }),
        Form::Email => json!({ "format": "email", "maxLength": 254 }),
        Form::Phone => json!({ "pattern": "^([+][0-9][0-9-]{3,17}|[0-9][0-9-]{4,18})[0-9]$" }),
        Form::PostalCode => json!({ "pattern": "^[0-9]{3}-[0-9]{4}$" }),
        Form::Isin => json!({ "pattern": "^[A-Z]{2}[A-Z0-9]{9}[0-9]$" }),
        Form::Lei => json!({ "pattern": "^[A-Z0-9]{18}[0-9]{2}$" }),
        Form::Bic => json!({ "pattern": "^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$" }),
        Form::CorporateNumber => {
            json!({ "pattern": "^[1-9][0-9]{12}$" })
        }
        Form::Login => json!({ "pattern": "^[a-z0-9][a-z0-9._-]{2,39}$" }),
        Form::Sha256 => json!({ "pattern": "^[0-9a-f]{64}$" }),
        Form::Instant => json!({ "format": "date-time" }),
        Form::Id | Form::Reference(_) => json!({ "pattern": ID }),
    };
    with(with(form, "type", json!("string")), "description", json!(field.about))
}
