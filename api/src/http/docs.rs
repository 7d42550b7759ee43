//! The documentation of all operations as one page, made from the OpenAPI document. No script, nothing from elsewhere.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Api;
use super::deprecation::POLICY;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}code{font-size:.9em}\
                     h2{border-top:1px solid #ccc;padding-top:1rem}table{border-collapse:collapse}td,th{text-align:left;\
                     padding:.2rem 1rem .2rem 0;vertical-align:top}.m{text-transform:uppercase;font-weight:bold}\
                     code,td{overflow-wrap:anywhere}td:nth-child(-n+2){min-width:6rem}";

/// The page at `/docs`.
pub(super) async fn docs(State(api): State<Api>) -> Response {
    page("Sudare: HTTP API", &body(&api.document()))
}

/// The page at `/deprecations`.
pub(super) async fn deprecations(State(api): State<Api>) -> Response {
    let mut text = format!("<h1>What will go</h1><p>{}</p>", escape(POLICY));
    if api.0.deprecated.is_empty() {
        text.push_str("<p>Nothing is deprecated now.</p>");
    }
    for one in api.0.deprecated {
        let line = format!(
            "{} {}: deprecated since {}, gone after {}. {}",
            one.method, one.path, one.since, one.sunset, one.instead
        );
        text.push_str(&format!("<p>{}</p>", escape(&line)));
    }
    page("Sudare: deprecations", &text)
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body>{body}</body></html>"
    );
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut answer = Html(html).into_response();
    if let Ok(value) = HeaderValue::from_str(&policy) {
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
    answer
}

fn body(document: &Value) -> String {
    let mut text = format!(
        "<h1>{} {}</h1><p>{} For programs: <a href=\"/openapi.json\">openapi.json</a>. <a href=\"/deprecations\">What will go</a>.</p>",
        shown(at(document, "/info/title")),
        shown(at(document, "/info/version")),
        shown(at(document, "/info/description")),
    );
    for (path, item) in members(at(document, "/paths")) {
        for (method, operation) in members(item) {
            text.push_str(&described(document, path, method, operation));
        }
    }
    text.push_str("<h1>Schemas</h1>");
    for (name, schema) in members(at(document, "/components/schemas")) {
        text.push_str(&format!("<h2 id=\"{0}\">{0}</h2>", escape(name)));
        text.push_str(&fields(schema));
    }
    text
}

fn described(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut text = format!(
        "<h2 id=\"{}\"><span class=\"m\">{}</span> <code>{}</code></h2><p>{}</p><table>",
        shown(at(operation, "/operationId")),
        escape(method),
        escape(path),
        shown(at(operation, "/summary")),
    );
    if *at(operation, "/deprecated") == true {
        text = text.replace("<table>", "<p><a href=\"/deprecations\">Will go.</a></p><table>");
    }
    for parameter in at(operation, "/parameters").as_array().into_iter().flatten() {
        let must = if *at(parameter, "/required") == true { "required" } else { "" };
        text.push_str(&format!(
            "<tr><td><code>{}</code></td><td>{} {must}</td><td>{}</td></tr>",
            shown(at(parameter, "/name")),
            shown(at(parameter, "/in")),
            form(at(parameter, "/schema")),
        ));
    }
    let request = at(operation, "/requestBody/content/application~1json/schema");
    if !request.is_null() {
        text.push_str(&format!("<tr><td>body</td><td></td><td>{}</td></tr>", form(request)));
    }
    for (status, response) in members(at(operation, "/responses")) {
        let shared = at(response, "/$ref").as_str().and_then(|path| path.strip_prefix('#'));
        let response = shared.map_or(response, |pointer| at(document, pointer));
        text.push_str(&format!(
            "<tr><td>{}</td><td></td><td>{}</td></tr>",
            escape(status),
            shown(at(response, "/description")),
        ));
    }
    text.push_str("</table>");
    text
}

fn fields(schema: &Value) -> String {
    let mut text = String::from("<table>");
    for one in at(schema, "/oneOf").as_array().into_iter().flatten() {
        text.push_str(&format!("<tr><td>one of</td><td></td><td>{}</td></tr>", form(one)));
    }
    let required = at(schema, "/required").as_array().cloned().unwrap_or_default();
    for (name, property) in members(at(schema, "/properties")) {
        let must = if required.iter().any(|one| one == name) { "required" } else { "" };
        let nested =
            if at(property, "/properties").is_object() { fields(property) } else { form(property) };
        text.push_str(&format!(
            "<tr><td><code>{}</code></td><td>{must}</td><td>{} {nested}</td></tr>",
            escape(name),
            shown(at(property, "/description")),
        ));
    }
    text.push_str("</table>");
    text
}

/// What a value must be, in short.
fn form(schema: &Value) -> String {
    if let Some(name) = at(schema, "/$ref").as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    let mut parts = Vec::new();
    for name in [
        "type",
        "format",
        "const",
        "pattern",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
    ] {
        if let Some(value) = schema.get(name) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            parts.push(if name == "type" {
                escape(&value)
            } else {
                format!("{name} <code>{}</code>", escape(&value))
            });
        }
    }
    parts.join(", ")
}

/// The part of a value at a JSON pointer; null if it has none.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn shown(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
