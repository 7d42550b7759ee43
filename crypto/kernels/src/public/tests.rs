//! Every kernel of this processor against `curve25519-dalek` called directly, and against RFC 9496.

use std::array;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT as B;
use curve25519_dalek::traits::Identity;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn bytes(hex: &str) -> [u8; 32] {
    array::from_fn(|place| u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).unwrap())
}

fn encoded(points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|point| point.compress().to_bytes()).collect()
}

fn decoded(kernel: Kernel, points: &[RistrettoPoint]) -> Vec<PublicPoint> {
    kernel.decode(&encoded(points)).into_iter().map(Option::unwrap).collect()
}

/// What a point is, whatever its form.
fn meaning(point: &PublicPoint) -> [u8; 32] {
    multiply(&[(PublicScalar::of(&Scalar::ONE), point)]).compress().to_bytes()
}

/// That all kernels decode as dalek does, and each point to itself.
fn check_decoding(encodings: &[[u8; 32]]) {
    for kernel in Kernel::all() {
        let points = kernel.decode(encodings);
        assert_eq!(points.len(), encodings.len());
        for (place, bytes) in encodings.iter().enumerate() {
            let good = CompressedRistretto(*bytes).decompress().is_some();
            let point = points[place].as_ref();
            assert_eq!(point.is_some(), good, "{} {place} {bytes:x?}", kernel.name());
            assert!(
                point.is_none_or(|point| meaning(point) == *bytes),
                "{} {place}",
                kernel.name()
            );
        }
    }
}

/// That all kernels multiply as dalek does.
fn check_sum(scalars: &[Scalar], points: &[RistrettoPoint], what: &str) {
    let expected: RistrettoPoint = RistrettoPoint::vartime_multiscalar_mul(scalars, points);
    for kernel in Kernel::all() {
        let points = decoded(kernel, points);
        let sum = multiply(&terms(scalars, &points));
        assert_eq!(sum, expected, "{} {what}", kernel.name());
    }
}

fn terms<'a>(
    scalars: &[Scalar],
    points: &'a [PublicPoint],
) -> Vec<(PublicScalar, &'a PublicPoint)> {
    assert_eq!(scalars.len(), points.len());
    let mut points = points.iter();
    scalars.iter().map(|scalar| (PublicScalar::of(scalar), points.next().unwrap())).collect()
}

fn random_points(rng: &mut ChaCha20Rng, count: usize) -> Vec<RistrettoPoint> {
    (0..count).map(|_| RistrettoPoint::random(rng)).collect()
}

/// 0, 1, 2, l - 1, l - 2, half of l and its neighbours, ends of digits of every number of bits, and what fills them.
fn edge_scalars() -> Vec<Scalar> {
    let half = Scalar::from(2u64).invert();
    let mut edges = vec![Scalar::ZERO, Scalar::ONE, Scalar::from(2u64), half, half - Scalar::ONE];
    let mut power = Scalar::ONE;
    for _ in 0..252 {
        power += power;
        edges.extend([power - Scalar::ONE, power, power + Scalar::ONE]);
    }
    for byte in [0x11, 0x55, 0x77, 0x88, 0xaa, 0xff] {
        edges.push(Scalar::from_bytes_mod_order([byte; 32]));
    }
    edges.extend(edges.clone().iter().map(|edge| -edge));
    edges
}

/// RFC 9496, appendix A.1: multiples of the generator from 0 to 15.
const MULTIPLES: [&str; 16] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
    "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
    "f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403",
    "44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d",
    "903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c",
    "02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031",
    "20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f",
    "bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42",
    "e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460",
    "aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f",
    "46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e",
    "e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e",
];

