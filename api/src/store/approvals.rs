//! Proposals of what two people do: made once, decided once, done with the decision.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use uuid::Uuid;

use super::rows::claim;
use super::{Change, Store, StoreError, Written};
use crate::approvals::{
    Decision, Deed, Done, OPEN_FOR_US, Person, Prepared, Proposal, State, hash,
};

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// It stands; with a secret for him who approved, if he did so now.
    Now(Box<Proposal>, Option<String>),
    /// The idempotency key was used for another request.
    OtherRequest,
    /// There is no such proposal.
    Absent,
    /// It is another proposal than the one that was read.
    OtherHash,
    /// It was decided before, or is too old.
    Over,
    /// The person is not the one who may.
    Person,
    /// What it says can't be done now.
    Impossible(&'static str),
    /// The same for a reason that isn't the program's own words.
    Refused(String),
}

/// Whose proposals of which deeds: [AUT-3].
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// Their institution.
    pub institution: &'a str,
    /// The names of their deeds.
    pub deeds: &'a [&'static str],
}

impl Store {
    /// Keeps a proposal, once for a key of a client. The code is told only now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn propose(
        &self,
        deed: &str,
        prepared: Prepared,
        person: &Person,
        change: Change<'_>,
        key: (&str, &str),
    ) -> Result<(Written, Option<String>), StoreError> {
        let mut tx = self.write().await?;
        let id = Uuid::now_v7().simple().to_string();
        if let Some(before) = claim(&mut tx, "approval", &id, change, key, &self.keys).await? {
            return Ok((before, None));
        }
        let hash = hash(&id, change.institution, deed, &prepared.request);
        let text = "INSERT INTO approval (id, institution, deed, request, request_hash, state, proposed_at, proposed_by, \
                    proposed_with, expires_at) VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9)";
        sqlx::query(text)
            .bind(id.clone())
            .bind(change.institution.to_owned())
            .bind(deed.to_owned())
            .bind(prepared.request.to_string())
            .bind(hash)
            .bind(change.now)
            .bind(person.name.clone())
            .bind(person.certificate.clone())
            .bind(change.now.saturating_add(OPEN_FOR_US))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((Written::Row(id, 1), prepared.code))
    }

    /// A proposal, as it stands now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn proposal(
        &self,
        id: &str,
        within: Within<'_>,
        now: i64,
    ) -> Result<Option<Proposal>, StoreError> {
        let query = sqlx::query(AssertSqlSafe(select(within, "id = $1")));
        let row = query.bind(id.to_owned()).bind(within.institution.to_owned());
        let row = row.fetch_optional(&self.pool).await?;
        row.map(|row| parse(&row, now)).transpose()
    }

    /// Up to `limit` proposals by id, after the id `after`; all, or those of one state.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn proposals(
        &self,
        within: Within<'_>,
        state: Option<State>,
        after: Option<&str>,
        limit: usize,
        now: i64,
    ) -> Result<Vec<Proposal>, StoreError> {
        // Expired is what is kept as open; the time decides.
        let of_state = match state {
            None => "",
            Some(State::Open) => " AND state = 'open' AND expires_at > $3",
            Some(State::Expired) => " AND state = 'open' AND expires_at <= $3",
            Some(State::Done) => " AND state = 'done'",
            Some(State::Refused) => " AND state = 'refused'",
            Some(State::Withdrawn) => " AND state = 'withdrawn'",
        };
        let text = select(within, "id > $1");
        let text = format!("{text}{of_state} ORDER BY id LIMIT {limit}");
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(after.unwrap_or_default().to_owned())
            .bind(within.institution.to_owned());
        if matches!(state, Some(State::Open | State::Expired)) {
            query = query.bind(now);
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| parse(row, now)).collect()
    }

    /// Decides a proposal and, if it is approved, does it: [DUO-1], [DUO-2]. `key` is the idempotency key with its request.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn decide(
        &self,
        (id, hash): (&str, &str),
        (decision, deed): (Decision, &dyn Deed),
        person: &Person,
        change: Change<'_>,
        key: (&str, &str),
    ) -> Result<Decided, StoreError> {
        let within = Within { institution: change.institution, deeds: &[deed.name()] };
        let mut tx = self.write().await?;
        let before = claim(&mut tx, "approval", id, change, key, &self.keys).await?;
        let Some(proposal) = find(&mut tx, id, within, change.now).await? else {
            return Ok(Decided::Absent);
        };
        match before {
            Some(Written::Row(..)) => return Ok(Decided::Now(Box::new(proposal), None)),
            Some(_) => return Ok(Decided::OtherRequest),
            None => (),
        }
        let own = proposal.proposed_by.name == person.name;
        let may = match decision {
            Decision::Approve | Decision::Refuse => !person.may_be(&proposal.proposed_by),
            Decision::Withdraw => own,
        };
        if proposal.hash != hash {
            return Ok(Decided::OtherHash);
        }
        if proposal.state != State::Open {
            return Ok(Decided::Over);
        }
        if !may {
            return Ok(Decided::Person);
        }
        let state = match decision {
            Decision::Approve => State::Done,
            Decision::Refuse => State::Refused,
            Decision::Withdraw => State::Withdrawn,
        };
        if !close(&mut tx, &proposal, state, person, change.now).await? {
            // Somebody else was faster.
            return Ok(Decided::Over);
        }
        let mut code = None;
        if decision == Decision::Approve {
            match deed.perform(&mut tx, &proposal, change).await? {
                Done::Impossible(why) => return Ok(Decided::Impossible(why)),
                Done::Refused(why) => return Ok(Decided::Refused(why)),
                Done::Done { result, code: told } => {
                    code = told;
                    let text = "UPDATE approval SET result = $1 WHERE id = $2";
                    let query = sqlx::query(text).bind(result.to_string()).bind(id.to_owned());
                    query.execute(&mut *tx).await?;
                }
            }
        }
        let Some(now) = find(&mut tx, id, within, change.now).await? else {
            return Err(StoreError::Damaged("approval"));
        };
        tx.commit().await?;
        Ok(Decided::Now(Box::new(now), code))
    }
}

