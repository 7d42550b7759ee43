//! Registers over HTTP: who holds what, now or as of a height, time or day; [RGI-2] all pages of one state.

use std::collections::BTreeSet;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use sudare_crypto::{Encoded, Hash, NodeId, Text};
use sudare_disclosure::AssetId;
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::{HeldBy, Line, LinesOf, RegisterHead, SnapshotView, When};
use sudare_ledger::role::Role as NodeRole;

use super::Api;
use super::manners::{Caller, PAGE, PageOf, Why, instant, limit_of, page_of, page_view};
use super::problem::Problem;
use crate::access::{Action, Client, Reach, Scope};
use crate::calendar::BusinessDate;
use crate::flows::{Node, Unanswered, adjusted, end_of, ms};
use crate::masters::{Kind, instant_of};
use crate::personal::By;
use crate::registers::{Part, Readable, readable, scope};
use crate::store::{Holder, Kept, Row};

/// The path of all registers.
const PATH: &str = "/v1/registers";
/// What is wrong with another cursor.
const CURSOR: &str = "`cursor` must be one that a page has given";

/// Which page of which state.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    as_of: Option<String>,
}

/// Of which snapshot, which page of it, and to what question.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofQuery {
    snapshot: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
    nonce: Option<String>,
}

/// The paths of registers.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(PATH, get(list))
        .route("/v1/registers/{asset}", get(read))
        .route("/v1/registers/{asset}/snapshots", get(snapshots))
        .route("/v1/registers/{asset}/proof", get(proof))
        .route("/v1/beneficial-interests/{id}/record-dates", get(record_dates))
}

/// A register that a client may read, or some of whose lines.
pub(super) struct Found<'a> {
    pub(super) node: &'a dyn Node,
    pub(super) asset: AssetId,
    pub(super) code: String,
    /// Of this custodian's customers alone.
    pub(super) custodian: Option<NodeId>,
    /// With names and addresses.
    names: bool,
}

