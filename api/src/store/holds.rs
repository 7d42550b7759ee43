//! Legal holds: why an investor's data must stay, and until when. Two people place one, two people lift it.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use super::deeds::{member, reach};
use super::erasures::ROLES;
use super::rows::find;
use super::{Change, Store, StoreError};
use crate::access::{Reach, Role};
use crate::approvals::{Deed, Done, Performing, Proposal};
use crate::flows::today;
use crate::masters::{Field, Form, Kind};

/// Places a hold on an investor's data, or with a later one extends it: [ERA-3].
#[derive(Debug)]
pub struct PlaceHold {
    /// The institution that runs the node, which may hold all.
    pub house: String,
}

/// Lifts a hold before its time: [ERA-3].
#[derive(Debug)]
pub struct LiftHold {
    /// The institution that runs the node, which may lift all.
    pub house: String,
}

const PLACE: &[Field] = &[
    Field::needs("investor_id", Form::Reference(Kind::Investor), "the investor"),
    Field::needs("reason", Form::Text(200), "why, without personal data"),
    Field::needs("until", Form::Date, "the last day on which the data must stay, in Japan"),
];

const LIFT: &[Field] = &[
    Field::needs("hold_id", Form::Id, "the hold"),
    Field::needs("reason", Form::Text(200), "why, without personal data"),
];

/// A hold as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// The id of the approval that placed it.
    pub id: String,
    /// Why.
    pub reason: String,
    /// The last day.
    pub until: String,
    /// When it was placed, in microseconds since the Unix epoch.
    pub placed_at: i64,
    /// Who proposed and who approved it.
    pub placed_by: (String, String),
    /// When it was lifted, and who proposed and approved that.
    pub lifted: Option<(i64, String, String)>,
}

impl Deed for PlaceHold {
    fn name(&self) -> &'static str {
        "place-hold"
    }

    fn about(&self) -> &'static str {
        "keeps an investor's data from being erased until a date"
    }

    fn roles(&self) -> &'static [Role] {
        ROLES
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        PLACE
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let request = &proposal.request;
            let id = member(request, "investor_id");
            let Some(row) = find(tx, Kind::Investor, id, &reach(&self.house, change)).await? else {
                return Ok(Done::Impossible("there is no such investor"));
            };
            let text = "INSERT INTO legal_hold (id, investor_id, owner, reason, until_date, placed_at, proposed_by, approved_by) \
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            sqlx::query(text)
                .bind(proposal.id.clone())
                .bind(row.id)
                .bind(row.owner)
                .bind(member(request, "reason").to_owned())
                .bind(member(request, "until").to_owned())
                .bind(change.now)
                .bind(proposal.proposed_by.name.clone())
                .bind(change.client.to_owned())
                .execute(&mut **tx)
                .await?;
            Ok(Done::with(json!({ "investor_id": id, "hold_id": proposal.id })))
        })
    }
}

impl Deed for LiftHold {
    fn name(&self) -> &'static str {
        "lift-hold"
    }

    fn about(&self) -> &'static str {
        "lifts a hold on an investor's data before its time"
    }

    fn roles(&self) -> &'static [Role] {
        ROLES
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        LIFT
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let id = member(&proposal.request, "hold_id");
            let (whose, owner) = match reach(&self.house, change) {
                Reach::All => ("", None),
                _ => (" AND owner = $5", Some(change.institution.to_owned())),
            };
            let text = format!(
                "UPDATE legal_hold SET lifted_at = $1, lift_proposed_by = $2, lift_approved_by = $3 \
                 WHERE id = $4 AND lifted_at IS NULL{whose}"
            );
            let query = sqlx::query(AssertSqlSafe(text))
                .bind(change.now)
                .bind(proposal.proposed_by.name.clone())
                .bind(change.client.to_owned())
                .bind(id.to_owned());
            let query = match owner {
                Some(owner) => query.bind(owner),
                None => query,
            };
            if query.execute(&mut **tx).await?.rows_affected() != 1 {
                return Ok(Done::Impossible("there is no such hold, or it is lifted already"));
            }
            Ok(Done::with(json!({ "hold_id": id })))
        })
    }
}

impl Store {
    /// Up to `limit` holds on an investor, oldest first, after the id `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn holds(
        &self,
        investor: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        let text = format!(
            "SELECT * FROM legal_hold WHERE investor_id = $1 AND id > $2 ORDER BY id LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text));
        let query = query.bind(investor.to_owned()).bind(after.unwrap_or_default().to_owned());
        query.fetch_all(&self.pool).await?.iter().map(parse).collect()
    }
}

/// The hold on an investor's data that lasts longest, as a reason to refuse its erasure.
pub(super) async fn in_force(
    tx: &mut Transaction<'static, Any>,
    investor: &str,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let text = "SELECT reason, until_date FROM legal_hold WHERE investor_id = $1 AND lifted_at IS NULL AND until_date >= $2 \
                ORDER BY until_date DESC LIMIT 1";
    let query = sqlx::query(text).bind(investor.to_owned()).bind(today(now).to_string());
    let Some(row) = query.fetch_optional(&mut **tx).await? else { return Ok(None) };
    let (reason, until): (String, String) = (row.try_get("reason")?, row.try_get("until_date")?);
    Ok(Some(format!("the investor's data is held until {until}: {reason}")))
}

fn parse(row: &AnyRow) -> Result<Hold, StoreError> {
    let lifted_at: Option<i64> = row.try_get("lifted_at")?;
    let proposed: Option<String> = row.try_get("lift_proposed_by")?;
    let approved: Option<String> = row.try_get("lift_approved_by")?;
    Ok(Hold {
        id: row.try_get("id")?,
        reason: row.try_get("reason")?,
        until: row.try_get("until_date")?,
        placed_at: row.try_get("placed_at")?,
        placed_by: (row.try_get("proposed_by")?, row.try_get("approved_by")?),
        lifted: lifted_at
            .map(|at| (at, proposed.unwrap_or_default(), approved.unwrap_or_default())),
    })
}
