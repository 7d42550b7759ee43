//! What two people do with masters: erase an investor's personal data, annotate the register.

use serde_json::{Value, json};
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::rows::{find, remember};
use super::{Change, Row, StoreError};
use crate::access::{Reach, Role};
use crate::approvals::{Deed, Done, Performing, Prepared, Proposal};
use crate::masters::{Field, FieldError, Form, Kind, Values, validate_fields};

/// What stands in required fields of erased rows.
const ERASED: &str = "erased";

/// Erases the personal data of an investor whose account is closed, from the row and from its history: [MST-5].
#[derive(Debug)]
pub struct EraseInvestor {
    /// The institution that runs the node, which may erase all.
    pub house: String,
}

const ERASE: &[Field] = &[
    Field::needs("investor_id", Form::Reference(Kind::Investor), "the investor"),
    Field::needs("reason", Form::Text(200), "why, without personal data"),
];

impl Deed for EraseInvestor {
    fn name(&self) -> &'static str {
        "erase-investor"
    }

    fn about(&self) -> &'static str {
        "erases a closed investor's personal data, with its history"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Registrar, Role::Custodian, Role::DirectBroker, Role::EntrustingBroker]
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn schema(&self) -> Value {
        crate::http::schema_of(ERASE)
    }

    fn prepare(&self, request: &Value, _: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        prepared(ERASE, request)
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let reach = reach(&self.house, change);
            let id = member(&proposal.request, "investor_id");
            let Some(row) = find(tx, Kind::Investor, id, &reach).await? else {
                return Ok(Done::Impossible("there is no such investor"));
            };
            if row.values.get("status").map(String::as_str) != Some("closed") {
                return Ok(Done::Impossible("the investor's status must be `closed` first"));
            }
            erase(tx, &row, change).await?;
            Ok(Done::with(json!({ "investor_id": id, "version": row.version.saturating_add(1) })))
        })
    }
}

/// Replaces the annotation of a product's register: [MST-6].
#[derive(Debug)]
pub struct AnnotateRegister;

const ANNOTATE: &[Field] = &[
    Field::needs(
        "beneficial_interest_id",
        Form::Reference(Kind::BeneficialInterest),
        "the product",
    ),
    Field::may("annotation", Form::Text(1000), "the annotation; none if absent"),
];

impl Deed for AnnotateRegister {
    fn name(&self) -> &'static str {
        "annotate-register"
    }

    fn about(&self) -> &'static str {
        "replaces the annotation of a product's register"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Registrar]
    }

    fn of_the_house(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        crate::http::schema_of(ANNOTATE)
    }

    fn prepare(&self, request: &Value, _: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        prepared(ANNOTATE, request)
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let annotation = proposal.request.get("annotation").and_then(Value::as_str);
            let replaced =
                replace_guarded(tx, proposal, ("register_annotation", annotation), change);
            Ok(match replaced.await? {
                Ok(row) => Done::with(json!({
                    "beneficial_interest_id": row.id, "version": row.version.saturating_add(1),
                })),
                Err(why) => Done::Impossible(why),
            })
        })
    }
}

/// Replaces what only two people change of the product that a proposal names, with its history. Gives the row as it was.
pub(super) async fn replace_guarded(
    tx: &mut Transaction<'static, Any>,
    proposal: &Proposal,
    (field, value): (&'static str, Option<&str>),
    change: Change<'_>,
) -> Result<Result<Row, &'static str>, StoreError> {
    let kind = Kind::BeneficialInterest;
    let id = member(&proposal.request, "beneficial_interest_id");
    let Some(row) = find(tx, kind, id, &Reach::All).await? else {
        return Ok(Err("there is no such product"));
    };
    let version = row.version.saturating_add(1);
    let text = format!(
        "UPDATE beneficial_interest SET {field} = $1, version = $2, updated_at = $3, updated_by = $4 \
         WHERE id = $5 AND version = $6"
    );
    let changed = sqlx::query(AssertSqlSafe(text))
        .bind(value.map(str::to_owned))
        .bind(version)
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(id.to_owned())
        .bind(row.version)
        .execute(&mut **tx)
        .await?;
    if changed.rows_affected() != 1 {
        return Ok(Err("the product has just been changed: approve again"));
    }
    let mut values = row.values.clone();
    match value {
        Some(text) => drop(values.insert(field, text.to_owned())),
        None => drop(values.remove(field)),
    }
    remember(tx, kind.table(), id, version, Some(&values), change).await?;
    Ok(Ok(row))
}

/// Keeps only what a row must have; what tells classes apart stays, as it names nobody.
async fn erase(
    tx: &mut Transaction<'static, Any>,
    row: &Row,
    change: Change<'_>,
) -> Result<(), StoreError> {
    let sets: Vec<String> = Kind::Investor
        .fields()
        .filter(|field| !(field.required && matches!(field.form, Form::Choice(_))))
        .map(|field| {
            let value = if field.required { format!("'{ERASED}'") } else { "NULL".to_owned() };
            format!("{} = {value}", field.name)
        })
        .collect();
    let version = row.version.saturating_add(1);
    let text = format!(
        "UPDATE investor SET version = $1, updated_at = $2, updated_by = $3, {} WHERE id = $4",
        sets.join(", "),
    );
    sqlx::query(AssertSqlSafe(text))
        .bind(version)
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(row.id.clone())
        .execute(&mut **tx)
        .await?;
    // A request with personal data goes with them, and so does its hash, which could be found out by trying.
    for text in [
        "UPDATE row_history SET content = NULL WHERE kind = $1 AND id = $2",
        "DELETE FROM idempotency WHERE kind = $1 AND id = $2",
        "DELETE FROM signed_request WHERE kind = $1 AND row_id = $2",
    ] {
        let query = sqlx::query(text).bind(Kind::Investor.table()).bind(row.id.clone());
        query.execute(&mut **tx).await?;
    }
    remember(tx, Kind::Investor.table(), &row.id, version, None, change).await
}

pub(super) fn prepared(
    fields: &'static [Field],
    request: &Value,
) -> Result<Prepared, Vec<FieldError>> {
    let values: Values = validate_fields(fields.iter(), request)?;
    Ok(Prepared { request: json!(values), code: None })
}

fn reach(house: &str, change: Change<'_>) -> Reach {
    if change.institution == house {
        Reach::All
    } else {
        Reach::Owner(change.institution.to_owned())
    }
}

/// A text of a request that was checked when it was proposed.
pub(super) fn member<'a>(request: &'a Value, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}
