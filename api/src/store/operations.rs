//! Instructions and every state that they were in.

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use sudare_crypto::Text;
use sudare_ledger::custodian::Investor;
use uuid::Uuid;

use super::rows::{claim, same_request};
use super::{Change, Store, StoreError, Written};
use crate::access::Reach;
use crate::flows::{Flow, Order, Request, Standing, State};

const OPERATION: &str = "operation";
/// How many operations are looked at together.
const PAGE: usize = 200;
/// The newest event of an operation up to one.
const NEWEST: &str =
    "e.number = (SELECT MAX(number) FROM event WHERE operation = o.id AND number <= $1)";

/// An instruction as it is kept.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id: 32 hexadecimal digits, a UUID of version 7.
    pub id: String,
    /// What was instructed.
    pub flow: Flow,
    /// The institution that instructed it.
    pub institution: String,
    /// When, in microseconds since the Unix epoch.
    pub instructed_at: i64,
    /// The client that did.
    pub instructed_by: String,
    /// What it asks for.
    pub request: Value,
    /// What the node is told.
    pub order: Order,
    /// Whether it is to be cancelled.
    pub cancel_wanted: bool,
    /// The newest event, or the newest before the moment that a list is of.
    pub newest: Event,
}

/// A change of where an instruction stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its number among all events: they appear in this order.
    pub number: i64,
    /// When it was noted, in microseconds since the Unix epoch.
    pub at: i64,
    /// How many records the node's log had when it was seen.
    pub height: i64,
    /// Where the instruction stands.
    pub standing: Standing,
}

/// What is noted of an operation.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub standing: Standing,
    /// What the node is told from now on, if that is something else.
    pub order: Option<Order>,
}

/// What became of a request to instruct.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Instructed {
    /// It is kept; also if the same request was before.
    Kept(String),
    /// The idempotency key was used for another request.
    OtherRequest,
    /// This side of the trade was instructed before.
    TradeInUse,
}

/// The moment that a list is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pin {
    /// The newest event by then.
    pub event: i64,
    /// The node's height by then.
    pub height: i64,
}

