//! Two lists walked together.

/// The items of both lists in pairs; none if one list is longer, whose tail `Iterator::zip` would drop in silence.
#[expect(clippy::disallowed_methods, reason = "lists of equal length lose nothing")]
pub fn pairs<'a, L, R>(
    left: &'a [L],
    right: &'a [R],
) -> Option<impl Iterator<Item = (&'a L, &'a R)>> {
    (left.len() == right.len()).then(|| left.iter().zip(right))
}

/// The items with their numbers from 0. For lists of at most 256 items, as all of the protocol are; what comes after is left out.
#[expect(clippy::disallowed_methods, reason = "the list, not the numbers, ends it")]
pub fn numbered<T>(items: impl IntoIterator<Item = T>) -> impl Iterator<Item = (u8, T)> {
    (0..=u8::MAX).zip(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_unequal_length_have_no_pairs() {
        assert!(pairs(&[1, 2], &["a"]).is_none());
        assert!(pairs(&[1], &["a", "b"]).is_none());
        assert_eq!(
            pairs(&[1, 2], &["a", "b"]).unwrap().collect::<Vec<_>>(),
            [(&1, &"a"), (&2, &"b")]
        );
    }
}
