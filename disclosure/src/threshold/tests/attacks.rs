//! Dealers that cheat, strangers, files out of place.

use sudare_crypto::Encoded;
use sudare_crypto::encoding::{decode, encode};

use super::super::message::{Commit, Confirm, Deal, Polynomial};
use super::super::sealed;
use super::*;

/// Signs what a cheating officer says.
fn says(run: &Run<'_>, from: &NodeId, to: Option<NodeId>, body: Body) -> Message {
    Message::new(run.plan, run.people.key(from), to, body)
}

fn commit_of(message: &Message) -> Commit {
    let Body::Commit(commit) = &message.body else { panic!("a commit") };
    commit.clone()
}

/// What honest officers say when the first officer's commitments are changed.
fn with_changed_commit(
    run: &mut Run<'_>,
    change: impl FnOnce(&mut Vec<Polynomial>),
) -> CeremonyError {
    let cheat = run.commits[0].from;
    let mut commit = commit_of(&run.commits[0]);
    let mut polynomials = commit.polynomials.to_vec();
    change(&mut polynomials);
    commit.polynomials = polynomials.try_into().unwrap();
    run.commits[0] = says(run, &cheat, None, Body::Commit(commit));
    let (_, honest) = run.plan.dealers()[1];
    run.party(&honest.id).deal(&run.commits).unwrap_err()
}

fn moving(people: &People, rng: &mut ChaCha20Rng) -> (SignedGroup, Held, Plan) {
    let plan = generate(2, people.officers(&OLD), rng);
    let (before, old) = whole(&plan, people, &Held::new(), rng);
    let plan = move_to(&before.group, &[1, 2], 3, people.officers(&NEW), rng).unwrap();
    (before.group, old, plan)
}

#[test]
fn a_mover_that_commits_to_another_secret_than_its_share_is_named() {
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let mut run = Run::start(&plan, &people, &old, &mut rng);
    let error = with_changed_commit(&mut run, |polynomials| {
        let mut commitments = polynomials[1].commitments.to_vec();
        commitments[0] = Secret(Scalar::from(5u64)).public();
        polynomials[1].commitments = commitments.try_into().unwrap();
    });
    let from = Text::new("Aoki").unwrap();
    assert_eq!(error, CeremonyError::FalseCommitment { from, epoch: 1 });
}

#[test]
fn commitments_of_another_degree_are_refused() {
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let from = Text::new("Aoki").unwrap();
    for longer in [false, true] {
        let mut run = Run::start(&plan, &people, &old, &mut rng);
        let error = with_changed_commit(&mut run, |polynomials| {
            let mut commitments = polynomials[0].commitments.to_vec();
            if longer {
                commitments.push(Secret(Scalar::ONE).public());
            } else {
                commitments.pop();
            }
            polynomials[0].commitments = commitments.try_into().unwrap();
        });
        assert_eq!(error, CeremonyError::FalseCommitment { from: from.clone(), epoch: 0 });
    }
}

#[test]
fn a_rogue_key_without_knowledge_of_its_secret_is_refused() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    // X - (the others' constants) would make the key X, whoever knows x.
    let others: Vec<Commit> = run.commits[1..].iter().map(commit_of).collect();
    let error = with_changed_commit(&mut run, |polynomials| {
        let mut rogue = Secret(Scalar::from(99u64)).public().decompress().unwrap();
        for other in &others {
            rogue -= other.polynomials[0].commitments[0].decompress().unwrap();
        }
        let mut commitments = polynomials[0].commitments.to_vec();
        commitments[0] = Encoded::of(&rogue);
        polynomials[0].commitments = commitments.try_into().unwrap();
    });
    let from = Text::new("Aoki").unwrap();
    assert_eq!(error, CeremonyError::FalseCommitment { from, epoch: 0 });
}