/// RFC 9496, appendix A.2.
const INVALID: [&str; 29] = [
    // Not canonical.
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    // Negative.
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    // No square.
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    // Negative x*y.
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    // s = -1, which makes y zero.
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn the_known_encodings_decode_in_every_lane() {
    for shift in 0..17 {
        // One that does not decode before each, so that lanes differ.
        let mixed = MULTIPLES.iter().enumerate().flat_map(|(place, good)| {
            [bytes(INVALID[(place + shift) % INVALID.len()]), bytes(good)]
        });
        let mixed: Vec<_> = mixed.skip(shift).collect();
        check_decoding(&mixed);
    }
    for kernel in Kernel::all() {
        let mut multiple = RistrettoPoint::identity();
        for good in MULTIPLES {
            let point = kernel.decode(&[bytes(good)]).remove(0).unwrap();
            assert_eq!(meaning(&point), bytes(good));
            assert_eq!(multiple.compress().to_bytes(), bytes(good));
            multiple += B;
        }
        let refused = kernel.decode(&INVALID.map(bytes));
        assert!(refused.iter().all(Option::is_none), "{}", kernel.name());
    }
}

#[test]
fn numbers_around_zero_and_p_decode_as_by_dalek() {
    let mut encodings = Vec::new();
    for low in 0..=u8::MAX {
        for (middle, high) in [(0, 0), (0xff, 0x7f), (0xff, 0xff), (0, 0x80), (0xff, 0x7e)] {
            let mut one = [middle; 32];
            (one[0], one[31]) = (low, high);
            encodings.push(one);
        }
    }
    check_decoding(&encodings);
}

#[test]
fn random_bytes_of_every_class_decode_as_by_dalek_in_every_lane() {
    let rng = &mut rng(1);
    let mut encodings = Vec::new();
    for _ in 0..2_000 {
        let mut one = [0; 32];
        rng.fill_bytes(&mut one);
        (one[0], one[31]) = (one[0] & 0xfe, one[31] & 0x7f);
        encodings.push(one);
    }
    let good = |bytes: &&[u8; 32]| CompressedRistretto(**bytes).decompress().is_some();
    let count = encodings.iter().filter(good).count();
    assert!((300..700).contains(&count), "a quarter of even numbers decodes: {count}");
    check_decoding(&encodings);
}

#[test]
fn batches_of_every_size_decode_and_multiply_as_by_dalek() {
    let rng = &mut rng(2);
    let points = random_points(rng, 310);
    let scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
    for size in (0..=70).chain([71, 97, 127, 128, 129, 200, 255, 256, 257, 300, 310]) {
        check_decoding(&encoded(&points[..size]));
        check_sum(&scalars[..size], &points[..size], &format!("{size} points"));
    }
}

#[test]
fn sums_longer_than_one_part_are_those_of_dalek() {
    let rng = &mut rng(3);
    for size in [1_000, 8_191, 8_192, 8_193, 17_000] {
        // Few different ones, as decoding by dalek takes most of the time.
        let points = random_points(rng, 61);
        let points: Vec<_> = points.into_iter().cycle().take(size).collect();
        let scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
        check_sum(&scalars, &points, &format!("{size} points"));
    }
}

#[test]
fn edge_scalars_multiply_as_by_dalek() {
    let rng = &mut rng(4);
    let edges = edge_scalars();
    let points = random_points(rng, edges.len());
    check_sum(&edges, &points, "all");
    for some in edges.chunks(40) {
        check_sum(some, &points[..some.len()], "some");
    }
    for edge in &edges[..60] {
        // Equal scalars: all points in one bucket.
        check_sum(&vec![*edge; 150], &points[..150], "equal scalars");
        check_sum(&[*edge], &points[..1], "one");
    }
}

#[test]
fn equal_and_opposite_points_and_the_identity_add_up_in_one_bucket() {
    let rng = &mut rng(5);
    let point = RistrettoPoint::random(rng);
    let kinds = [point, -point, RistrettoPoint::identity(), point + point, -(point + point)];
    for size in [1, 2, 5, 8, 9, 64, 65, 100, 160, 300] {
        for shift in 0..kinds.len() {
            let points: Vec<_> = kinds.iter().cycle().skip(shift).take(size).copied().collect();
            for scalar in [Scalar::ONE, -Scalar::ONE, Scalar::from(77u64), Scalar::random(rng)] {
                check_sum(&vec![scalar; size], &points, "equal scalars");
                let signs: Vec<_> =
                    (0..size).map(|one| if one % 3 == 0 { -scalar } else { scalar }).collect();
                check_sum(&signs, &points, "opposite scalars");
            }
        }
        let all_zero = vec![RistrettoPoint::identity(); size];
        check_sum(&vec![Scalar::random(rng); size], &all_zero, "identities");
    }
}

#[test]
fn a_sum_that_vanishes_is_the_identity_and_one_that_does_not_quite_is_not() {
    let rng = &mut rng(6);
    for size in [2, 16, 63, 64, 65, 130, 1_000] {
        let points = random_points(rng, size);
        let mut scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
        let others: RistrettoPoint =
            RistrettoPoint::vartime_multiscalar_mul(&scalars[1..], &points[1..]);
        let mut points = points;
        points[0] = others;
        scalars[0] = -Scalar::ONE;
        for kernel in Kernel::all() {
            let public = decoded(kernel, &points);
            let sum = multiply(&terms(&scalars, &public));
            assert_eq!(sum, RistrettoPoint::identity(), "{} {size}", kernel.name());
            let mut wrong = scalars.clone();
            wrong[size / 2] += Scalar::ONE;
            let sum = multiply(&terms(&wrong, &public));
            assert_eq!(sum, points[size / 2], "{} {size}", kernel.name());
        }
    }
}

#[test]
fn a_point_counts_wherever_it_stands() {
    let rng = &mut rng(7);
    for size in [8, 64, 96] {
        let points = random_points(rng, size);
        for place in 0..size {
            let mut scalars = vec![Scalar::ZERO; size];
            scalars[place] = Scalar::random(rng);
            let expected = points[place] * scalars[place];
            for kernel in Kernel::all() {
                let sum = multiply(&terms(&scalars, &decoded(kernel, &points)));
                assert_eq!(sum, expected, "{} {place}", kernel.name());
            }
        }
    }
}

#[test]
fn points_of_all_kernels_add_up_together() {
    let rng = &mut rng(8);
    let points = random_points(rng, 90);
    let scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
    let kernels: Vec<Kernel> = Kernel::all().collect();
    let mixed: Vec<PublicPoint> = points
        .iter()
        .enumerate()
        .map(|(place, point)| decoded(kernels[place % kernels.len()], &[*point]).pop().unwrap())
        .collect();
    let expected: RistrettoPoint = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points);
    assert_eq!(multiply(&terms(&scalars, &mixed)), expected);
}

