//! A network whose nodes are processes, but for those that a test plays itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sudare::cli::connect::Connection;
use sudare::clock::now_ms;
use sudare::config::Loaded;
use sudare::demo::input::{AssetKind, AssetSpec};
use sudare::demo::setup::{Desk, Opening, text, trade};
use sudare::membership::{Member, MemberName};
use sudare::network::{Made, Planned, init};
use sudare::operator::kind;
use sudare::runtime::Status;
use sudare_ledger::custodian::{Instruction, Movement, Side, TradeInstruction, TradeState};
use sudare_ledger::messages::Reason;
use sudare_ledger::role::Role;

use super::{Place, Started, eventually_async};

/// For how long instructions of tests are valid, ms.
const VALID_MS: u64 = 600_000;
/// How long a node that is just being started is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network and the processes of its nodes.
#[derive(Debug)]
pub struct Network {
    /// Where it lies, in the folder `net`.
    pub place: Place,
    made: Made,
    nodes: BTreeMap<String, Started>,
}

impl Network {
    /// Makes keys, certificates and configurations; nothing runs yet.
    pub fn make(members: &[(&str, Role)]) -> Self {
        let place = Place::default();
        let planned = |(name, role): &(&str, Role)| Planned {
            name: MemberName::new(name).unwrap(),
            role: *role,
            address: None,
        };
        let plan: Vec<Planned> = members.iter().map(planned).collect();
        let made = init(&place.join("net"), &plan, now_ms()).unwrap();
        Self { place, made, nodes: BTreeMap::new() }
    }

    /// The configuration file of a node.
    pub fn config(&self, name: &str) -> PathBuf {
        self.place.join("net").join(name).join("node.toml")
    }

    /// The folder of a node's log and index.
    pub fn data(&self, name: &str) -> PathBuf {
        self.place.join("net").join(name).join("data")
    }

    /// The configuration of a node with all that it names, for a node that the test plays.
    pub fn loaded(&self, name: &str) -> Loaded {
        Loaded::open(&self.config(name)).unwrap()
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.made.members.iter().map(|(member, _)| member)
    }

    /// The member with this name.
    pub fn member(&self, name: &str) -> &Member {
        self.members().find(|member| member.name.as_str() == name).unwrap()
    }

    /// Starts nodes as processes and waits until they answer.
    pub async fn run(&mut self, names: &[&str]) {
        for name in names {
            let config = self.config(name);
            let node =
                self.place.start([Path::new("node"), Path::new("run"), "-c".as_ref(), &config]);
            self.nodes.insert((*name).to_owned(), node);
        }
        for name in names {
            self.status(name).await;
        }
    }

    /// Stops a node's process and waits for its end.
    pub fn stop(&mut self, name: &str) {
        let node = self.nodes.remove(name).unwrap();
        node.signal(Signal::TERM);
        let _ = node.ended().well();
    }

    /// Kills a node's process, as a crash would.
    pub fn kill(&mut self, name: &str) {
        let node = self.nodes.remove(name).unwrap();
        node.signal(Signal::KILL);
        let _ = node.ended();
    }

    /// What a running node's process has written so far.
    pub fn said(&self, name: &str) -> String {
        self.nodes[name].said_so_far()
    }

    /// The status of a node, when it answers.
    pub async fn status(&self, name: &str) -> Status {
        let connection = Connection::open(&self.config(name)).unwrap().patient(PATIENCE);
        connection.ask(&connection.own(), kind::STATUS, &[]).await.unwrap()
    }

    /// How many records each node's log has.
    pub async fn heights(&self) -> BTreeMap<String, u64> {
        let mut heights = BTreeMap::new();
        for name in self.nodes.keys() {
            heights.insert(name.clone(), self.status(name).await.height);
        }
        heights
    }

    /// The heights once nothing happens any more.
    pub async fn quiet(&self) -> BTreeMap<String, u64> {
        let mut before = BTreeMap::new();
        for _ in 0..200 {
            let now = self.heights().await;
            if now == before {
                return now;
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        panic!("the network does not come to rest: {before:?}");
    }

    /// Connections of all operators.
    pub fn desk(&self) -> Desk {
        Desk::open(&self.made).unwrap()
    }
}

/// An asset that is called `code` in every way.
pub fn asset(code: &str, kind: AssetKind) -> AssetSpec {
    let (code, name, unit) = (code.to_owned(), format!("{code} by name"), format!("{code} u"));
    AssetSpec { code, name, unit, decimals: 0, kind }
}

/// A holding of an investor at a custodian.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The custodian.
    pub custodian: &'a str,
    /// The investor.
    pub investor: &'a str,
}

/// One leg of a trade: the holder's asset and quantity.
#[derive(Clone, Copy, Debug)]
pub struct Leg<'a> {
    /// The asset's code.
    pub code: &'a str,
    /// Atomic units.
    pub quantity: u64,
}

/// The code of the asset of [`sold`].
pub const SOLD: &str = "ZZ0000SOLD11";

