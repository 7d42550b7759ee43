//! Making the demo's assets, accounts and opening positions, as their operators would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use sudare_crypto::encoding::Version;
use sudare_crypto::{Bounded, Hash, NodeId, Text};
use sudare_disclosure::{
    AssetCore, AssetId, AssetTerms, DisclosureSecret, Epoch, Fields, KeyPurpose, Policy,
    SignedTerms,
};
use sudare_ledger::custodian::{
    AccountState, Instruction, Movement, Side, TradeInstruction, TradeState, TradeView,
};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::registrar::{
    ALLOTMENTS_MAX, Allotment, Instruction as RegistrarInstruction, IssueOrder,
};
use sudare_ledger::role::Role;

use super::input::AssetSpec;
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::network::Made;
use crate::operator::{OperatorAnswer, OperatorQuery, kind};
use crate::runtime::Status;

/// The longest window of the demo's assets, ms.
const WINDOW_MAX_MS: u64 = 120_000;
/// How long one step of the demo may take.
const STEP_WITHIN: Duration = Duration::from_secs(300);
/// How long a node that was killed may take until it answers again.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// The nodes of a running network, each with its operator's connection.
#[derive(Debug)]
pub struct Desk {
    connections: BTreeMap<String, Connection>,
    assets: BTreeMap<String, SignedTerms>,
    /// Distinguishes what this desk issues from what others have issued on the same network.
    mark: String,
}

/// An opening position to be issued.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The asset's code.
    pub asset: String,
    /// The investor.
    pub investor: String,
    /// The custodian.
    pub custodian: String,
    /// Atomic units.
    pub quantity: u64,
}

impl Desk {
    /// Opens a connection a node.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a configuration can't be used.
    pub fn open(made: &Made) -> Result<Self, Failure> {
        let mut connections = BTreeMap::new();
        for (member, config) in &made.members {
            let connection = Connection::open(Path::new(config))?.patient(BACK_WITHIN);
            connections.insert(member.name.to_string(), connection);
        }
        let mark = format!("{:08x}", OsRng.next_u32());
        Ok(Self { connections, assets: BTreeMap::new(), mark })
    }