async fn list(
    State(api): State<Api>,
    Extension(client): Caller,
    page: PageOf,
) -> Result<Response, Problem> {
    let client = admit(client)?;
    let (limit, cursor) = page_of(page)?;
    let plain = |code: &String| {
        (1..=12).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !cursor.as_ref().is_none_or(plain) {
        return Err(Problem::Malformed(CURSOR.into()));
    }
    let mut items = Vec::new();
    for found in all(&api, &client).await? {
        let Some(head) = found.node.register(found.asset, When::Now).await? else { continue };
        if found.is_party(&head) && cursor.as_ref().is_none_or(|after| found.code > *after) {
            items.push((found.code.clone(), found.view(&head)));
        }
    }
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let last = items.get(limit.saturating_sub(1)).filter(|_| items.len() > limit);
    let next = last.map(|(code, _)| format!("{PATH}?limit={limit}&cursor={code}"));
    let items = items.into_iter().take(limit).map(|(_, view)| view).collect();
    Ok(Json(page_view(items, next)).into_response())
}

async fn read(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(code): Path<String>,
    why: Why,
    query: Result<Query<LinesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let client = admit(client)?;
    let Query(query) = query.map_err(|_| {
        Problem::Malformed("the query takes `limit`, `cursor` and `as_of` alone, once each".into())
    })?;
    let limit = limit_of(query.limit)?;
    let as_of = when(&api, &code, query.as_of.as_deref()).await;
    let (when, after) = match (&query.cursor, as_of) {
        (_, Err(wrong @ Problem::Malformed(_))) => return Err(wrong),
        (Some(cursor), _) => {
            let (size, account) = cursor_of(cursor)?;
            (When::Size(size), Some(account))
        }
        (None, as_of) => (as_of?, None),
    };
    let found = find(&api, &client, &code).await?;
    let head = found.head(when).await?;
    let lines = found.lines(&head, after, limit.saturating_add(1)).await?;
    let last = lines.iter().take(limit).next_back().filter(|_| lines.len() > limit);
    let next = last
        .map(|line| format!("{PATH}/{code}?limit={limit}&cursor={}-{:?}", head.size, line.account));
    let shown = lines.get(..limit).unwrap_or(&lines);
    let items = items(&api, &found, &head, shown, why.of(&client)).await?;
    let mut view = found.view(&head);
    if let (Value::Object(members), Value::Object(page)) = (&mut view, page_view(items, next)) {
        if let Some(taken) = &head.snapshot {
            let after = after.map(|account| format!("&after={account:?}")).unwrap_or_default();
            let number = taken.number;
            let proof = format!("{PATH}/{code}/proof?snapshot={number}&limit={limit}{after}");
            members.insert("page_proof".into(), proof.into());
        }
        let product = api.store().product(&code, api.house()).await?;
        members.extend(product.map(|row| ("product".to_owned(), product_view(&row))));
        members.extend(page);
    }
    Ok(Json(view).into_response())
}

async fn snapshots(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(code): Path<String>,
    page: PageOf,
) -> Result<Response, Problem> {
    let client = admit(client)?;
    let (limit, cursor) = page_of(page)?;
    let after = cursor.map(|cursor| number_of(&cursor).ok_or(cursor)).transpose();
    let after = after.map_err(|_| Problem::Malformed(CURSOR.into()))?;
    let found = find(&api, &client, &code).await?;
    let _ = found.head(When::Now).await?;
    let mut taken = found.node.snapshots(found.asset).await?;
    taken.retain(|one| after.is_none_or(|after| one.number > after));
    let last = taken.get(limit.saturating_sub(1)).filter(|_| taken.len() > limit);
    let next =
        last.map(|last| format!("{PATH}/{code}/snapshots?limit={limit}&cursor={}", last.number));
    let items = taken.iter().take(limit).map(snapshot_view).collect();
    Ok(Json(page_view(items, next)).into_response())
}

/// What becomes of a product's record dates, those of its master first.
async fn record_dates(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let reach = match client.reach(Kind::BeneficialInterest, Action::Read, api.house()) {
        Reach::Nothing => return Err(Problem::Forbidden),
        reach => reach,
    };
    let row = api.store().plain_row(Kind::BeneficialInterest, &id, &reach).await?;
    let row = row.ok_or(Problem::NotFound)?;
    let kept = api.store().kept_record_dates(&row.id, PAGE.0.saturating_sub(2)).await?;
    let class = row.values.get("holiday_adjustment").map_or("none", String::as_str);
    let mut items = Vec::new();
    for (which, field) in [(1, "record_date_1"), (2, "record_date_2")] {
        let Some(nominal) = row.values.get(field) else { continue };
        if kept.iter().any(|one| one.which == which && one.nominal == *nominal) {
            continue;
        }
        let mut view = json!({ "number": which, "nominal": nominal, "state": "coming" });
        if let (Some(computed), Value::Object(members)) = (adjusted(nominal, class), &mut view) {
            let due = end_of(computed.date);
            members.insert("date".into(), computed.date.to_string().into());
            members.insert("calendar".into(), computed.calendar.to_string().into());
            members.insert("over_at".into(), instant(due));
            if due <= api.time() {
                members.insert("state".into(), "over".into());
            }
        }
        items.push(view);
    }
    items.extend(kept.iter().map(kept_view));
    Ok(Json(page_view(items, None)).into_response())
}

fn kept_view(kept: &Kept) -> Value {
    let mut view = json!({
        "number": kept.which,
        "nominal": kept.nominal,
        "date": kept.date,
        "calendar": kept.calendar,
        "over_at": instant(kept.due),
        "state": if kept.fixed.is_some() { "fixed" } else { "missed" },
    });
    if let (Value::Object(members), Some(fixed)) = (&mut view, kept.fixed) {
        members.insert("snapshot".into(), fixed.snapshot.into());
        members.insert("entry".into(), fixed.entry.into());
        members.insert("taken_at".into(), instant(fixed.taken));
        members.insert("entries_after".into(), fixed.entries_after.into());
    }
    view
}

/// [RGI-3]: the file that shows, to this client and its nonce, what accounts held whose lines it may read. Checked with `sudare verify`.
async fn proof(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(code): Path<String>,
    query: Result<Query<ProofQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let client = admit(client)?;
    let Query(query) = query.map_err(|_| {
        Problem::Malformed(
            "the query takes `snapshot`, `limit`, `after` and `nonce` alone, once each".into(),
        )
    })?;
    let number = match query.snapshot.as_deref() {
        None => None,
        Some(text) => Some(number_of(text).ok_or_else(|| {
            Problem::Malformed("`snapshot` must be the number of a snapshot".into())
        })?),
    };
    let nonce = match query.nonce.as_deref() {
        None => {
            let mut fresh = [0; 32];
            SystemRandom::new().fill(&mut fresh).map_err(|_| Problem::Internal)?;
            fresh
        }
        Some(text) => {
            let must = "`nonce` must be 64 hexadecimal digits in lower case";
            hex_of(text).ok_or_else(|| Problem::Malformed(must.into()))?
        }
    };
    let limit = query.limit.map(|limit| limit_of(Some(limit))).transpose()?;
    let after = query.after.as_deref().map(account_of).transpose()?;
    let found = find(&api, &client, &code).await?;
    let _ = found.head(When::Now).await?;
    let taken = found.node.snapshots(found.asset).await?;
    let taken = taken.into_iter().rfind(|one| number.is_none_or(|number| one.number == number));
    let taken = taken.ok_or(Problem::NotFound)?;
    let recipient = Text::new(&client.institution).map_err(|_| Problem::Internal)?;
    let limit = limit.and_then(|limit| u32::try_from(limit).ok());
    let by = HeldBy { custodian: found.custodian, after, limit };
    let (of, to) = ((taken.number, by), (recipient, nonce));
    let file = match found.node.register_proof(found.asset, of, to).await {
        Err(Unanswered::Refused(Reason::TooLarge)) => {
            return Err(Problem::Impossible("more accounts hold something than one file takes"));
        }
        file => file?.ok_or(Problem::NotFound)?,
    };
    let name = format!("attachment; filename=\"{code}-{}.sudare\"", taken.number);
    let name = HeaderValue::from_str(&name).map_err(|_| Problem::Internal)?;
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], file).into_response())
}

