//! Keys that enough officers retire together.

use super::*;
use crate::Retirement;

/// A group of two of three with what is retired, and the officers' states.
struct Case {
    people: People,
    group: Group,
    before: Vec<crate::DisclosureKey>,
    held: Held,
    retiring: Retiring,
    states: BTreeMap<NodeId, RetireState>,
}

impl Case {
    fn new() -> Self {
        let (mut rng, people) = (rng(), people());
        let plan = generate(2, people.officers(&OLD), &mut rng);
        let (concluded, held) = whole(&plan, &people, &Held::new(), &mut rng);
        let group = concluded.group.check().unwrap().clone();
        let retiring = Retiring::new(&group, Retirement::Compromised, 1).unwrap();
        let states = held.keys().map(|id| (*id, RetireState::new(retiring, &mut rng))).collect();
        Self { people, group, before: concluded.keys, held, retiring, states }
    }

    fn officer(&self, name: &'static str) -> Retirer<'_> {
        let key = &self.people.0[name];
        let state = self.states[&key.id()].clone();
        Retirer::new(&self.group, key, &self.held[&key.id()], state).unwrap()
    }

    fn commits(&self, names: &[&'static str]) -> Vec<RetireMessage> {
        names.iter().map(|name| self.officer(name).commit().unwrap()).collect()
    }

    fn parts(&self, names: &[&'static str]) -> Vec<RetireMessage> {
        let commits = self.commits(names);
        let part = |name: &&'static str| self.officer(name).sign(self.retiring, &commits).unwrap();
        names.iter().map(part).collect()
    }
}

fn named(name: &str) -> Text<32> {
    Text::new(name).unwrap()
}

#[test]
fn any_who_are_enough_retire_keys_and_fewer_do_not() {
    let case = Case::new();
    for signers in subsets(&OLD) {
        let commits = case.commits(&signers);
        if signers.len() < 2 {
            let given = signers.len();
            let few = retire(&case.group, case.retiring, &commits, &[]).unwrap_err();
            assert_eq!(few, CeremonyError::TooFewSigners { given, needed: 2 });
            continue;
        }
        let keys = retire(&case.group, case.retiring, &commits, &case.parts(&signers)).unwrap();
        let [(1, key)] = keys.as_slice() else { panic!("the second epoch's alone: {keys:?}") };
        assert_eq!(key.retirement(), Some(Retirement::Compromised));
        assert!(key.retires(&case.before[1]) && !key.retires(&case.before[0]));
        let mut claims = Claims::new();
        key.claim(subject().network, subject().asset, 1, &mut claims).unwrap();
        assert_eq!(claims.accept(&mut rng()), Ok(()));
        // The proof is for this mark and epoch.
        for (epoch, label) in [(0, "!regulator"), (1, "-regulator"), (1, "regulator")] {
            let (mut claims, label) = (Claims::new(), named(label));
            let other = crate::DisclosureKey { label, ..key.clone() };
            other.claim(subject().network, subject().asset, epoch, &mut claims).unwrap();
            assert!(claims.accept(&mut rng()).is_err());
        }
    }
}

#[test]
fn an_officer_signs_for_one_set_of_commitments_only() {
    let case = Case::new();
    let mut aoki = case.officer("Aoki");
    let first = aoki.sign(case.retiring, &case.commits(&["Aoki", "Baba"])).unwrap();
    let again = aoki.sign(case.retiring, &case.commits(&["Baba", "Aoki"])).unwrap();
    assert_eq!(first.signed_bytes(), again.signed_bytes(), "the same again in any order");
    let others = aoki.sign(case.retiring, &case.commits(&["Aoki", "Chiba"])).unwrap_err();
    assert_eq!(others, CeremonyError::AlreadySigned);
    let unasked = case.officer("Chiba").sign(case.retiring, &case.commits(&["Aoki", "Baba"]));
    assert_eq!(unasked.unwrap_err(), CeremonyError::NotOwnCommit);
}

#[test]
fn who_is_at_fault_is_named() {
    let case = Case::new();
    let (commits, parts) = (case.commits(&OLD), case.parts(&OLD));
    let end = |commits: &[RetireMessage], parts: &[RetireMessage]| {
        retire(&case.group, case.retiring, commits, parts).unwrap_err()
    };
    let late = end(&commits, &parts[..2]);
    assert_eq!(late, CeremonyError::Missing { step: "retire-sign", names: "Chiba".into() });
    // A part for other commitments.
    let two = case.parts(&["Aoki", "Baba"]);
    let mixed = [two[0].clone(), parts[1].clone(), parts[2].clone()];
    assert_eq!(end(&commits, &mixed), CeremonyError::Different(named("Aoki")));
    let twice = [commits[0].clone(), commits[0].clone()];
    assert_eq!(end(&twice, &parts), CeremonyError::Twice(named("Aoki")));
    assert!(matches!(end(&parts, &parts), CeremonyError::WrongStep { .. }));
    // A false part that its officer signed.
    let mut wrong = parts.clone();
    wrong[1] = parts[1].with_false_response(&case.people.0["Baba"]);
    assert_eq!(
        end(&commits, &wrong),
        CeremonyError::FalseResponse { from: named("Baba"), epoch: 1 }
    );
    let mut changed = parts.clone();
    changed[2].from = commits[0].from;
    assert_eq!(end(&commits, &changed), CeremonyError::Signature(named("Aoki")));
}

#[test]
fn officers_agree_on_what_they_retire() {
    let case = Case::new();
    let last = CeremonyError::NothingToRetire { last: 1 };
    assert_eq!(Retiring::new(&case.group, Retirement::Ended, 2), Err(last));
    let other = Retiring::new(&case.group, Retirement::Ended, 1).unwrap();
    let state = RetireState::new(other, &mut rng());
    let id = case.people.0["Baba"].id();
    let baba = Retirer::new(&case.group, &case.people.0["Baba"], &case.held[&id], state).unwrap();
    let commits = [case.officer("Aoki").commit().unwrap(), baba.commit().unwrap()];
    let error = case.officer("Aoki").sign(case.retiring, &commits).unwrap_err();
    assert_eq!(error, CeremonyError::OtherRetirement(id));
    let wrong = case.officer("Aoki").sign(other, &commits).unwrap_err();
    assert_eq!(wrong, CeremonyError::OtherState);
}