    /// Learns of the assets that the network's registrars have; of several with one code the first by the registrar's name.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn learn(&mut self) -> Result<(), Failure> {
        for connection in self.connections.values() {
            if connection.node.member.role != Role::Registrar {
                continue;
            }
            let OperatorAnswer::Assets(lines) = connection.query(&OperatorQuery::Assets).await?
            else {
                return Err(Failure::Node("the registrar answered something else".into()));
            };
            for line in lines {
                let code = line.terms.terms.core.code.to_string();
                self.assets.entry(code).or_insert(line.terms);
            }
        }
        Ok(())
    }

    /// The code of an asset; none if it is not known here.
    #[must_use]
    pub fn code_of(&self, asset: &AssetId) -> Option<&str> {
        let found = self.assets.iter().find(|(_, signed)| signed.terms.asset() == *asset);
        found.map(|(code, _)| code.as_str())
    }

    /// The connection of a node's operator.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownMember`].
    pub fn node(&self, name: &str) -> Result<&Connection, Failure> {
        self.connections.get(name).ok_or_else(|| Failure::UnknownMember(name.to_owned()))
    }

    /// The names of all nodes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.connections.keys().map(String::as_str)
    }

    /// The key of a node.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownMember`].
    pub fn id(&self, name: &str) -> Result<NodeId, Failure> {
        Ok(self.node(name)?.own())
    }

    /// The terms of an asset.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownAsset`].
    pub fn terms(&self, code: &str) -> Result<&SignedTerms, Failure> {
        self.assets.get(code).ok_or_else(|| Failure::UnknownAsset(code.to_owned()))
    }

    /// All assets by code.
    #[must_use]
    pub const fn assets(&self) -> &BTreeMap<String, SignedTerms> {
        &self.assets
    }

    /// Opens an asset at a registrar, with a regulator's keys for all fields in its policy.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn open_asset(
        &mut self,
        spec: &AssetSpec,
        registrar: &str,
        regulator: &str,
    ) -> Result<(), Failure> {
        let (issuer, authority) = (self.node(registrar)?, self.node(regulator)?);
        let mut nonce = [0; 32];
        OsRng.fill_bytes(&mut nonce);
        let core = AssetCore {
            version: Version,
            network: issuer.node.network,
            code: text(&spec.code)?,
            name: text(&spec.name)?,
            unit: text(&spec.unit)?,
            decimals: spec.decimals,
            registrar: issuer.own(),
            notary: issuer.member("notary")?.id,
            window_max_ms: WINDOW_MAX_MS,
            nonce,
        };
        let terms = terms(core, issuer, authority, regulator)?;
        let signed = terms.sign(issuer.node.identity.key());
        issuer.instruct(&RegistrarInstruction::OpenAsset(Box::new(signed.clone()))).await?;
        self.assets.insert(spec.code.clone(), signed);
        Ok(())
    }

    /// Registers accounts, given as custodian, asset and investor, and waits until the registrars have them.
    ///
    /// # Errors
    ///
    /// [`Failure`], also if one is refused or none answers in time.
    pub async fn add_accounts(&self, accounts: &[(String, String, String)]) -> Result<(), Failure> {
        let mut pairs = BTreeSet::new();
        for (custodian, code, _) in accounts {
            if pairs.insert((custodian, code)) {
                let terms = &self.terms(code)?.terms;
                let (asset, registrar) = (terms.asset(), terms.core.registrar);
                let add = Instruction::AddAsset { asset, registrar };
                self.node(custodian)?.instruct(&add).await?;
            }
        }
        let mut asked = BTreeSet::new();
        for (custodian, code, investor) in accounts {
            let (asset, investor) = (self.terms(code)?.terms.asset(), text(investor)?);
            asked.insert((asset, investor.clone()));
            let add = Instruction::AddAccount { asset, investor };
            self.node(custodian)?.instruct(&add).await?;
        }
        let custodians: BTreeSet<&String> = accounts.iter().map(|(name, _, _)| name).collect();
        let deadline = tokio::time::Instant::now() + STEP_WITHIN;
        for name in custodians {
            loop {
                let mut views = self.node(name)?.accounts().await?;
                // What others have asked for is theirs to wait for.
                views.retain(|view| asked.contains(&(view.asset, view.investor.clone())));
                if views.iter().all(|view| view.state == AccountState::Registered) {
                    break;
                }
                let refused = views.iter().find_map(|view| match view.state {
                    AccountState::Refused(reason) => Some(reason),
                    AccountState::Pending | AccountState::Registered => None,
                });
                if let Some(reason) = refused {
                    return Err(Failure::Refused(reason));
                }
                in_time(deadline, "registering accounts")?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        Ok(())
    }

    /// Issues opening positions in as few legs as can be, and waits until they are settled. `done` is told how many are.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn issue(
        &self,
        openings: &[Opening],
        mut done: impl FnMut(usize),
    ) -> Result<(), Failure> {
        let mut by_asset: BTreeMap<&str, Vec<(usize, &Opening)>> = BTreeMap::new();
        for (number, opening) in openings.iter().enumerate() {
            by_asset.entry(&opening.asset).or_default().push((number, opening));
        }
        let mut waiting = Vec::new();
        for (code, openings) in by_asset {
            let terms = &self.terms(code)?.terms;
            let (asset, registrar) = (terms.asset(), terms.core.registrar);
            let registrar_name = self.name_of(&registrar)?;
            for (batch, openings) in openings.chunks(ALLOTMENTS_MAX).enumerate() {
                let mut allotments = Vec::new();
                for (number, opening) in openings {
                    let trade_id: Text<35> = text(&format!("OPEN-{}-{code}-{number}", self.mark))?;
                    let movement = Movement {
                        asset,
                        investor: text(&opening.investor)?,
                        quantity: opening.quantity,
                    };
                    let mut expected = trade(registrar, Side::Counterparty, &trade_id, 600_000)?;
                    expected.receive = Some(movement);
                    let custodian = self.node(&opening.custodian)?;
                    custodian.instruct(&Instruction::Trade(Box::new(expected))).await?;
                    let (custodian, quantity) = (custodian.own(), opening.quantity);
                    allotments.push(Allotment { trade_id: trade_id.clone(), custodian, quantity });
                    waiting.push((opening.custodian.clone(), trade_id));
                }
                let reference: Text<35> = text(&format!("ISSUE-{}-{code}-{batch}", self.mark))?;
                let order = IssueOrder {
                    reference: reference.clone(),
                    asset,
                    allotments: allotments.try_into()?,
                    trade: TradeInfo {
                        trade_id: reference,
                        kind: text("issue")?,
                        ..TradeInfo::default()
                    },
                };
                let node = self.node(&registrar_name)?;
                node.instruct(&RegistrarInstruction::Issue(Box::new(order))).await?;
            }
        }
        let deadline = tokio::time::Instant::now() + STEP_WITHIN;
        let mut settled = 0;
        for (custodian, trade_id) in waiting {
            loop {
                let views = self.trade(&custodian, &trade_id).await?;
                if views.iter().any(|view| view.state == TradeState::Settled) {
                    break;
                }
                if let Some(reason) = views.iter().find_map(|view| view.reason) {
                    return Err(Failure::Refused(reason));
                }
                in_time(deadline, "issuing opening positions")?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            settled += 1;
            done(settled);
        }
        Ok(())
    }

    /// The trades with an id at a custodian.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn trade(&self, custodian: &str, id: &Text<35>) -> Result<Vec<TradeView>, Failure> {
        match self.node(custodian)?.query(&OperatorQuery::Trade(id.clone())).await? {
            OperatorAnswer::Trades(views) => Ok(views),
            _ => Err(Failure::Node(format!("{custodian} is not a custodian"))),
        }
    }

    /// A node's status.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn status(&self, name: &str) -> Result<Status, Failure> {
        let node = self.node(name)?;
        node.ask(&node.own(), kind::STATUS, &[]).await
    }

    /// The name of a node.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownMember`].
    pub fn name_of(&self, id: &NodeId) -> Result<String, Failure> {
        let found = self.connections.iter().find(|(_, connection)| connection.own() == *id);
        found.map(|(name, _)| name.clone()).ok_or_else(|| Failure::UnknownMember(id.to_string()))
    }
}