#[test]
fn scalars_of_any_bytes_are_taken_modulo_the_order() {
    let order = ORDER.map(u64::to_le_bytes);
    let order: [u8; 32] = order.as_flattened().try_into().unwrap();
    assert_eq!(PublicScalar::of_bytes(order), PublicScalar::of(&Scalar::ZERO));
    let mut next = order;
    next[0] += 1;
    assert_eq!(PublicScalar::of_bytes(next), PublicScalar::of(&Scalar::ONE));
    let rng = &mut rng(9);
    for round in 0..500 {
        let mut bytes = [0xff; 32];
        if round > 0 {
            rng.fill_bytes(&mut bytes);
        }
        let expected = Scalar::from_bytes_mod_order(bytes);
        assert_eq!(PublicScalar::of_bytes(bytes), PublicScalar::of(&expected));
        assert_eq!(PublicScalar::of_bytes(expected.to_bytes()).0, expected.to_bytes());
    }
}

#[test]
fn kernels_have_names_and_numbers_of_their_own_and_the_portable_one_is_first() {
    let all: Vec<Kernel> = Kernel::all().collect();
    assert_eq!(all[0], Kernel::PORTABLE);
    for (place, kernel) in all.iter().enumerate() {
        assert!(kernel.number() < Kernel::COUNT);
        let same =
            |other: &&Kernel| other.name() == kernel.name() || other.number() == kernel.number();
        assert_eq!(all.iter().filter(same).count(), 1, "{place}");
    }
    assert!(all.contains(&Kernel::chosen()));
    let text = UnknownKernel("abacus".into()).to_string();
    assert!(text.contains("abacus") && text.contains("portable"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_decode_as_by_dalek(encodings in proptest::collection::vec(any::<[u8; 32]>(), 0..40)) {
        check_decoding(&encodings);
        let cleared: Vec<_> = encodings.into_iter().map(|mut bytes| {
            (bytes[0], bytes[31]) = (bytes[0] & 0xfe, bytes[31] & 0x7f);
            bytes
        }).collect();
        check_decoding(&cleared);
    }

    #[test]
    fn any_sum_is_that_of_dalek(
        seed: u64,
        size in 0..200usize,
        different in 1..200usize,
        which in proptest::collection::vec((0..2u8, any::<prop::sample::Index>(), any::<[u8; 32]>()), 200),
    ) {
        let rng = &mut rng(seed);
        let edges = edge_scalars();
        let points = random_points(rng, different);
        let points: Vec<_> = points.into_iter().cycle().take(size).collect();
        let scalars: Vec<_> = which.into_iter().take(size).map(|(kind, index, bytes)| {
            if kind == 0 { *index.get(&edges) } else { Scalar::from_bytes_mod_order(bytes) }
        }).collect();
        check_sum(&scalars, &points, "any");
    }
}
