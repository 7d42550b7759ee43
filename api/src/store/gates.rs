//! What instructions must pass: the investor's status and class, the product's status and whether its units may move.

use serde_json::json;
use sqlx::{Any, Row as _, Transaction};

use super::deeds::{member, replace_guarded};
use super::{Change, Store, StoreError};
use crate::access::Role;
use crate::approvals::{Deed, Done, Performing, Proposal};
use crate::flows::Flow;
use crate::masters::{Field, Form, Kind, Values};

/// Stops a product's units from moving, or lets them move again: [GAT-2].
#[derive(Debug)]
pub struct PermitTransfers;

const PERMIT: &[Field] = &[
    Field::needs(
        "beneficial_interest_id",
        Form::Reference(Kind::BeneficialInterest),
        "the product",
    ),
    Field::needs("transfers", Form::Choice(&["permitted", "stopped"]), "whether units may move"),
];

impl Deed for PermitTransfers {
    fn name(&self) -> &'static str {
        "permit-transfers"
    }

    fn about(&self) -> &'static str {
        "stops a product's units from moving, or lets them move again"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Registrar, Role::Custodian, Role::DirectBroker]
    }

    fn of_the_house(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        PERMIT
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let transfers = member(&proposal.request, "transfers");
            let replaced = replace_guarded(tx, proposal, ("transfers", Some(transfers)), change);
            let row = match replaced.await? {
                Ok(row) => row,
                Err(why) => return Ok(Done::Impossible(why)),
            };
            let text = "INSERT INTO asset_gate (isin, open, told) VALUES ($1, $2, 0) \
                        ON CONFLICT (isin) DO UPDATE SET open = excluded.open, told = 0";
            sqlx::query(text)
                .bind(row.values.get("isin").cloned().unwrap_or_default())
                .bind(i64::from(transfers == "permitted"))
                .execute(&mut **tx)
                .await?;
            Ok(Done::with(json!({
                "beneficial_interest_id": row.id, "version": row.version.saturating_add(1),
            })))
        })
    }
}

/// What a registrar's node has yet to be told of an asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gate {
    /// The asset's code.
    pub isin: String,
    /// Whether it is to take legs.
    pub open: bool,
}

impl Store {
    /// [GAT-2]: why an asset's units can't move in this way, by the products of the house with its code; nothing if they can.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn product_gate(
        &self,
        isin: &str,
        house: &str,
        flow: Flow,
    ) -> Result<Option<&'static str>, StoreError> {
        let text =
            "SELECT status, transfers FROM beneficial_interest WHERE isin = $1 AND owner = $2";
        let query = sqlx::query(text).bind(isin.to_owned()).bind(house.to_owned());
        for row in query.fetch_all(&self.pool).await? {
            let status: String = row.try_get("status")?;
            let transfers: Option<String> = row.try_get("transfers")?;
            let closed = match (status.as_str(), flow) {
                (_, Flow::Account) => None,
                _ if transfers.as_deref() == Some("stopped") => {
                    Some("transfers of the product are stopped")
                }
                ("issued", _) | ("preparing", Flow::Receipt | Flow::Issue) => None,
                ("preparing", _) => {
                    Some("the product is being prepared: it can be issued and received alone")
                }
                _ => Some("the product is redeemed or cancelled"),
            };
            if closed.is_some() {
                return Ok(closed);
            }
        }
        Ok(None)
    }

    /// What the registrar's node has yet to be told.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn untold_gates(&self) -> Result<Vec<Gate>, StoreError> {
        let rows = sqlx::query("SELECT isin, open FROM asset_gate WHERE told = 0 ORDER BY isin");
        let rows = rows.fetch_all(&self.pool).await?;
        let gate = |row: &sqlx::any::AnyRow| {
            let open: i64 = row.try_get("open")?;
            Ok(Gate { isin: row.try_get("isin")?, open: open != 0 })
        };
        rows.iter().map(gate).collect()
    }

    /// The node was told this, unless something else is to be told by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn told(&self, gate: &Gate) -> Result<(), StoreError> {
        sqlx::query("UPDATE asset_gate SET told = 1 WHERE isin = $1 AND open = $2")
            .bind(gate.isin.clone())
            .bind(i64::from(gate.open))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// [GAT-1]: why nothing may be instructed for an investor; nothing if it may.
#[must_use]
pub fn investor_gate(values: &Values) -> Option<&'static str> {
    let is = |field: &str, value: &str| values.get(field).is_some_and(|held| held == value);
    if !is("status", "active") {
        return Some("the investor's status is not `active`");
    }
    is("aml_class", "prohibited").then_some("the investor's class is `prohibited`")
}
