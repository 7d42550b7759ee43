//! Ceremonies and openings: what officers rely on, and what others try.

mod attacks;
mod laws;
mod opening;
mod retiring;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use sudare_crypto::derive::Seed;
use sudare_crypto::{Claims, Hash, NodeId, Scalar, Secret, Text};

use super::*;
use crate::{AssetId, Fields};

/// The keys of people, by name.
struct People(BTreeMap<&'static str, OfficerKey>);

impl People {
    fn new(names: &[&'static str]) -> Self {
        let key = |name: &str| OfficerKey::new(Seed(Hash::of(b"test", &[name.as_bytes()]).0));
        Self(names.iter().map(|name| (*name, key(name))).collect())
    }

    fn key(&self, id: &NodeId) -> &OfficerKey {
        self.0.values().find(|key| key.id() == *id).unwrap()
    }

    fn officers(&self, names: &[&'static str]) -> Vec<Officer> {
        let officer =
            |name: &&str| Officer { name: Text::new(*name).unwrap(), id: self.0[*name].id() };
        names.iter().map(officer).collect()
    }
}

/// What one officer holds.
type Held = BTreeMap<NodeId, Shares>;

/// A ceremony under way: all messages, in the order of [`Plan::everybody`].
struct Run<'a> {
    plan: &'a Plan,
    people: &'a People,
    old: &'a Held,
    states: BTreeMap<NodeId, State>,
    commits: Vec<Message>,
    deals: Vec<Message>,
}

impl<'a> Run<'a> {
    fn start(plan: &'a Plan, people: &'a People, old: &'a Held, rng: &mut ChaCha20Rng) -> Self {
        let states = plan.everybody().iter().map(|one| (one.id, State::new(plan, rng))).collect();
        let mut run = Self { plan, people, old, states, commits: vec![], deals: vec![] };
        run.commits =
            plan.everybody().iter().map(|one| run.party(&one.id).commit().unwrap()).collect();
        run
    }

    fn party(&self, id: &NodeId) -> Party<'a> {
        let state = self.states[id].clone();
        Party::new(self.plan, self.people.key(id), self.old.get(id), state).unwrap()
    }

    fn deal(&mut self) {
        for (_, dealer) in self.plan.dealers() {
            let mut party = self.party(&dealer.id);
            self.deals.extend(party.deal(&self.commits).unwrap());
            self.states.insert(dealer.id, party.state().clone());
        }
    }

    fn deals_to(&self, id: &NodeId) -> Vec<Message> {
        self.deals.iter().filter(|message| message.to == Some(*id)).cloned().collect()
    }

    fn finish(&self, id: &NodeId) -> Result<Finished, CeremonyError> {
        self.party(id).finish(&self.commits, &self.deals_to(id))
    }

    /// Everybody finishes, and the ceremony is concluded.
    fn conclude(&self) -> (Concluded, Held) {
        let (mut held, mut confirms) = (Held::new(), vec![]);
        for (_, officer) in self.plan.receivers() {
            let finished = self.finish(&officer.id).unwrap();
            held.insert(officer.id, finished.shares);
            confirms.push(finished.confirm);
        }
        (conclude(self.plan, &self.commits, &confirms).unwrap(), held)
    }
}

fn whole(plan: &Plan, people: &People, old: &Held, rng: &mut ChaCha20Rng) -> (Concluded, Held) {
    let mut run = Run::start(plan, people, old, rng);
    run.deal();
    run.conclude()
}

fn subject() -> Subject {
    Subject {
        network: Hash([1; 32]),
        asset: AssetId(Hash([2; 32])),
        fields: Fields::ALL,
        label: Text::new("regulator").unwrap(),
    }
}

fn generate(threshold: u8, officers: Vec<Officer>, rng: &mut ChaCha20Rng) -> Plan {
    let kind = Kind::Generate { subject: subject(), epochs: 2 };
    Plan::new(kind, threshold, officers, rng).unwrap()
}

fn move_to(
    from: &SignedGroup,
    dealers: &[u8],
    threshold: u8,
    officers: Vec<Officer>,
    rng: &mut ChaCha20Rng,
) -> Result<Plan, CeremonyError> {
    let dealers = dealers.to_vec().try_into().unwrap();
    let kind = Kind::Move { from: Box::new(from.clone()), dealers };
    Plan::new(kind, threshold, officers, rng)
}

/// The secret behind shares, which only a test ever puts together.
fn secret(shares: &[&Shares], epoch: u8) -> Secret {
    let indices: Vec<u8> = shares.iter().map(|one| one.index).collect();
    let mut sum = Secret(Scalar::ZERO);
    for one in shares {
        let weight = feldman::weight(&indices, one.index).unwrap();
        sum.0 += weight * one.share(epoch).unwrap().0;
    }
    sum
}

/// All subsets of a list.
fn subsets<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let mut all = vec![vec![]];
    for item in items {
        let with: Vec<Vec<T>> =
            all.iter().map(|some| [some.clone(), vec![item.clone()]].concat()).collect();
        all.extend(with);
    }
    all
}

fn accepts(keys: &[crate::DisclosureKey], rng: &mut impl CryptoRngCore) -> bool {
    let mut claims = Claims::new();
    for (epoch, key) in sudare_crypto::numbered(keys) {
        let subject = subject();
        key.claim(subject.network, subject.asset, u32::from(epoch), &mut claims).unwrap();
    }
    claims.accept(rng).is_ok()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

const OLD: [&str; 3] = ["Aoki", "Baba", "Chiba"];
const NEW: [&str; 5] = ["Doi", "Baba", "Endo", "Fuji", "Goto"];

fn people() -> People {
    People::new(&[OLD.as_slice(), NEW.as_slice()].concat())
}