/// [AUT-2]: a client whose role reads registers at all.
pub(super) fn admit(client: Option<Client>) -> Result<Client, Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    match scope(client.role, Part::Lines) {
        Scope::Nothing => Err(Problem::Forbidden),
        _ => Ok(client),
    }
}

/// The registers that a client may read, if the node keeps any.
async fn all<'a>(api: &'a Api, client: &Client) -> Result<Vec<Found<'a>>, Problem> {
    let keeps = api.node().filter(|node| node.role() == NodeRole::Registrar);
    let Some(node) = keeps.map(AsRef::as_ref) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for signed in node.assets().await? {
        let code = signed.terms.core.code.to_string();
        let (custodian, names) = match readable(client, &code, api.house()) {
            Readable::Nothing => continue,
            Readable::All { names } => (None, names),
            Readable::Customers(of) => match node.member(&of) {
                Some((id, NodeRole::Custodian)) => (Some(id), false),
                _ => continue,
            },
        };
        found.push(Found { node, asset: signed.terms.asset(), code, custodian, names });
    }
    Ok(found)
}

/// [AUT-3]: the register of the asset with this code. One out of reach is as absent as one that isn't there.
pub(super) async fn find<'a>(
    api: &'a Api,
    client: &Client,
    code: &str,
) -> Result<Found<'a>, Problem> {
    let found = all(api, client).await?;
    found.into_iter().find(|found| found.code == code).ok_or(Problem::NotFound)
}

impl Found<'_> {
    /// The register at a moment, if there was one then.
    pub(super) async fn head(&self, when: When) -> Result<RegisterHead, Problem> {
        let head = self.node.register(self.asset, when).await?;
        head.filter(|head| head.size > 0 && self.is_party(head)).ok_or(Problem::NotFound)
    }

    fn is_party(&self, head: &RegisterHead) -> bool {
        self.custodian.is_none_or(|custodian| head.custodians.contains(&custodian))
    }

    /// Up to `limit` lines after an account.
    async fn lines(
        &self,
        head: &RegisterHead,
        mut after: Option<Encoded>,
        limit: usize,
    ) -> Result<Vec<Line>, Problem> {
        let mut lines = Vec::new();
        while lines.len() < limit {
            let missing = limit.saturating_sub(lines.len());
            let limit = u32::try_from(missing).unwrap_or(u32::MAX);
            let of = LinesOf { size: head.size, custodian: self.custodian, after, limit };
            let page = self.node.lines(self.asset, of).await?;
            lines.extend(page.lines);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(lines)
    }

    fn view(&self, head: &RegisterHead) -> Value {
        let at = head.at.map_or(Value::Null, at);
        let mut as_of = json!({ "height": head.size, "at": at });
        if let (Value::Object(members), Some(taken)) = (&mut as_of, &head.snapshot) {
            members.insert("snapshot".into(), snapshot_view(taken));
        }
        let mut view = json!({
            "asset": self.code,
            "asset_id": self.asset.to_string(),
            "as_of": as_of,
            "minted": head.minted.to_string(),
            "supply": head.supply.to_string(),
        });
        if let (Value::Object(members), Some(taken)) = (&mut view, &head.snapshot) {
            let proof = format!("{PATH}/{}/proof?snapshot={}", self.code, taken.number);
            members.insert("proof".into(), proof.into());
        }
        view
    }
}

