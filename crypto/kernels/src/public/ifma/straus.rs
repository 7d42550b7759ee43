//! Sums of few points: the tables and digits of [`crate::secret`], which are as good for what is public.

use super::super::PublicScalar;
use super::super::order::LANES;
use super::rows::Row;
use crate::point8::Point8;
use crate::processor::Ifma;
use crate::secret::{Digits, Group, Sums, Term};

/// In each lane a part of the sum.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sum(ifma: Ifma, scalars: &[PublicScalar], rows: &[Row]) -> Point8 {
    let (mut groups, mut digits) = (Vec::new(), Vec::new());
    let mut scalars = scalars.chunks(LANES);
    for rows in rows.chunks(LANES) {
        let points = Row::gathered(rows, &[0, 2, 4, 6, 8, 10, 12, 14]).point(ifma);
        groups.push(Group::of(&Sums::of_points(ifma, points)));
        let mut eight = [[0; 32]; LANES];
        let mut some = scalars.next().unwrap_or_default().iter();
        for bytes in &mut eight {
            *bytes = some.next().map_or([0; 32], |scalar| scalar.0);
        }
        digits.push(Digits::of(&eight));
    }
    let mut digits = digits.iter();
    let terms: Vec<Term<'_>> = groups
        .iter()
        .filter_map(|group| Some(Term { group, digits: digits.next()?, second: false }))
        .collect();
    let [sum, _] = Sums::of(ifma, &terms);
    sum.points()
}
