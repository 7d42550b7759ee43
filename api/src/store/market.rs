//! Whether the market is open: two people say so.

use serde_json::json;
use sqlx::{Any, Row as _, Transaction};

use super::{Change, Store, StoreError};
use crate::access::Role;
use crate::approvals::{Deed, Done, Performing, Proposal};
use crate::masters::Field;

/// Opens or closes the market: [MKT-1].
#[derive(Debug)]
pub struct SetMarket {
    /// Whether it opens it.
    pub open: bool,
}

/// Where the market stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MarketState {
    /// Whether it takes instructions.
    pub open: bool,
    /// Since when, in microseconds since the Unix epoch; 0 if it was never opened.
    pub since: i64,
    /// Who approved that.
    pub by: String,
}

impl Deed for SetMarket {
    fn name(&self) -> &'static str {
        if self.open { "open-market" } else { "close-market" }
    }

    fn about(&self) -> &'static str {
        if self.open {
            "lets instructions be taken"
        } else {
            "lets no more instructions be taken; those that were go on"
        }
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Registrar, Role::Custodian, Role::DirectBroker, Role::Operator]
    }

    fn of_the_house(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        _: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let text = "UPDATE market SET open = $1, since = $2, by_client = $3 WHERE one = 1 AND open <> $1";
            let changed = sqlx::query(text)
                .bind(i64::from(self.open))
                .bind(change.now)
                .bind(change.client.to_owned())
                .execute(&mut **tx)
                .await?;
            Ok(match (changed.rows_affected(), self.open) {
                (1, _) => Done::with(json!({ "open": self.open })),
                (_, true) => Done::Impossible("the market is open"),
                (_, false) => Done::Impossible("the market is closed"),
            })
        })
    }
}

impl Store {
    /// Where the market stands.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn market(&self) -> Result<MarketState, StoreError> {
        let text = "SELECT open, since, by_client FROM market WHERE one = 1";
        let row = sqlx::query(text).fetch_one(&self.pool).await?;
        let open: i64 = row.try_get("open")?;
        Ok(MarketState {
            open: open != 0,
            since: row.try_get("since")?,
            by: row.try_get("by_client")?,
        })
    }
}
