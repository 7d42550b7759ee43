//! Names and numbers of investors who do not exist, and say so.

use crate::demo::input::corporate_check_digit;

/// Words of company names, in Japanese and English.
const WORDS: [(&str, &str); 12] = [
    ("あけぼの", "Akebono"),
    ("みずかげ", "Mizukage"),
    ("すだれ", "Sudare"),
    ("はるかぜ", "Harukaze"),
    ("つきしろ", "Tsukishiro"),
    ("あまのがわ", "Amanogawa"),
    ("ゆうなぎ", "Yunagi"),
    ("しらたま", "Shiratama"),
    ("かげろう", "Kagero"),
    ("こもれび", "Komorebi"),
    ("いざよい", "Izayoi"),
    ("しぐれ", "Shigure"),
];
/// What the companies do.
const TRADES: [(&str, &str); 7] = [
    ("商会", "Trading"),
    ("製作所", "Works"),
    ("物流", "Logistics"),
    ("年金基金", "Pension Fund"),
    ("信託口", "Trust Account"),
    ("資産運用", "Asset Management"),
    ("保険", "Insurance"),
];

/// Japanese name, English name and 法人番号 of the investor with this number.
///
/// Each name begins with 架空 or Fictional. The number begins, after its right check digit, with the registry office 0000,
/// which does not exist.
pub(super) fn person(number: usize) -> (String, String, String) {
    let nth = |count: usize| number.checked_rem(count).unwrap_or(0);
    let word = WORDS.get(nth(WORDS.len())).copied().unwrap_or_default();
    let trade = TRADES.get(nth(TRADES.len())).copied().unwrap_or_default();
    let name = number + 1;
    let body = format!("00000{name:07}");
    (
        format!("架空{}{}第{name}号", word.0, trade.0),
        format!("Fictional {} {} No. {name}", word.1, trade.1),
        format!("{}{body}", corporate_check_digit(&body)),
    )
}
