//! Reading with keys of each scope, opening together, packets and statements: what a reader, an officer and an auditor pay.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Encoded, Hash, NodeId};
use sudare_disclosure::threshold::{
    CeremonyError, Group, Kind, Officer, OfficerKey, Partial, Party, Plan, Request, Shares, State,
    Subject, combine, conclude,
};
use sudare_disclosure::{DisclosureSecret, Epoch, Field, Fields, KeyPurpose};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::leg::Leg;
use sudare_ledger::packet::{Anchor, Body, Content, Expected, Packet, ShownOutput};
use sudare_ledger::testing::{self, Held, NOW, Network, TestCustodian};
use sudare_ledger::tree::ConsistencyProof;

use super::clock::{Action, float, medians_of, medians_us};
use super::depth::Disclosable;
use super::{Failed, Report, Topic, fixture, statements};

/// Keys with these fields stand in the epoch, by the name of what reading with each costs.
const SCOPES: [(&str, &[Field], &str); 6] = [
    ("scope_all_us", &Field::ALL, "a verified leg read with a key of all fields"),
    ("scope_amounts_us", &[Field::Amounts], "with one of amounts alone"),
    ("scope_parties_us", &[Field::Parties], "of parties alone"),
    ("scope_trade_us", &[Field::Trade], "of trade data alone"),
    ("scope_links_us", &[Field::Links], "of links alone"),
    ("scope_amounts_parties_us", &[Field::Amounts, Field::Parties], "of amounts and parties"),
];

/// Thresholds and officers, with the names of what they cost.
const GROUPS: [(u8, u8, &str); 3] =
    [(2, 3, "combine_2_of_3_us"), (3, 5, "combine_3_of_5_us"), (5, 9, "combine_5_of_9_us")];

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let rounds = if quick { 5 } else { 101 };
    let title = format!(
        "disclosure: a transfer leg, two inputs, two outputs, seven keys; CPU time of one thread, median of {rounds}"
    );
    let mut report = Report::new(Topic::Disclosure, title);
    let scoped = Scoped::new()?;
    add_scopes(&mut report, rounds, &scoped)?;
    add_partials(&mut report, rounds, &scoped)?;
    add_packets(&mut report, rounds)?;
    statements::add(&mut report, rounds)?;
    Ok(report)
}

/// A leg under an epoch with a key of each scope.
struct Scoped {
    leg: Leg,
    epoch: Epoch,
    keys: Vec<DisclosureSecret>,
}

impl Scoped {
    fn new() -> Result<Self, Failed> {
        let (network, mut rng) = (Network::new(), testing::rng(5));
        let mut terms = fixture::terms(&network, 1, &mut rng);
        let asset = terms.asset();
        let mut epoch = fixture::epoch(&terms)?.clone();
        let (mut published, mut keys) = (epoch.keys.to_vec(), Vec::new());
        for (label, list, _) in SCOPES {
            let fields = Fields::of(list).unwrap_or(Fields::ALL);
            published.push(network.key(&network.regulator, asset, 0, fields, label, &mut rng));
            let (network, label) = (network.id, testing::text(label));
            let purpose = KeyPurpose { network, asset, epoch: 0, fields, label };
            keys.push(DisclosureSecret::derive(&Network::new().regulator, &purpose));
        }
        epoch.keys = published.try_into()?;
        terms.policy.epochs = vec![epoch.clone()].try_into()?;
        let (mut payer, mut payee) = (TestCustodian::new(1), TestCustodian::new(2));
        let seed = payer.investor("payer");
        let inputs = [700_000, 600_000].map(|value| Held::forged(asset, &seed, value, &mut rng));
        let proposal = Hash::default();
        let paid = payee.slot(&terms, NOW, "payee", proposal, &mut rng);
        let change = payer.slot(&terms, NOW, "payer", proposal, &mut rng);
        let outputs = vec![(paid, 900_000), (change, 400_000)];
        let draft = testing::leg(&terms, NOW, &inputs, outputs, fixture::trade(), &mut rng)?;
        Ok(Self { leg: draft.built.leg, epoch, keys })
    }

    /// All points that a key with all fields opens of the leg.
    fn points(&self) -> Vec<Encoded> {
        let leg = &self.leg;
        let outputs = leg.outputs.iter().flat_map(|one| [one.ephemeral, one.slot.slot.ephemeral]);
        let inputs = leg.inputs.iter().map(|input| input.ephemeral);
        let sections = leg.sections.iter().map(|section| section.ephemeral);
        outputs.chain(inputs).chain(sections).collect()
    }
}