/// A trade's instruction without its movements.
///
/// # Errors
///
/// [`Failure::Usage`] never in practice.
pub fn trade(
    counterparty: NodeId,
    side: Side,
    trade_id: &Text<35>,
    valid_ms: u64,
) -> Result<TradeInstruction, Failure> {
    Ok(TradeInstruction {
        counterparty,
        side,
        deliver: None,
        receive: None,
        trade: TradeInfo {
            trade_id: trade_id.clone(),
            kind: text("transfer")?,
            ..TradeInfo::default()
        },
        reference: Text::default(),
        expires_at: now_ms().saturating_add(valid_ms),
        slot_ms: valid_ms,
        window_ms: 30_000,
    })
}

/// Bounded text of the demo's own data.
///
/// # Errors
///
/// [`Failure::Usage`] if it is too long.
pub fn text<const MAX: usize>(value: &str) -> Result<Text<MAX>, Failure> {
    Text::new(value).map_err(|_| Failure::Usage(format!("{value:?} is longer than {MAX} bytes")))
}

fn terms(
    core: AssetCore,
    registrar: &Connection,
    regulator: &Connection,
    label: &str,
) -> Result<AssetTerms, Failure> {
    const EPOCHS: u32 = 12;
    const MONTH_MS: u64 = 30 * 24 * 3_600_000;
    let (network, asset): (Hash, _) = (core.network, core.id());
    let opened = now_ms().saturating_sub(3_600_000);
    let mut epochs = Vec::new();
    for number in 0..EPOCHS {
        let mut keys = Vec::new();
        for (node, label) in [(registrar, "registrar"), (regulator, label)] {
            let label = text(label)?;
            let purpose = KeyPurpose { network, asset, epoch: number, fields: Fields::ALL, label };
            let secret = DisclosureSecret::derive(&node.node.seed, &purpose);
            keys.push(secret.publish(&purpose, &mut OsRng)?);
        }
        let opens_at = opened.saturating_add(MONTH_MS.saturating_mul(number.into()));
        epochs.push(Epoch { number, opens_at, keys: Bounded::new(keys)? });
    }
    let policy = Policy { grace_ms: WINDOW_MAX_MS, epochs: epochs.try_into()? };
    Ok(AssetTerms { core, number: 0, policy })
}

/// Whether a step still has time.
pub(super) fn in_time(deadline: tokio::time::Instant, what: &str) -> Result<(), Failure> {
    if tokio::time::Instant::now() < deadline {
        return Ok(());
    }
    Err(Failure::CheckFailed(format!("{what} took too long; the nodes' logs say why")))
}
