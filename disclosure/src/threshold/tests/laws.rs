//! What honest ceremonies come to.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn enough_officers_hold_the_key_and_any_fewer_another_number(
        n in 2usize..6, t in 2usize..6, seed in any::<[u8; 32]>(),
    ) {
        let t = t.min(n);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let people = people();
        let names: Vec<&str> = people.0.keys().copied().take(n).collect();
        let plan = generate(u8::try_from(t).unwrap(), people.officers(&names), &mut rng);
        let (done, held) = whole(&plan, &people, &Held::new(), &mut rng);
        prop_assert!(accepts(&done.keys, &mut rng));
        let group = done.group.check().unwrap();
        let all: Vec<&Shares> = held.values().collect();
        for epoch in 0..2 {
            for some in subsets(&all) {
                let is_key = secret(&some, epoch).0 != Scalar::ZERO
                    && Some(secret(&some, epoch).public()) == group.key(epoch);
                prop_assert_eq!(is_key, some.len() >= t);
            }
        }
    }

    #[test]
    fn moved_keys_stay_and_old_and_new_shares_do_not_mix(
        n in 2usize..6, t in 2usize..6, seed in any::<[u8; 32]>(),
    ) {
        let t = t.min(n);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let people = people();
        let plan = generate(2, people.officers(&OLD), &mut rng);
        let (before, old) = whole(&plan, &people, &Held::new(), &mut rng);
        let (key, officers) = (before.group.check().unwrap().key(0), people.officers(&NEW[..n]));
        let plan = move_to(&before.group, &[1, 3], u8::try_from(t).unwrap(), officers, &mut rng).unwrap();
        let (after, new) = whole(&plan, &people, &old, &mut rng);
        let group = after.group.check().unwrap();
        prop_assert_eq!(group.key(0), key);
        prop_assert_eq!(group.generation, 1);
        prop_assert!(after.keys.is_empty());
        let all: Vec<&Shares> = new.values().collect();
        for some in subsets(&all).into_iter().filter(|some| !some.is_empty()) {
            prop_assert_eq!(Some(secret(&some, 0).public()) == key, some.len() >= t);
        }
        // One old share in the place of a new one is of no use, whichever it is.
        for stale in old.values() {
            let others = all.iter().filter(|one| one.index != stale.index).take(t - 1).copied();
            let mixed: Vec<&Shares> = others.chain([stale]).collect();
            prop_assert_ne!(Some(secret(&mixed, 0).public()), key);
            prop_assert_eq!(stale.check(group), Err(CeremonyError::OtherGroup));
        }
    }
}

#[test]
fn a_refresh_keeps_the_key_and_changes_every_share() {
    let (mut rng, people) = (rng(), people());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let (before, old) = whole(&plan, &people, &Held::new(), &mut rng);
    let from = Box::new(before.group.clone());
    let plan = Plan::new(Kind::Refresh { from }, 2, people.officers(&OLD), &mut rng).unwrap();
    let (after, new) = whole(&plan, &people, &old, &mut rng);
    let (was, is) = (before.group.check().unwrap(), after.group.check().unwrap());
    for epoch in 0..2 {
        assert_eq!(was.key(epoch), is.key(epoch));
        let all: Vec<&Shares> = new.values().collect();
        for some in subsets(&all).into_iter().filter(|some| !some.is_empty()) {
            assert_eq!(Some(secret(&some, epoch).public()) == is.key(epoch), some.len() >= 2);
        }
        for (id, shares) in &new {
            assert_ne!(shares.share(epoch).unwrap().0, old[id].share(epoch).unwrap().0);
            let others: Vec<&Shares> =
                old.values().filter(|one| one.index != shares.index).take(1).collect();
            let mixed = [others[0], shares];
            assert_ne!(Some(secret(&mixed, epoch).public()), is.key(epoch));
        }
    }
    // Keys that were refreshed can be refreshed and moved again.
    let plan = move_to(&after.group, &[2, 3], 3, people.officers(&NEW), &mut rng).unwrap();
    let (moved, newest) = whole(&plan, &people, &new, &mut rng);
    let group = moved.group.check().unwrap();
    assert_eq!((group.key(1), group.generation), (is.key(1), 2));
    assert_eq!(
        secret(&newest.values().take(3).collect::<Vec<_>>(), 1).public(),
        is.key(1).unwrap()
    );
}

#[test]
fn the_keys_of_one_ceremony_are_all_different() {
    let (mut rng, people) = (rng(), people());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let (done, held) = whole(&plan, &people, &Held::new(), &mut rng);
    assert_ne!(done.keys[0].point, done.keys[1].point);
    let shares = held.values().next().unwrap();
    assert_ne!(shares.share(0).unwrap().0, shares.share(1).unwrap().0);
}

#[test]
fn a_step_done_again_says_the_same() {
    let (mut rng, people, none) = (rng(), people(), Held::new());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let mut run = Run::start(&plan, &people, &none, &mut rng);
    run.deal();
    let id = plan.officers[0].id;
    let bytes = |messages: &[Message]| sudare_crypto::encoding::encode(messages);
    let (first, again) = (run.deals.clone(), run.party(&id).deal(&run.commits).unwrap());
    assert_eq!(bytes(&first[..2]), bytes(&again));
    assert_eq!(bytes(&run.commits[..1]), bytes(&[run.party(&id).commit().unwrap()]));
}

#[test]
fn files_of_an_officer_open_for_that_officer_only_and_nothing_prints() {
    let (mut rng, people) = (rng(), people());
    let plan = generate(2, people.officers(&OLD), &mut rng);
    let (_, held) = whole(&plan, &people, &Held::new(), &mut rng);
    let (aoki, baba) = (&people.0["Aoki"], &people.0["Baba"]);
    let shares = &held[&aoki.id()];
    let file = aoki.seal(shares, &mut rng).unwrap();
    let opened: Shares = aoki.open(&file, "shares").unwrap();
    assert_eq!(opened.share(1).unwrap().0, shares.share(1).unwrap().0);
    assert!(baba.open::<Shares>(&file, "shares").is_err());
    let mut bytes = sudare_crypto::encoding::encode(&file);
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        if let Ok(file) = sudare_crypto::encoding::decode::<SealedFile>(&bytes, "a file") {
            assert!(aoki.open::<Shares>(&file, "shares").is_err(), "byte {at}");
        }
        bytes[at] ^= 1;
    }
    let printed = format!("{shares:?} {:?} {aoki:?}", State::new(&plan, &mut rng));
    assert!(printed.contains("***"));
    let hex: String =
        shares.share(0).unwrap().0.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert!(!printed.contains(&hex));
}