#[test]
fn a_commitment_taken_from_another_officer_is_refused() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    let theirs = commit_of(&run.commits[1]).polynomials[0].clone();
    let error = with_changed_commit(&mut run, |polynomials| polynomials[0] = theirs);
    let from = Text::new("Aoki").unwrap();
    assert_eq!(error, CeremonyError::FalseCommitment { from, epoch: 0 });
}

#[test]
fn a_false_sub_share_names_its_dealer_in_every_kind_of_ceremony() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let fresh = generate(2, people.officers(&OLD), &mut rng);
    let (group, old, moved) = moving(&people, &mut rng);
    let from = Box::new(group);
    let refresh = Plan::new(Kind::Refresh { from }, 2, people.officers(&OLD), &mut rng).unwrap();
    for (plan, held) in [(&fresh, &none), (&refresh, &old), (&moved, &old)] {
        let mut run = Run::start(plan, &people, held, &mut rng);
        run.deal();
        let (cheat, victim) = at_odds(plan);
        let Body::Commit(commit) = &run.commits.iter().find(|m| m.from == victim).unwrap().body
        else {
            panic!("a commit")
        };
        let honest =
            run.deals.iter().position(|m| m.from == cheat && m.to == Some(victim)).unwrap();
        let Body::Deal(deal) = &run.deals[honest].body else { panic!("a deal") };
        let accepted = deal.accepted;
        let shares = vec![Secret(Scalar::from(3u64)), Secret(Scalar::from(4u64))];
        let context = encode(&(plan.id(), cheat, victim, accepted));
        let r = Secret::random(&mut rng);
        let shares =
            sealed::seal(&shares.try_into().unwrap(), &commit.sealing.unwrap(), &r, &context);
        let body = Body::Deal(Deal { accepted, shares: shares.unwrap() });
        run.deals[honest] = says(&run, &cheat, Some(victim), body);
        let from = Text::new("Aoki").unwrap();
        let error = run.finish(&victim).unwrap_err();
        assert_eq!(error, CeremonyError::FalseShare { from, epoch: 0 });
    }
}

#[test]
fn a_last_mover_that_cancels_the_others_coefficients_has_no_sub_shares_that_fit() {
    // If the sum's highest coefficient were one that the cheat knows, any two of three new officers with it had the key.
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let mut run = Run::start(&plan, &people, &old, &mut rng);
    let (cheat, victim) = at_odds(&plan);
    let (own, other) = (plan.dealer(&cheat).unwrap(), plan.dealers()[1].1.id);
    let indices: Vec<u8> = plan.dealers().iter().map(|(index, _)| *index).collect();
    let [w_own, w_other] =
        [own, plan.dealer(&other).unwrap()].map(|one| feldman::weight(&indices, one).unwrap());
    let of = |run: &Run<'_>, id| run.commits.iter().position(|one| one.from == id).unwrap();
    let theirs = commit_of(&run.commits[of(&run, other)]).polynomials[0].commitments[2];
    let place = of(&run, cheat);
    let mut commit = commit_of(&run.commits[place]);
    let mut polynomials = commit.polynomials.to_vec();
    let mut commitments = polynomials[0].commitments.to_vec();
    let known = Secret(Scalar::from(7u64)).public().decompress().unwrap();
    let chosen = (known - theirs.decompress().unwrap() * w_other) * w_own.invert();
    commitments[2] = Encoded::of(&chosen);
    polynomials[0].commitments = commitments.try_into().unwrap();
    commit.polynomials = polynomials.try_into().unwrap();
    run.commits[place] = says(&run, &cheat, None, Body::Commit(commit));
    // The commitments alone are in form, and the key would stay: the honest deal.
    let honest = run.party(&other).deal(&run.commits).unwrap();
    let Body::Deal(deal) = &honest[0].body else { panic!("a deal") };
    let accepted = deal.accepted;
    let sealing = commit_of(&run.commits[of(&run, victim)]).sealing.unwrap();
    let context = encode(&(plan.id(), cheat, victim, accepted));
    for guess in [0u64, 1, 7, u64::MAX] {
        let shares = vec![Secret(Scalar::from(guess)), Secret(Scalar::from(guess))];
        let r = Secret::random(&mut rng);
        let shares = sealed::seal(&shares.try_into().unwrap(), &sealing, &r, &context).unwrap();
        let body = Body::Deal(Deal { accepted, shares });
        run.deals = honest.clone();
        run.deals.push(says(&run, &cheat, Some(victim), body));
        let from = Text::new("Aoki").unwrap();
        let error = run.finish(&victim).unwrap_err();
        assert_eq!(error, CeremonyError::FalseShare { from, epoch: 0 });
    }
}