/// Takes the proposal out of those that are open; false if it isn't there.
async fn close(
    tx: &mut Transaction<'_, Any>,
    proposal: &Proposal,
    state: State,
    person: &Person,
    now: i64,
) -> Result<bool, StoreError> {
    let text = "UPDATE approval SET state = $1, decided_at = $2, decided_by = $3, decided_with = $4 \
                WHERE id = $5 AND state = 'open'";
    let closed = sqlx::query(text)
        .bind(state.name())
        .bind(now)
        .bind(person.name.clone())
        .bind(person.certificate.clone())
        .bind(proposal.id.clone())
        .execute(&mut **tx)
        .await?;
    Ok(closed.rows_affected() == 1)
}

async fn find(
    tx: &mut Transaction<'_, Any>,
    id: &str,
    within: Within<'_>,
    now: i64,
) -> Result<Option<Proposal>, StoreError> {
    let query = sqlx::query(AssertSqlSafe(select(within, "id = $1")));
    let row = query.bind(id.to_owned()).bind(within.institution.to_owned());
    let row = row.fetch_optional(&mut **tx).await?;
    row.map(|row| parse(&row, now)).transpose()
}

/// Names of deeds are the program's own words, so they stand in the text.
fn select(within: Within<'_>, which: &str) -> String {
    let deeds: Vec<String> = within.deeds.iter().map(|deed| format!("'{deed}'")).collect();
    let deeds = if deeds.is_empty() { "''".to_owned() } else { deeds.join(", ") };
    format!("SELECT * FROM approval WHERE {which} AND institution = $2 AND deed IN ({deeds})")
}

fn parse(row: &AnyRow, now: i64) -> Result<Proposal, StoreError> {
    const DAMAGED: StoreError = StoreError::Damaged("approval");
    let json = |text: String| serde_json::from_str::<Value>(&text).map_err(|_| DAMAGED);
    let state = State::named(&row.try_get::<String, _>("state")?).ok_or(DAMAGED)?;
    let expires_at: i64 = row.try_get("expires_at")?;
    let late = state == State::Open && expires_at <= now;
    let decided_at: Option<i64> = row.try_get("decided_at")?;
    let decided_by: Option<String> = row.try_get("decided_by")?;
    let decided_with: Option<String> = row.try_get("decided_with")?;
    let decided = match (decided_at, decided_by, decided_with) {
        (Some(at), Some(name), Some(certificate)) => Some((at, Person { name, certificate })),
        _ => None,
    };
    Ok(Proposal {
        id: row.try_get("id")?,
        institution: row.try_get("institution")?,
        deed: row.try_get("deed")?,
        request: json(row.try_get("request")?)?,
        hash: row.try_get("request_hash")?,
        state: if late { State::Expired } else { state },
        proposed_at: row.try_get("proposed_at")?,
        proposed_by: Person {
            name: row.try_get("proposed_by")?,
            certificate: row.try_get("proposed_with")?,
        },
        expires_at,
        decided,
        result: row.try_get::<Option<String>, _>("result")?.map(json).transpose()?,
    })
}
