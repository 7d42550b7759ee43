//! What two people do with masters: annotate the register.

use serde_json::{Value, json};
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::rows::{find, remember};
use super::{Change, Row, StoreError};
use crate::access::{Reach, Role};
use crate::approvals::{Deed, Done, Performing, Proposal};
use crate::masters::{Field, Form, Kind};

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

    fn fields(&self) -> &'static [Field] {
        ANNOTATE
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
    remember(tx, (kind.table(), id, version), Some(&values), change, None).await?;
    Ok(Ok(row))
}

/// The rows that a client's deed is about.
pub(super) fn reach(house: &str, change: Change<'_>) -> Reach {
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