#[test]
fn who_kept_the_shares_of_a_refreshed_group_can_still_move_its_key() {
    // A refresh helps against the theft of too few shares alone: nothing makes the old ones useless to enough who kept them.
    let (mut rng, people) = (rng(), people());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let (first, kept) = whole(&plan, &people, &Held::new(), &mut rng);
    let from = Box::new(first.group.clone());
    let refresh = Plan::new(Kind::Refresh { from }, 2, people.officers(&OLD), &mut rng).unwrap();
    let (second, _) = whole(&refresh, &people, &kept, &mut rng);
    let stale = move_to(&first.group, &[1, 2], 3, people.officers(&NEW), &mut rng).unwrap();
    let (moved, _) = whole(&stale, &people, &kept, &mut rng);
    let key = |one: &Concluded| one.group.check().unwrap().key(0);
    assert_eq!(key(&moved), key(&second));
    // The two groups of one generation are told apart by their ids, which officers compare, and their shares do not mix.
    let ids = [&second, &moved].map(|one| one.group.check().unwrap().id());
    assert_ne!(ids[0], ids[1]);
}

/// The first dealer, and a receiver that is another person.
fn at_odds(plan: &Plan) -> (NodeId, NodeId) {
    let cheat = plan.dealers()[0].1.id;
    let other = plan.receivers().into_iter().find(|(_, one)| one.id != cheat);
    (cheat, other.unwrap().1.id)
}

#[test]
fn different_commitments_shown_to_different_officers_are_found_out() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    let (cheat, second, third) = (run.commits[0].from, run.commits[1].from, run.commits[2].from);
    // The cheat begins again with another state, and shows that to the third officer only.
    let state = State::new(&plan, &mut rng);
    let other = Party::new(&plan, people.key(&cheat), None, state).unwrap();
    let mut shown = run.commits.clone();
    shown[0] = other.commit().unwrap();
    let mut third_party = run.party(&third);
    let from_third = third_party.deal(&shown).unwrap();
    run.deal();
    let to_second = |message: &&Message| message.to == Some(second);
    let deals: Vec<Message> = run
        .deals_to(&second)
        .into_iter()
        .filter(|message| message.from == cheat)
        .chain(from_third.iter().filter(to_second).cloned())
        .collect();
    let error = run.party(&second).finish(&run.commits, &deals).unwrap_err();
    assert_eq!(error, CeremonyError::Different(Text::new("Chiba").unwrap()));
    // Nor does an officer who has dealt deal again for other commitments.
    assert_eq!(third_party.deal(&run.commits).unwrap_err(), CeremonyError::AlreadyDealt);
    assert_eq!(third_party.finish(&run.commits, &[]).unwrap_err(), CeremonyError::AlreadyDealt);
    // And both files in one hand are evidence.
    let both = [run.commits.as_slice(), &shown[..1]].concat();
    let error = run.party(&second).deal(&both).unwrap_err();
    assert_eq!(error, CeremonyError::Contradiction(Text::new("Aoki").unwrap()));
}