impl Store {
    /// What a client's idempotency key did before.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn done_before(
        &self,
        client: &str,
        (key, request): (&str, &str),
    ) -> Result<Option<Written>, StoreError> {
        let text =
            "SELECT request, kind, id FROM idempotency WHERE client = $1 AND idempotency_key = $2";
        let query = sqlx::query(text).bind(client.to_owned()).bind(key.to_owned());
        let Some(row) = query.fetch_optional(&self.pool).await? else { return Ok(None) };
        same_request(&self.keys, &row, request).map(Some)
    }

    /// Takes the key for a request that does the same however often it is made.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn claim_key(
        &self,
        id: &str,
        change: Change<'_>,
        key: (&str, &str),
    ) -> Result<Option<Written>, StoreError> {
        let mut tx = self.write().await?;
        let before = claim(&mut tx, OPERATION, id, change, key, &self.keys).await?;
        tx.commit().await?;
        Ok(before)
    }

    /// The pseudonym of an investor on the ledger, made of random bits if there is none yet and `make` says so.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn pseudonym(&self, id: &str, make: bool) -> Result<Option<Investor>, StoreError> {
        if make {
            let text = "INSERT INTO ledger_investor (investor_id, pseudonym) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            let made = Uuid::new_v4().simple().to_string();
            sqlx::query(text).bind(id.to_owned()).bind(made).execute(&self.pool).await?;
        }
        let text = "SELECT pseudonym FROM ledger_investor WHERE investor_id = $1";
        let row = sqlx::query(text).bind(id.to_owned()).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let pseudonym = Text::new(row.try_get::<String, _>("pseudonym")?);
        pseudonym.map(Some).map_err(|_| StoreError::Damaged("ledger_investor"))
    }

    /// Keeps an instruction, once for a key of a client: [MST-3]. `height` is the node's.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn instruct(
        &self,
        (flow, request, order): (Flow, &Request, &Order),
        standing: Standing,
        change: Change<'_>,
        height: u64,
        key: (&str, &str),
    ) -> Result<Instructed, StoreError> {
        let mut tx = self.write().await?;
        let id = Uuid::now_v7().simple().to_string();
        match claim(&mut tx, OPERATION, &id, change, key, &self.keys).await? {
            Some(Written::Row(id, _)) => return Ok(Instructed::Kept(id)),
            Some(_) => return Ok(Instructed::OtherRequest),
            None => (),
        }
        if !keep(&mut tx, &id, (flow, request, order), standing, change, height).await? {
            return Ok(Instructed::TradeInUse);
        }
        tx.commit().await?;
        Ok(Instructed::Kept(id))
    }

    /// Wants an operation cancelled: done when it is looked at.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn want_cancelled(&self, id: &str) -> Result<(), StoreError> {
        let text = "UPDATE operation SET cancel_wanted = 1 WHERE id = $1";
        sqlx::query(text).bind(id.to_owned()).execute(&self.pool).await?;
        Ok(())
    }

    /// Up to `limit` operations within reach as they were after each event after the one numbered `after`, in order of events.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn events(
        &self,
        reach: &Reach,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let on = "e.number > $1";
        let order = " ORDER BY e.number";
        self.select(reach, (on, "o.id > $2"), after, "", order, limit).await
    }

    /// Notes where operations stand now, all together.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn note(&self, changes: &[Noted], height: u64, now: i64) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let mut number = next_events(&mut tx, count).await?.saturating_sub(count);
        for Noted { id, standing, order } in changes {
            number = number.saturating_add(1);
            if let Some(order) = order {
                let text = "UPDATE operation SET node_order = $1 WHERE id = $2";
                let query = sqlx::query(text).bind(hex(&order.bytes())).bind(id.clone());
                query.execute(&mut *tx).await?;
            }
            let text = "UPDATE operation SET state = $1, ended = $2 WHERE id = $3";
            sqlx::query(text)
                .bind(standing.state.name())
                .bind(i64::from(standing.state.is_ended()))
                .bind(id.clone())
                .execute(&mut *tx)
                .await?;
            let event =
                Event { number, at: now, height: bigint(height), standing: standing.clone() };
            insert(&mut tx, id, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The operation with this id as it is now, if it is within reach.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn operation(
        &self,
        id: &str,
        reach: &Reach,
    ) -> Result<Option<Operation>, StoreError> {
        let mut rows = self.select(reach, (NEWEST, "o.id = $2"), i64::MAX, id, "", 1).await?;
        Ok(rows.pop())
    }

    /// Up to `limit` operations within reach by id, after the id `after`, as they were at a moment; all, or those that were in
    /// one state.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn operations(
        &self,
        reach: &Reach,
        pin: Pin,
        state: Option<State>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        // Names of states are the program's own words.
        let of_state = state.map(|state| format!(" AND e.state = '{}'", state.name()));
        let which = format!("o.id > $2{}", of_state.unwrap_or_default());
        self.select(reach, (NEWEST, &which), pin.event, after, " ORDER BY o.id", limit).await
    }

    /// Up to `limit` operations that have not ended, by id after `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_operations(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let which = "o.ended = 0 AND o.id > $2";
        self.select(&Reach::All, (NEWEST, which), i64::MAX, after, " ORDER BY o.id", limit).await
    }

    /// Up to `limit` trades that were instructed since a time and refused, and not instructed again since, by id after `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn refused_trades(
        &self,
        since: i64,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let which = format!(
            "o.state = 'refused' AND o.instructed_at >= {since} AND o.trade IS NOT NULL AND o.id > $2 AND NOT EXISTS \
             (SELECT 1 FROM operation n WHERE n.trade = o.trade AND (n.id > o.id OR n.state <> 'refused'))"
        );
        self.select(&Reach::All, (NEWEST, &which), i64::MAX, after, " ORDER BY o.id", limit).await
    }

    /// Up to `limit` operations of an institution that it calls by this reference, those that have not ended first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn operations_called(
        &self,
        institution: &str,
        reference: &str,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let reach = Reach::Owner(institution.to_owned());
        let which = (NEWEST, "o.reference = $2");
        let order = " ORDER BY o.ended, o.id DESC";
        self.select(&reach, which, i64::MAX, reference, order, limit).await
    }

    /// Gives operations that were kept before they had references theirs, if they have not ended.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn name_references(&self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let which = "o.ended = 0 AND o.reference IS NULL AND o.trade IS NOT NULL AND o.id > $2";
            let on = (NEWEST, which);
            let order = " ORDER BY o.id";
            let page = self.select(&Reach::All, on, i64::MAX, &after, order, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for operation in page {
                let Some(reference) = reference(&operation.request, &operation.order) else {
                    continue;
                };
                let text = "UPDATE operation SET reference = $1 WHERE id = $2";
                sqlx::query(text).bind(reference).bind(operation.id).execute(&self.pool).await?;
            }
        }
    }

    /// The moment after an event, or now; none if there was no such event.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn pin(&self, event: Option<i64>) -> Result<Option<Pin>, StoreError> {
        if event == Some(0) {
            return Ok(Some(Pin { event: 0, height: 0 }));
        }
        let text = match event {
            Some(_) => "SELECT number, height FROM event WHERE number = $1",
            None => {
                "SELECT number, height FROM event WHERE number > $1 ORDER BY number DESC LIMIT 1"
            }
        };
        let row = sqlx::query(text).bind(event.unwrap_or(0)).fetch_optional(&self.pool).await?;
        match row {
            Some(row) => {
                Ok(Some(Pin { event: row.try_get("number")?, height: row.try_get("height")? }))
            }
            None if event.is_none() => Ok(Some(Pin { event: 0, height: 0 })),
            None => Ok(None),
        }
    }

    async fn select(
        &self,
        reach: &Reach,
        (on, which): (&str, &str),
        event: i64,
        id: &str,
        order: &str,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let (whose, owner) = match reach {
            Reach::All => ("", None),
            Reach::Owner(owner) => (" AND o.institution = $3", Some(owner.clone())),
            Reach::Nothing | Reach::Isins(_) => return Ok(Vec::new()),
        };
        let text = format!(
            "SELECT o.id, o.flow, o.institution, o.instructed_at, o.instructed_by, o.request, o.node_order, o.cancel_wanted, \
             e.number, e.at, e.height, e.standing FROM operation o JOIN event e ON e.operation = o.id AND {on} WHERE {which}{whose}{order} LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(event).bind(id.to_owned());
        let query = match owner {
            Some(owner) => query.bind(owner),
            None => query,
        };
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(parse).collect()
    }
}