fn add_scopes(report: &mut Report, rounds: usize, scoped: &Scoped) -> Result<(), Failed> {
    let Scoped { leg, epoch, keys } = scoped;
    let mut readers: Vec<_> =
        keys.iter().map(|key| move || Ok(leg.disclose(epoch, key).map(drop)?)).collect();
    let mut medians = medians_of(rounds, readers.iter_mut().map(|one| one as Action<'_>))?;
    for (key, _, what) in SCOPES {
        report.value(key, medians.next().unwrap_or(f64::NAN), "us", what);
    }
    Ok(())
}

/// A group with everybody's shares.
struct Officers {
    group: Group,
    shares: Vec<Shares>,
}

impl Officers {
    /// Carries out a ceremony of so many officers.
    fn new(threshold: u8, count: u8, rng: &mut ChaCha20Rng) -> Result<Self, Failed> {
        let keys: Vec<OfficerKey> =
            (0..count).map(|number| OfficerKey::new(Seed([number; 32]))).collect();
        let officer = |(number, key): (u8, &OfficerKey)| Officer {
            name: testing::text(&format!("officer {number}")),
            id: key.id(),
        };
        let officers = sudare_crypto::numbered(&keys).map(officer).collect();
        let network = Network::new();
        let subject = Subject {
            network: network.id,
            asset: network.terms("MEASURED", &[NOW], rng).asset(),
            fields: Fields::ALL,
            label: testing::text("officers"),
        };
        let plan = Plan::new(Kind::Generate { subject, epochs: 1 }, threshold, officers, rng)?;
        let mut parties: BTreeMap<NodeId, Party<'_>> = BTreeMap::new();
        for key in &keys {
            let party = Party::new(&plan, key, None, State::new(&plan, rng))?;
            parties.insert(key.id(), party);
        }
        let commits =
            parties.values().map(Party::commit).collect::<Result<Vec<_>, CeremonyError>>()?;
        let mut deals = Vec::new();
        for party in parties.values_mut() {
            deals.extend(party.deal(&commits)?);
        }
        let (mut shares, mut confirms) = (Vec::new(), Vec::new());
        for (id, party) in &parties {
            let own: Vec<_> = deals.iter().filter(|deal| deal.to == Some(*id)).cloned().collect();
            let finished = party.finish(&commits, &own)?;
            shares.push(finished.shares);
            confirms.push(finished.confirm);
        }
        let group = conclude(&plan, &commits, &confirms)?.group.check()?.clone();
        Ok(Self { group, shares })
    }

    fn partials(
        &self,
        request: &Request,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<Partial>, CeremonyError> {
        let enough = self.shares.iter().take(usize::from(self.group.threshold));
        enough.map(|shares| request.answer(&self.group, shares, rng)).collect()
    }
}

fn add_partials(report: &mut Report, rounds: usize, scoped: &Scoped) -> Result<(), Failed> {
    let points = scoped.points();
    report.value("partial_points", count(points.len()), "", "points of the leg that officers open");
    let mut rng = testing::rng(6);
    let mut lanes = Vec::new();
    for (threshold, officers, key) in GROUPS {
        let officers = Officers::new(threshold, officers, &mut rng)?;
        let request = Request::new(&officers.group, 0, scoped.leg.hash(), points.clone())?;
        let partials = officers.partials(&request, &mut rng)?;
        lanes.push((key, officers, request, partials));
    }
    let (_, officers, request, partials) =
        lanes.first().ok_or_else(|| Failed::Wrong("no group".into()))?;
    let one = officers.shares.first().ok_or_else(|| Failed::Wrong("no shares".into()))?;
    let mut made = || {
        request.answer(&officers.group, one, &mut testing::rng(7)).map(drop)?;
        Ok(())
    };
    let mut combined: Vec<_> = lanes
        .iter()
        .map(|(_, officers, request, partials)| {
            move || {
                let opened = combine(&officers.group, request, partials, &mut testing::rng(8));
                opened.map(drop).map_err(|few| Failed::Wrong(few.to_string()))
            }
        })
        .collect();
    let actions = std::iter::once(&mut made as Action<'_>)
        .chain(combined.iter_mut().map(|one| one as Action<'_>));
    let mut medians = medians_of(rounds, actions)?;
    let mut next = || medians.next().unwrap_or(f64::NAN);
    report.value(
        "partial_make_us",
        next(),
        "us",
        "one officer's partial of the leg, with its proof",
    );
    for (key, ..) in &lanes {
        report.value(key, next(), "us", "all partials needed checked and combined");
    }
    let bytes = partials.first().map_or(0, |partial| encode(partial).len());
    report.value("partial_bytes", count(bytes), "B", "one partial");
    Ok(())
}

fn add_packets(report: &mut Report, rounds: usize) -> Result<(), Failed> {
    let Disclosable { terms, settlement, components, secrets, checkpoint, custodian } =
        Disclosable::new()?;
    let make = || -> Result<Packet, Failed> {
        let shown = ShownOutput::of(&settlement, &components, &secrets, true)?;
        let body = Body {
            version: Version,
            custodian: custodian.id(),
            recipient: testing::text("Example Audit"),
            nonce: testing::text("n-1"),
            purpose: testing::text("yearly audit"),
            made_at: NOW,
            core: terms.core.clone(),
            checkpoint: checkpoint.clone(),
            extends: ConsistencyProof::default(),
            content: Content::Transfer(Box::new(shown)),
        };
        Ok(body.sign(&custodian))
    };
    let bytes = Bundle::Packet(Box::new(make()?)).to_bytes();
    let expected = Expected {
        recipient: "Example Audit".to_owned(),
        nonce: "n-1".to_owned(),
        anchor: Anchor::Checkpoint(Box::new(checkpoint.clone())),
    };
    let wrong = |error: &dyn std::fmt::Display| Failed::Wrong(error.to_string());
    let verify = || -> Result<(), Failed> {
        match Bundle::parse(&bytes) {
            Ok(Bundle::Packet(packet)) => packet
                .verify(&expected, &mut testing::rng(6))
                .map(drop)
                .map_err(|error| wrong(&error)),
            Ok(other) => Err(wrong(&other.name())),
            Err(error) => Err(wrong(&error)),
        }
    };
    let [make_us, verify_us] = medians_us(rounds, [&mut || make().map(drop), &mut || verify()])?;
    report.value("packet_make_us", make_us, "us", "a transfer's packet, from its settlement");
    report.value("packet_verify_us", verify_us, "us", "the same parsed and verified");
    report.value("packet_bytes", count(bytes.len()), "B", "its file");
    Ok(())
}

pub(super) fn count(number: usize) -> f64 {
    float(u64::try_from(number).unwrap_or(u64::MAX))
}