#[test]
fn a_false_part_of_the_proof_of_possession_names_its_officer() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    run.deal();
    let mut confirms: Vec<Message> =
        plan.officers.iter().map(|one| run.finish(&one.id).unwrap().confirm).collect();
    let Body::Confirm(confirm) = &confirms[1].body else { panic!("a confirm") };
    let mut responses = confirm.responses.to_vec();
    responses[1].0 += Scalar::ONE;
    let body = Confirm { group: confirm.group, responses: responses.try_into().unwrap() };
    confirms[1] = says(&run, &plan.officers[1].id, None, Body::Confirm(body));
    let error = conclude(&plan, &run.commits, &confirms).unwrap_err();
    let from = Text::new("Baba").unwrap();
    assert_eq!(error, CeremonyError::FalseResponse { from, epoch: 1 });
}

#[test]
fn nothing_is_concluded_before_every_officer_confirms_the_same_group() {
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let mut run = Run::start(&plan, &people, &old, &mut rng);
    run.deal();
    let mut confirms: Vec<Message> =
        plan.officers.iter().map(|one| run.finish(&one.id).unwrap().confirm).collect();
    let missing = conclude(&plan, &run.commits, &confirms[1..]).unwrap_err();
    let names = "Doi".to_owned();
    assert_eq!(missing, CeremonyError::Missing { step: "confirm", names });
    let Body::Confirm(other) = &confirms[1].body else { panic!("a confirm") };
    let body = Body::Confirm(other.clone());
    confirms[0] = says(&run, &plan.officers[0].id, None, body);
    let error = conclude(&plan, &run.commits, &confirms).unwrap_err();
    assert_eq!(error, CeremonyError::OtherConfirmation(Text::new("Doi").unwrap()));
}

#[test]
fn files_out_of_place_are_refused_with_the_reason() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    let (own, name) = (plan.officers[0].id, |name: &str| Text::new(name).unwrap());
    let deal = |commits: &[Message]| run.party(&own).deal(commits).unwrap_err();

    let missing = deal(&run.commits[..2]);
    assert_eq!(missing, CeremonyError::Missing { step: "commit", names: "Chiba".into() });
    let twice = [run.commits.as_slice(), &run.commits[1..2]].concat();
    assert_eq!(deal(&twice), CeremonyError::Twice(name("Baba")));

    let other_plan = generate(2, people.officers(&OLD), &mut rng);
    let other = Run::start(&other_plan, &people, &none, &mut rng);
    let (from, given) = (other.commits[1].from, other_plan.id().0);
    assert_eq!(deal(&other.commits[1..]), CeremonyError::OtherCeremony { from, given });

    let stranger = people.0["Goto"].id();
    let message = says(&run, &stranger, None, run.commits[0].body.clone());
    assert_eq!(deal(&[message]), CeremonyError::Stranger(stranger));

    let mut bytes = encode(&run.commits[1]);
    *bytes.last_mut().unwrap() ^= 1;
    let changed = decode(&bytes, "a message").unwrap();
    assert_eq!(deal(&[changed]), CeremonyError::Signature(name("Baba")));
    let finish = run.party(&own).finish(&run.commits, &[]).unwrap_err();
    assert_eq!(finish, CeremonyError::NotDealt);

    run.deal();
    let wrong = CeremonyError::WrongStep { from: name("Aoki"), given: "deal", wanted: "commit" };
    assert_eq!(run.party(&own).deal(&run.deals).unwrap_err(), wrong);
    let for_another = run.deals_to(&plan.officers[1].id);
    let finish = run.party(&own).finish(&run.commits, &for_another[1..]).unwrap_err();
    assert_eq!(finish, CeremonyError::NotForYou(name("Chiba")));
}

#[test]
fn an_officer_who_began_again_with_another_state_blames_nobody_else() {
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let mut run = Run::start(&plan, &people, &old, &mut rng);
    run.deal();
    // A dealer, and one who only receives.
    for id in [plan.dealers()[0].1.id, plan.officers[0].id] {
        let state = State::new(&plan, &mut rng);
        let mut again = Party::new(&plan, people.key(&id), old.get(&id), state).unwrap();
        let refused = if plan.dealer(&id).is_some() {
            again.deal(&run.commits).unwrap_err()
        } else {
            again.finish(&run.commits, &run.deals_to(&id)).unwrap_err()
        };
        assert_eq!(refused, CeremonyError::NotOwnCommit);
    }
}

