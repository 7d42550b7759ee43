//! Files of messages, brought whole.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sudare_api::access::Role;

use super::desk::Desk;
use super::hash_of;

const HEAD: &str = "urn:iso:std:iso:20022:tech:xsd:head.002.001.01";

pub fn file(documents: impl IntoIterator<Item = String>) -> String {
    let payloads: String = documents.into_iter().map(|one| format!("<Pyld>{one}</Pyld>")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Xchg xmlns=\"{HEAD}\"><PyldDesc/>{payloads}</Xchg>"
    )
}

/// Brings a file whole.
pub async fn brought(desk: &Desk, who: (Role, &str), class: &str, text: &str) -> String {
    let body = json!({
        "target": "instructions", "class": class, "size": text.len().to_string(),
        "sha256": hash_of(text.as_bytes()), "file_at": "2026-01-05T00:00:00Z",
    });
    let key = hash_of(format!("{class}{text}").as_bytes());
    let made = desk.world.post(who, "/v1/imports", &key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let path = format!("/v1/imports/{}/content?offset=0", made.id());
    let xml = [("content-type", "application/xml")];
    let whole = desk.world.text(who, Method::PUT, &path, &xml, text).await;
    assert_eq!((whole.status, &whole.body["status"]), (StatusCode::OK, &json!("working")));
    made.id()
}

/// The same, and has it worked on: how it stands then, and its rows.
pub async fn done(desk: &Desk, who: (Role, &str), class: &str, text: &str) -> (Value, Vec<Value>) {
    let id = brought(desk, who, class, text).await;
    assert!(desk.world.api.import_next().await.unwrap());
    let stands = desk.world.get(who, &format!("/v1/imports/{id}")).await.body;
    let rows = desk.world.get(who, &format!("/v1/imports/{id}/rows?limit=200")).await.body;
    (stands, rows["items"].as_array().unwrap().clone())
}