/// A network of a notary, a registrar, two custodians and a regulator, in which INV-1 of custodian-a was issued 1000 units and
/// delivered 10 of them to INV-2 of custodian-b.
pub async fn sold(trade: &str) -> (Network, Desk) {
    let members = [
        ("notary", Role::Notary),
        ("registrar", Role::Registrar),
        ("custodian-a", Role::Custodian),
        ("custodian-b", Role::Custodian),
        ("regulator", Role::Regulator),
    ];
    let mut network = Network::make(&members);
    network.run(&members.map(|(name, _)| name)).await;
    let mut desk = network.desk();
    let security = asset(SOLD, AssetKind::Security);
    desk.open_asset(&security, "registrar", "regulator").await.unwrap();
    let seller = Holder { custodian: "custodian-a", investor: "INV-1" };
    let buyer = Holder { custodian: "custodian-b", investor: "INV-2" };
    let opening = (seller, Leg { code: SOLD, quantity: 1_000 });
    open(&desk, &[opening], &[(buyer, SOLD)]).await;
    let leg = Leg { code: SOLD, quantity: 10 };
    assert_eq!(deal(&desk, trade, seller, buyer, leg, None).await, Ok(()));
    (network, desk)
}

/// Registers accounts and issues positions.
pub async fn open(
    desk: &Desk,
    openings: &[(Holder<'_>, Leg<'_>)],
    accounts: &[(Holder<'_>, &str)],
) {
    let mut all: Vec<(String, String, String)> = Vec::new();
    let opened = openings.iter().map(|(holder, leg)| (holder, leg.code));
    for (holder, code) in opened.chain(accounts.iter().map(|(holder, code)| (holder, *code))) {
        let account = (holder.custodian.to_owned(), code.to_owned(), holder.investor.to_owned());
        if !all.contains(&account) {
            all.push(account);
        }
    }
    desk.add_accounts(&all).await.unwrap();
    let openings: Vec<Opening> = openings
        .iter()
        .map(|(holder, leg)| Opening {
            asset: leg.code.to_owned(),
            investor: holder.investor.to_owned(),
            custodian: holder.custodian.to_owned(),
            quantity: leg.quantity,
        })
        .collect();
    desk.issue(&openings, |_| ()).await.unwrap();
}

/// Carries out a transfer, or with `payment` a delivery versus payment, and waits until both sides have ended.
///
/// # Errors
///
/// The initiator's reason.
pub async fn deal(
    desk: &Desk,
    id: &str,
    from: Holder<'_>,
    to: Holder<'_>,
    delivery: Leg<'_>,
    payment: Option<Leg<'_>>,
) -> Result<(), Reason> {
    let movement = |leg: Leg<'_>, holder: Holder<'_>| Movement {
        asset: desk.terms(leg.code).unwrap().terms.asset(),
        investor: text(holder.investor).unwrap(),
        quantity: leg.quantity,
    };
    let side = |other: &str, side: Side| {
        let mut instruction =
            trade(desk.id(other).unwrap(), side, &text(id).unwrap(), VALID_MS).unwrap();
        instruction.trade.delivery_date = text("2031-07-19").unwrap();
        instruction
    };
    let mut waits = side(from.custodian, Side::Counterparty);
    waits.receive = Some(movement(delivery, to));
    waits.deliver = payment.map(|leg| movement(leg, to));
    let mut proposes = side(to.custodian, Side::Initiator);
    proposes.deliver = Some(movement(delivery, from));
    proposes.receive = payment.map(|leg| movement(leg, from));
    instruct(desk, to.custodian, waits).await;
    instruct(desk, from.custodian, proposes).await;
    let result = ended(desk, from.custodian, id, true).await;
    let other = ended(desk, to.custodian, id, false).await;
    assert_eq!(result.is_ok(), other.is_ok(), "{id}: {result:?} here, {other:?} there");
    result
}

/// Gives units back to the registrar, and waits until that has ended.
///
/// # Errors
///
/// The reason.
pub async fn redeem(desk: &Desk, id: &str, from: Holder<'_>, leg: Leg<'_>) -> Result<(), Reason> {
    let terms = &desk.terms(leg.code).unwrap().terms;
    let (asset, registrar) = (terms.asset(), terms.core.registrar);
    let allow = sudare_ledger::registrar::Instruction::AllowRedemption {
        trade_id: text(id).unwrap(),
        asset,
        custodian: desk.id(from.custodian).unwrap(),
        quantity: leg.quantity,
    };
    let name = desk.name_of(&registrar).unwrap();
    desk.node(&name).unwrap().instruct(&allow).await.unwrap();
    let mut instruction = trade(registrar, Side::Redeemer, &text(id).unwrap(), VALID_MS).unwrap();
    let (investor, quantity) = (text(from.investor).unwrap(), leg.quantity);
    instruction.deliver = Some(Movement { asset, investor, quantity });
    instruct(desk, from.custodian, instruction).await;
    ended(desk, from.custodian, id, true).await
}

async fn instruct(desk: &Desk, custodian: &str, instruction: TradeInstruction) {
    let instruction = Instruction::Trade(Box::new(instruction));
    desk.node(custodian).unwrap().instruct(&instruction).await.unwrap();
}

async fn ended(desk: &Desk, custodian: &str, id: &str, initiates: bool) -> Result<(), Reason> {
    let id = text(id).unwrap();
    eventually_async("a trade ends", || async {
        let views = desk.trade(custodian, &id).await.unwrap();
        let view = views.iter().find(|one| (one.side != Side::Counterparty) == initiates)?;
        match view.state {
            TradeState::Settled => Some(Ok(())),
            TradeState::Refused => Some(Err(view.reason.unwrap())),
            _ => None,
        }
    })
    .await
}
