//! The document's part on users.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, json_body, limit_parameter, object_of, operation, page_schema, path_parameter,
    query_parameter, tagged, with, with_problems,
};
use crate::users::{FIELDS, STATUS};

pub(super) fn paths() -> Vec<(String, Value)> {
    log_on_paths().into_iter().chain(user_paths()).collect()
}

fn schema_named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What those do who have no session yet, or end theirs.
fn log_on_paths() -> [(String, Value); 4] {
    let open = |operation: Value, body: &str| {
        let operation = with(operation, "requestBody", json_body(&schema_named(body)));
        with(operation, "security", json!([{ "mutualTLS": [] }, {}]))
    };
    let session = json!({ "201": answer("Logged on.", &schema_named("Session")) });
    let done = || json!({ "204": { "description": "Done." } });
    let refused = ["400", "404", "413", "415", "422"];
    let log_on = operation(
        "logOn",
        "Log a user on. Each request begins a session; it takes no idempotency key.",
        &[],
        &with_problems(session, &["400", "403", "404", "413", "415", "422"]),
    );
    let log_off = operation(
        "logOff",
        "End the session whose token the request has.",
        &[],
        &with_problems(done(), &["404"]),
    );
    let change = operation(
        "changePassword",
        "Change a user's password; ends his sessions.",
        &[],
        &with_problems(done(), &refused),
    );
    let activate = operation(
        "activate",
        "Set a new user's password, with the codes that his two administrators were told.",
        &[],
        &with_problems(done(), &refused),
    );
    let log_off = with(log_off, "security", json!([{ "bearer": [] }]));
    [
        ("/v1/sessions".into(), json!({ "post": open(log_on, "LogOn") })),
        ("/v1/sessions/current".into(), json!({ "delete": log_off })),
        ("/v1/passwords".into(), json!({ "post": open(change, "ChangePassword") })),
        ("/v1/activations".into(), json!({ "post": open(activate, "Activate") })),
    ]
}

/// What administrators see.
fn user_paths() -> [(String, Value); 4] {
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let cursor =
        |pattern: &str| query_parameter("cursor", &json!({ "type": "string", "pattern": pattern }));
    let page = [limit_parameter(), cursor(ID)];
    let past = [id(), limit_parameter(), cursor("^[0-9]{1,9}$")];
    let get = |name: &str, summary: &str, parameters: &[Value], answers: Value| {
        let answers = with_problems(answers, &["400", "403", "404"]);
        json!({ "get": operation(name, summary, parameters, &answers) })
    };
    let listed =
        |item: &str| json!({ "200": answer("A page.", &page_schema(&schema_named(item))) });
    let user = json!({ "200": tagged("The user.", &schema_named("User")) });
    let past_about = "List all versions of a user, oldest first.";
    let audit_about = "List what the institution's users did to log on and off, oldest first.";
    [
        (
            "/v1/users".into(),
            get("listUsers", "List the institution's users by id.", &page, listed("User")),
        ),
        ("/v1/users/{id}".into(), get("readUser", "Read a user.", &[id()], user)),
        ("/v1/users/{id}/history".into(), get("historyUser", past_about, &past, listed("Version"))),
        ("/v1/audit".into(), get("listAudit", audit_about, &page, listed("Audit"))),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let at = || json!({ "type": "string", "format": "date-time" });
    let id = || json!({ "type": "string", "pattern": ID });
    // No control characters: what is a log-on at all is said here, what is right isn't.
    let typed = || json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\u0000]+$" });
    let password = || json!({ "type": "string", "minLength": 12, "maxLength": 128, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", "format": "password" });
    let body = |names: &[&str], with_new: bool| {
        let mut properties: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), typed())).collect();
        let mut required = names.to_vec();
        if with_new {
            properties.insert("new_password".into(), password());
            required.push("new_password");
        }
        json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
    };
    let user = object_of(
        FIELDS.iter().chain([&STATUS]),
        [
            ("id", id()),
            ("version", json!({ "type": "integer", "minimum": 1 })),
            ("has_password", json!({ "type": "boolean" })),
            ("failed_attempts", json!({ "type": "integer", "minimum": 0 })),
            ("created_at", at()),
            ("created_by", text()),
            ("updated_at", at()),
            ("updated_by", text()),
        ],
    );
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let session = object(
        &["token", "expires_at", "user_id", "role", "password_expires_at"],
        json!({ "token": text(), "expires_at": at(), "user_id": id(), "role": text(), "password_expires_at": at() }),
    );
    let audit = object(
        &["id", "at", "by", "event"],
        json!({ "id": id(), "at": at(), "by": text(), "event": text() }),
    );
    let mut user = user;
    if let Some(Value::Object(properties)) = user.get_mut("properties") {
        for name in ["password_at", "locked_until", "last_log_on"] {
            properties.insert(name.into(), at());
        }
    }
    [
        ("LogOn", body(&["institution", "login", "password"], false)),
        ("ChangePassword", body(&["institution", "login", "password"], true)),
        ("Activate", body(&["institution", "login", "code_1", "code_2"], true)),
        ("User", user),
        ("Session", session),
        ("Audit", audit),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect()
}