/// Lines for programs, with who stands behind them for whom may see that.
async fn items(
    api: &Api,
    found: &Found<'_>,
    head: &RegisterHead,
    lines: &[Line],
    by: By<'_>,
) -> Result<Vec<Value>, Problem> {
    let named = |line: &Line| (found.node.name_of(&line.custodian), line.investor.to_string());
    let holders = match found.names {
        false => Default::default(),
        true => {
            let names: BTreeSet<_> = lines.iter().map(named).collect();
            api.store().holders(api.house(), &names, by).await?
        }
    };
    let item = |line: &Line| {
        let name = named(line);
        let mut view = json!({
            "account": format!("{:?}", line.account),
            "custodian": name.0,
            "investor": name.1,
            "quantity": line.quantity.to_string(),
            "share": share(line.quantity, head.supply),
        });
        if let (Value::Object(members), Some(holder)) = (&mut view, holders.get(&name)) {
            let Holder { id, name, address } = holder;
            members.insert("investor_id".into(), id.clone().into());
            members.insert("name".into(), name.clone().into());
            members.insert("address".into(), address.clone().into());
        }
        view
    };
    Ok(lines.iter().map(item).collect())
}

/// `p/q` of the supply, in lowest terms.
pub(super) fn share(quantity: u64, supply: u64) -> String {
    let (mut one, mut other) = (quantity, supply);
    while let Some(rest) = one.checked_rem(other) {
        (one, other) = (other, rest);
    }
    let by = one.max(1);
    format!("{}/{}", quantity.div_euclid(by), supply.div_euclid(by))
}

fn product_view(row: &Row) -> Value {
    let fields = [
        ("name", "name"),
        ("annotation", "register_annotation"),
        ("comment_1", "comment_1"),
        ("comment_2", "comment_2"),
    ];
    let member = |(name, field): (&str, &str)| {
        Some((name.to_owned(), Value::from(row.values.get(field)?.clone())))
    };
    Value::Object(fields.into_iter().filter_map(member).collect())
}

fn snapshot_view(taken: &SnapshotView) -> Value {
    json!({
        "number": taken.number,
        "entry": taken.entry,
        "at": at(taken.at),
        "supply": taken.supply.to_string(),
        "root": taken.root.to_string(),
    })
}

/// An instant of the ledger, which counts ms.
fn at(ms: u64) -> Value {
    instant(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// A size and an account, from a cursor.
fn cursor_of(cursor: &str) -> Result<(u64, Encoded), Problem> {
    let wrong = || Problem::Malformed(CURSOR.into());
    let (size, account) = cursor.split_once('-').ok_or_else(wrong)?;
    let size = height_of(size).ok_or_else(wrong)?;
    Ok((
        size,
        account_of(account).map_err(|error| match error {
            Problem::Malformed(_) => wrong(),
            error => error,
        })?,
    ))
}

/// An account, from its 64 digits.
fn account_of(text: &str) -> Result<Encoded, Problem> {
    let account = hex_of(text).ok_or_else(|| {
        Problem::Malformed("an account is 64 hexadecimal digits in lower case".into())
    })?;
    Encoded::from_bytes(account).map_err(|_| Problem::NotFound)
}

/// 32 bytes from hexadecimal digits in lower case.
fn hex_of(text: &str) -> Option<[u8; 32]> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    Hash::from_hex(text).filter(|_| lower).map(|hash| hash.0)
}

/// The number of a snapshot.
fn number_of(text: &str) -> Option<u32> {
    height_of(text).filter(|_| text.len() <= 9).and_then(|number| u32::try_from(number).ok())
}

fn height_of(text: &str) -> Option<u64> {
    let plain = text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// The moment that `as_of` names: now, a height, an instant, or a day's end. What has not been yet is not there.
async fn when(api: &Api, code: &str, as_of: Option<&str>) -> Result<When, Problem> {
    let Some(text) = as_of else { return Ok(When::Now) };
    let shape: String =
        text.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
    let time = match shape.as_str() {
        "0000-00-00" => {
            let day: BusinessDate = text.parse().map_err(|_| Problem::NotFound)?;
            if let Some(number) = api.store().fixed_on(code, &day.to_string()).await? {
                return Ok(When::Snapshot(number));
            }
            // The last microsecond of the day.
            end_of(day).saturating_sub(1)
        }
        "0000-00-00T00:00:00Z" => instant_of(text).ok_or(Problem::NotFound)?,
        _ => {
            let must = "`as_of` must be a height, a day as `YYYY-MM-DD`, or an instant as `YYYY-MM-DDThh:mm:ssZ`";
            let size = height_of(text).ok_or_else(|| Problem::Malformed(must.into()))?;
            return Ok(When::Size(size));
        }
    };
    if time > api.time() { Err(Problem::NotFound) } else { Ok(When::Time(ms(time))) }
}