#[test]
fn every_changed_byte_of_a_message_is_noticed() {
    let (mut rng, people) = (rng(), people());
    let (_, old, plan) = moving(&people, &mut rng);
    let run = Run::start(&plan, &people, &old, &mut rng);
    let bytes = encode(&run.commits[0]);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        let Ok(message) = decode::<Message>(&changed, "a message") else { continue };
        let mut commits = run.commits.clone();
        commits[0] = message;
        assert!(run.party(&plan.dealers()[1].1.id).deal(&commits).is_err(), "byte {at}");
    }
}

#[test]
fn plans_that_can_not_be_carried_out_are_refused() {
    let (mut rng, people) = (rng(), people());
    let kind = || Kind::Generate { subject: subject(), epochs: 1 };
    let mut plan = |kind, threshold, officers| Plan::new(kind, threshold, officers, &mut rng);
    for threshold in [0, 1, 4] {
        let refused = plan(kind(), threshold, people.officers(&OLD)).unwrap_err();
        assert_eq!(refused, CeremonyError::Threshold { threshold, officers: 3 });
    }
    let twice = people.officers(&["Aoki", "Baba", "Aoki"]);
    assert_eq!(plan(kind(), 2, twice).unwrap_err(), CeremonyError::OfficerTwice);
    for epochs in [0, 65] {
        let kind = Kind::Generate { subject: subject(), epochs };
        assert_eq!(plan(kind, 2, people.officers(&OLD)).unwrap_err(), CeremonyError::Epochs);
    }
}

#[test]
fn a_move_needs_a_signed_group_and_enough_of_its_officers() {
    let (mut rng, people) = (rng(), people());
    let (group, old, plan) = moving(&people, &mut rng);
    for dealers in [&[1][..], &[1, 1], &[2, 1], &[0, 1], &[1, 4]] {
        let refused = move_to(&group, dealers, 3, people.officers(&NEW), &mut rng).unwrap_err();
        assert_eq!(refused, CeremonyError::Dealers { needed: 2 }, "{dealers:?}");
    }
    // A group with another key than its officers signed.
    let other = {
        let mut changed = group.unchecked().clone();
        let mut keys = changed.keys.to_vec();
        keys.swap(0, 1);
        changed.keys = keys.try_into().unwrap();
        let bytes = [encode(&changed), encode(&group)[encode(&changed).len()..].to_vec()].concat();
        decode::<SignedGroup>(&bytes, "a group").unwrap()
    };
    let refused = move_to(&other, &[1, 2], 3, people.officers(&NEW), &mut rng).unwrap_err();
    assert_eq!(refused, CeremonyError::Signature(Text::new("Aoki").unwrap()));
    // An officer without its shares, or with another's, does not deal.
    let (aoki, baba) = (&people.0["Aoki"], &people.0["Baba"]);
    let state = State::new(&plan, &mut rng);
    let refused = Party::new(&plan, aoki, None, state.clone()).unwrap_err();
    assert_eq!(refused, CeremonyError::SharesNeeded);
    let refused = Party::new(&plan, aoki, old.get(&baba.id()), state.clone()).unwrap_err();
    assert_eq!(refused, CeremonyError::OtherGroup);
    let chiba = Party::new(&plan, &people.0["Chiba"], None, state).unwrap_err();
    assert_eq!(chiba, CeremonyError::NotInvited);
}

#[test]
fn interpolation_refuses_zero_and_repeated_indices() {
    assert!(feldman::weight(&[1, 2, 2], 2).is_none());
    assert!(feldman::weight(&[0, 1], 0).is_none());
    assert!(feldman::weight(&[0, 1], 1).is_none());
    assert!(feldman::weight(&[1, 2], 3).is_none());
}
