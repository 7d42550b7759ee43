//! The document's part on the business day, events and webhooks.

use serde_json::{Map, Value, json};

use super::{
    ID, answer, json_body, key_parameter, limit_parameter, links, object_of, operation,
    page_schema, path_parameter, query_parameter, with, with_problems,
};
use crate::http::webhooks::FIELDS;

const NUMBER: &str = "^[0-9]{1,18}$";

pub(super) fn paths() -> [(String, Value); 5] {
    let number = || json!({ "type": "string", "pattern": NUMBER });
    let resumed =
        json!({ "name": "Last-Event-ID", "in": "header", "required": false, "schema": number() });
    let stream = json!({
        "description": "The stream: `id` the event's number, `event: operation`, `data` the operation after it. It ends after 10 minutes; go on with `Last-Event-ID`.",
        "content": { "text/event-stream": { "schema": { "type": "string" } } },
    });
    let events = operation(
        "streamEvents",
        "Follow what becomes of instructions. From now on, or after the event that is named.",
        &[resumed, query_parameter("after", &number())],
        &with_problems(json!({ "200": stream }), &["400", "403"]),
    );
    let day = answer("The business day.", &json!({ "$ref": "#/components/schemas/Market" }));
    let market = operation(
        "readMarket",
        "Read whether the market is open, and until when what settles.",
        &[],
        &with_problems(json!({ "200": day }), &["404"]),
    );
    let [all, one, secret] = webhooks();
    [
        ("/v1/events".into(), json!({ "get": events })),
        ("/v1/market".into(), json!({ "get": market })),
        ("/v1/webhooks".into(), all),
        ("/v1/webhooks/{id}".into(), one),
        ("/v1/webhooks/{id}/secret".into(), secret),
    ]
}

fn webhooks() -> [Value; 3] {
    let hook = || json!({ "$ref": "#/components/schemas/Webhook" });
    let id = || path_parameter("id", &json!({ "type": "string", "pattern": ID }));
    let cursor = query_parameter("cursor", &json!({ "type": "string", "pattern": ID }));
    let list = operation(
        "listWebhooks",
        "List where events of the own institution are sent.",
        &[limit_parameter(), cursor],
        &with_problems(json!({ "200": answer("A page.", &page_schema(&hook())) }), &["400", "403"]),
    );
    let location = json!({ "Location": { "required": true, "schema": { "type": "string" } } });
    let made =
        with(answer("Made; with the secret, if it was made now.", &hook()), "headers", location);
    let next = ["readWebhook", "renewWebhookSecret", "removeWebhook"].map(String::from);
    let made = with(made, "links", links(&next));
    let make = operation(
        "createWebhook",
        "Have events sent to a place, signed as Standard Webhooks say.",
        &[key_parameter()],
        &with_problems(json!({ "201": made }), &["400", "403", "409", "413", "415", "422"]),
    );
    let read = operation(
        "readWebhook",
        "Read how far a place has its events.",
        &[id()],
        &with_problems(json!({ "200": answer("The webhook.", &hook()) }), &["400", "403", "404"]),
    );
    let remove = operation(
        "removeWebhook",
        "Send no more events to a place.",
        &[id()],
        &with_problems(json!({ "204": { "description": "Removed." } }), &["400", "403", "404"]),
    );
    let renew = operation(
        "renewWebhookSecret",
        "Get another secret, and try again what was given up. The one before signs too for a day.",
        &[id(), key_parameter()],
        &with_problems(
            json!({ "200": answer("The webhook; with the secret, if it was made now.", &hook()) }),
            &["400", "403", "404", "413", "415", "422"],
        ),
    );
    let body = json_body(&json!({ "$ref": "#/components/schemas/NewWebhook" }));
    let nothing = json_body(&json!({ "type": "object", "additionalProperties": false }));
    [
        json!({ "get": list, "post": with(make, "requestBody", body) }),
        json!({ "get": read, "delete": remove }),
        json!({ "post": with(renew, "requestBody", nothing) }),
    ]
}

pub(super) fn schemas() -> Map<String, Value> {
    let at = || json!({ "type": "string", "format": "date-time" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let mut schemas = Map::new();
    schemas.insert("NewWebhook".into(), object_of(FIELDS.iter(), []));
    schemas.insert("Webhook".into(), json!({
        "type": "object",
        "required": ["id", "url", "made_at", "made_by", "sent", "attempts", "stopped"],
        "properties": {
            "id": { "type": "string", "pattern": ID },
            "url": { "type": "string" },
            "secret": { "type": "string", "description": "Told once." },
            "made_at": at(),
            "made_by": { "type": "string" },
            "sent": { "type": "integer", "minimum": 0, "description": "The number of the last event that was taken." },
            "attempts": count(),
            "next_at": at(),
            "problem": { "type": "string", "description": "Why the next event was not taken." },
            "stopped": { "type": "boolean", "description": "Whether it is not tried any more: renew the secret to begin again." },
        },
    }));
    schemas.insert("Market".into(), json!({
        "type": "object",
        "required": ["open", "date", "is_business_day", "calendar", "cut_offs"],
        "properties": {
            "open": { "type": "boolean", "description": "Whether instructions are taken." },
            "since": at(),
            "date": { "type": "string", "format": "date", "description": "Today in Japan." },
            "is_business_day": { "type": "boolean" },
            "calendar": { "type": "string" },
            "cut_offs": { "type": "object", "additionalProperties": { "type": "string" }, "description": "By kind of instruction, in Japan's time." },
        },
    }));
    schemas
}
