//! Checks of identifiers by their standards. Each says whether a text is one; none says that it is assigned to anybody.

/// ISIN (ISO 6166): a country or `XS`-like prefix of two letters, nine letters or digits, a Luhn check digit.
#[must_use]
pub fn is_isin(text: &str) -> bool {
    let (letters, rest) = text.as_bytes().split_at(text.len().min(2));
    let form = text.len() == 12
        && letters.iter().all(u8::is_ascii_uppercase)
        && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit());
    form && luhn(text)
}

/// LEI (ISO 17442): 18 letters or digits and two check digits, modulo 97 (ISO 7064).
#[must_use]
pub fn is_lei(text: &str) -> bool {
    let form = text.len() == 20
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().skip(18).all(|byte| byte.is_ascii_digit());
    let rest = text.chars().filter_map(|char| char.to_digit(36)).fold(0u32, |rest, value| {
        let shift = if value > 9 { 100 } else { 10 };
        rest.wrapping_mul(shift).wrapping_add(value) % 97
    });
    form && rest == 1
}

/// A Japanese corporate number (法人番号): a check digit and twelve digits.
#[must_use]
pub fn is_corporate_number(text: &str) -> bool {
    if text.len() != 13 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let mut digits = text.chars().filter_map(|char| char.to_digit(10));
    let check = digits.next();
    // From the right: odd places count once, even ones twice. Twelve digits: the first counts twice.
    let sum = digits
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit.saturating_mul(2) } else { digit })
        .fold(0, u32::saturating_add);
    check == 9u32.checked_sub(sum % 9)
}

/// BIC (ISO 9362): eight or eleven letters and digits, the country's two letters at the fifth place.
#[must_use]
pub fn is_bic(text: &str) -> bool {
    matches!(text.len(), 8 | 11)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().skip(4).take(2).all(|byte| byte.is_ascii_uppercase())
}

/// Whether all characters may stand in a half-width kana field of the Zengin formats: kana without small letters and long
/// mark (`ｦ`, `ｱ` to `ﾟ`), capitals, digits, blank and `()-./,｢｣\`.
#[must_use]
pub fn is_zengin_kana(text: &str) -> bool {
    text.chars().all(|char| {
        matches!(char, 'ｦ' | 'ｱ'..='ﾟ' | 'A'..='Z' | '0'..='9' | ' ' | '(' | ')' | '-' | '.' | '/' | ',' | '｢' | '｣' | '\\')
    })
}

fn luhn(text: &str) -> bool {
    let digits = text.chars().filter_map(|char| char.to_digit(36)).flat_map(|value| {
        let tens = (value > 9).then_some(value / 10);
        tens.into_iter().chain([value % 10])
    });
    let digits: Vec<u32> = digits.collect();
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2 == 1, digit.saturating_mul(2)) {
            (false, _) => *digit,
            (true, twice) => (twice / 10).saturating_add(twice % 10),
        })
        .fold(0, u32::saturating_add);
    sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Good ones by the standards' own examples and public registers; each with one character changed is not good.
    fn check(is: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(is(text), "{text}");
        }
        for text in bad {
            assert!(!is(text), "{text}");
        }
    }

    #[test]
    fn identifiers_are_told_by_form_and_check_digit() {
        let isin = ["JP3902900004", "JP3633400001", "US0378331005"];
        check(is_isin, &isin, &["JP3902900005", "jp3902900004", "JP390290000", "", "日本三九"]);
        let lei = ["HWUPKR0MPOU8FGXBT394", "353800V2V8PUY9TK3E06"];
        check(is_lei, &lei, &["HWUPKR0MPOU8FGXBT395", "HWUPKR0MPOU8FGXBT39", ""]);
        let corporate = ["4011001098993", "7123456789012", "2120901007402"];
        check(is_corporate_number, &corporate, &["1123456789012", "401100109899", ""]);
        check(is_bic, &["DEUTDEFF", "DEUTDEFF500"], &["DEUTDEFF5", "DEUT1EFF", "deutdeff", ""]);
        check(is_zengin_kana, &["ﾔﾏﾀﾞ ﾊﾅｺ", "ABC(ｶ"], &["やまだ", "ヤマダ", "ｬ", "ｰ", "abc"]);
    }

    #[test]
    fn a_changed_digit_is_found_in_every_place() {
        type Form = (fn(&str) -> bool, &'static str);
        let forms: [Form; 3] = [
            (is_isin, "US0378331005"),
            (is_lei, "353800V2V8PUY9TK3E06"),
            (is_corporate_number, "4011001098993"),
        ];
        for (is, good) in forms {
            for (place, old) in good.char_indices().filter(|(_, char)| char.is_ascii_digit()) {
                for new in ('0'..='9').filter(|new| *new != old) {
                    let mut changed = good.to_owned();
                    changed.replace_range(place..=place, &new.to_string());
                    // Weights modulo 9 don't tell 0 from 9.
                    let blind = is_corporate_number(good)
                        && [old, new].iter().all(|one| "09".contains(*one));
                    assert!(blind || !is(&changed), "{changed}");
                }
            }
        }
    }
}