/// How its institution calls a side of a trade: by its own reference, or by the trade's id.
fn reference(asked: &Value, order: &Order) -> Option<String> {
    let side = order.side()?;
    let own = asked.get("own_reference").and_then(|value| value.as_str());
    Some(own.map_or_else(|| side.trade.trade_id.to_string(), str::to_owned))
}

/// Keeps an instruction under an id, unless the same side of its trade was instructed before; whether it is kept.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    id: &str,
    (flow, request, order): (Flow, &Request, &Order),
    standing: Standing,
    change: Change<'_>,
    height: u64,
) -> Result<bool, StoreError> {
    let number = next_events(tx, 1).await?;
    let text = "INSERT INTO operation (id, flow, institution, instructed_at, instructed_by, request, node_order, trade, \
                state, ended, first_event, reference) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11) ON CONFLICT DO NOTHING";
    let asked = request.json(flow);
    let kept = sqlx::query(text)
        .bind(id.to_owned())
        .bind(flow.path())
        .bind(change.institution.to_owned())
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(asked.to_string())
        .bind(hex(&order.bytes()))
        .bind(order.identity())
        .bind(standing.state.name())
        .bind(number)
        .bind(reference(&asked, order))
        .execute(&mut **tx)
        .await?;
    if kept.rows_affected() != 1 {
        return Ok(false);
    }
    let event = Event { number, at: change.now, height: bigint(height), standing };
    insert(tx, id, &event).await?;
    Ok(true)
}

/// Wants an operation cancelled that has not ended; whether it had not.
pub(super) async fn want(tx: &mut Transaction<'_, Any>, id: &str) -> Result<bool, StoreError> {
    let text = "UPDATE operation SET cancel_wanted = 1 WHERE id = $1 AND ended = 0";
    let done = sqlx::query(text).bind(id.to_owned()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// The pseudonym of an investor on the ledger, if it has one.
pub(super) async fn pseudonym_of(
    tx: &mut Transaction<'_, Any>,
    id: &str,
) -> Result<Option<Investor>, StoreError> {
    let text = "SELECT pseudonym FROM ledger_investor WHERE investor_id = $1";
    let row = sqlx::query(text).bind(id.to_owned()).fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(None) };
    let pseudonym = Text::new(row.try_get::<String, _>("pseudonym")?);
    pseudonym.map(Some).map_err(|_| StoreError::Damaged("ledger_investor"))
}

/// Takes the next `count` numbers of events, and says the last of them.
async fn next_events(tx: &mut Transaction<'_, Any>, count: i64) -> Result<i64, StoreError> {
    let text = "UPDATE event_count SET number = number + $1 WHERE one = 1 RETURNING number";
    Ok(sqlx::query(text).bind(count).fetch_one(&mut **tx).await?.try_get("number")?)
}

async fn insert(
    tx: &mut Transaction<'_, Any>,
    operation: &str,
    event: &Event,
) -> Result<(), StoreError> {
    let text = "INSERT INTO event (number, operation, institution, at, height, state, standing) \
                SELECT $1, id, institution, $2, $3, $4, $5 FROM operation WHERE id = $6";
    sqlx::query(text)
        .bind(event.number)
        .bind(event.at)
        .bind(event.height)
        .bind(event.standing.state.name())
        .bind(json!(event.standing).to_string())
        .bind(operation.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn parse(row: &AnyRow) -> Result<Operation, StoreError> {
    const DAMAGED: StoreError = StoreError::Damaged("operation");
    let text = |column: &str| row.try_get::<String, _>(column);
    let flow = Flow::named(&text("flow")?).ok_or(DAMAGED)?;
    let order = bytes(&text("node_order")?).and_then(|bytes| Order::parse(flow, &bytes));
    Ok(Operation {
        id: text("id")?,
        flow,
        institution: text("institution")?,
        instructed_at: row.try_get("instructed_at")?,
        instructed_by: text("instructed_by")?,
        request: serde_json::from_str(&text("request")?).map_err(|_| DAMAGED)?,
        order: order.ok_or(DAMAGED)?,
        cancel_wanted: row.try_get::<i64, _>("cancel_wanted")? != 0,
        newest: Event {
            number: row.try_get("number")?,
            at: row.try_get("at")?,
            height: row.try_get("height")?,
            standing: serde_json::from_str(&text("standing")?)
                .map_err(|_| StoreError::Damaged("event"))?,
        },
    })
}

fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
