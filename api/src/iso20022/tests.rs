//! What is refused, and that reading never panics.

use super::*;
use crate::calendar::BusinessDate;

const EXAMPLE: &str = include_str!("../../../specs/vectors/iso20022/semt.002.001.11.xml");

fn refusal(from: &str, to: &str) -> Fault {
    let changed = EXAMPLE.replacen(from, to, 1);
    assert_ne!(changed, EXAMPLE, "{from}");
    Message::parse(changed.as_bytes()).unwrap_err()
}

/// [ISO-3]
#[test]
fn a_value_that_is_not_of_its_form_is_refused_with_its_place() {
    let above = "/Document/SctiesBalCtdyRpt";
    let cases = [
        ("ZZ0000DEMO11", "ZZ0000DEMO12", "/SubAcctDtls/BalForSubAcct/FinInstrmId/ISIN"),
        ("DEMOJPJTXXX", "DEMOJPJTXX", "/AcctSvcr/Id/AnyBIC"),
        ("DEMOCUSTODIANA000034", "DEMOCUSTODIANA000035", "/AcctOwnr/LEI"),
        (">5000.25<", ">-5000.25<", "/SubAcctDtls/BalForSubAcct/AggtBal/Qty/Qty/Qty/Unit"),
        (">5000.25<", ">5e3<", "/SubAcctDtls/BalForSubAcct/AggtBal/Qty/Qty/Qty/Unit"),
        (
            ">5000.25<",
            ">1234567890123456789<",
            "/SubAcctDtls/BalForSubAcct/AggtBal/Qty/Qty/Qty/Unit",
        ),
        (">true</LastPgInd>", ">yes</LastPgInd>", "/Pgntn/LastPgInd"),
        ("<PgNb>1</PgNb>", "<PgNb>1</PgNb><PgNb>1</PgNb>", "/Pgntn/PgNb"),
        ("<PgNb>1</PgNb>", "", "/Pgntn/PgNb"),
        ("<PgNb>1</PgNb>", "<PgNb x=\"1\">1</PgNb>", "/Pgntn/PgNb/x"),
        ("<Id>INV-01</Id>", "<Id> </Id>", "/SubAcctDtls/SfkpgAcct/Id"),
        ("2026-11-27T06", "2026-02-30T06", "/StmtGnlDtls/StmtDtTm/DtTm"),
        ("<Cd>DAIL</Cd>", "<Cd>DAYS</Cd>", "/StmtGnlDtls/Frqcy/Cd"),
        ("<Cd>DAIL</Cd>", "<Cd>DAIL</Cd><Prtry/>", "/StmtGnlDtls/Frqcy/Prtry/Id"),
        ("<StmtBsis>", "text<StmtBsis>", "/StmtGnlDtls"),
    ];
    for (from, to, path) in cases {
        assert_eq!(refusal(from, to).path(), format!("{above}{path}"), "{from} {to}");
    }
}

/// [ISO-4]
#[test]
fn whatever_reaches_outside_or_grows_without_bound_is_refused() {
    let entity = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n<Document";
    assert_eq!(refusal("<Document", entity).kind, FaultKind::DocumentType);
    assert_eq!(refusal("INV-01", "&a;").kind, FaultKind::DocumentType);
    assert_eq!(refusal("INV-01", "&#0;").kind, FaultKind::NotXml);
    assert_eq!(refusal("UTF-8", "UTF-16").kind, FaultKind::NotUtf8);
    assert_eq!(refusal("\"1.0\"", "\"1.1\"").kind, FaultKind::NotUtf8);
    assert_eq!(refusal("</Document>", "").kind, FaultKind::NotXml);
    assert_eq!(refusal("</Document>", "</Document><Document/>").kind, FaultKind::NotXml);
    assert_eq!(refusal("semt.002.001.11", "semt.002.001.12").kind, FaultKind::NotHandled);
    let deep = "<x>".repeat(DEPTH_MAX + 1);
    assert_eq!(Message::parse(deep.as_bytes()).unwrap_err().kind, FaultKind::TooLong);
    let wide = format!("<x>{}", "<y/>".repeat(ELEMENTS_MAX));
    assert_eq!(Message::parse(wide.as_bytes()).unwrap_err().kind, FaultKind::TooLong);
    let long = format!("<x>{}", "y".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(Message::parse(long.as_bytes()).unwrap_err().kind, FaultKind::TooLong);
    let huge = vec![b' '; BYTES_MAX + 1];
    assert_eq!(Message::parse(&huge).unwrap_err().kind, FaultKind::TooLong);
}

#[test]
fn prefixes_character_references_and_foreign_data_are_read_as_they_mean() {
    let prefixed = EXAMPLE
        .replace("</", "</m:")
        .replace("<", "<m:")
        .replace("<m:/m:", "</m:")
        .replace("<m:?", "<?")
        .replace("xmlns=\"urn:iso", "xmlns:m=\"urn:iso")
        .replace("<m:Evidence xmlns", "<e:Evidence xmlns:e")
        .replace("m:Value", "e:Value")
        .replace("</m:Evidence", "</e:Evidence")
        .replace("INV-01", "<![CDATA[INV]]>&#x2d;&#48;1");
    let parsed = Message::parse(prefixed.as_bytes()).unwrap();
    assert_eq!(parsed.message.to_xml(), EXAMPLE);
    let foreign = EXAMPLE.replacen("<Envlp>", "<Envlp><Other xmlns=\"urn:other\">1</Other>", 1);
    let parsed = Message::parse(foreign.as_bytes()).unwrap();
    assert_eq!(parsed.message.to_xml(), EXAMPLE);
    let unread = "/SctiesBalCtdyRpt/SubAcctDtls/BalForSubAcct/SplmtryData/Envlp/Other";
    assert_eq!(parsed.unread, [unread]);
}

#[test]
fn quantities_are_exact_in_both_directions() {
    for (atoms, decimals, text) in [
        (0, 0, "0"),
        (5000, 0, "5000"),
        (5000, 2, "50"),
        (5, 3, "0.005"),
        (u64::MAX, 0, "18446744073709551615"),
        (u64::MAX, 18, "18.446744073709551615"),
    ] {
        let quantity = Quantity::of_atoms(atoms.into(), decimals).unwrap();
        assert_eq!(quantity.decimal().to_string(), text);
        assert_eq!(text.parse::<Decimal>().unwrap().to_atoms(decimals), Some(atoms));
    }
    // No whole number of atomic units, and more than there can be.
    assert_eq!("0.5".parse::<Decimal>().unwrap().to_atoms(0), None);
    assert_eq!("18446744073709551616".parse::<Decimal>().unwrap().to_atoms(0), None);
    assert_eq!("1".parse::<Decimal>().unwrap().to_atoms(255), None);
    assert!(Quantity::of_atoms(1, 30).is_err());
}

#[test]
fn instants_are_written_as_they_were_meant() {
    let noon = DateTime::of_unix(1_795_953_600_250_000).unwrap();
    assert_eq!(noon.to_string(), "2026-11-29T12:00:00.25Z");
    assert_eq!(Some(noon.date()), BusinessDate::of(2026, 11, 29));
    for text in
        ["2026-11-29T12:00:00", "2026-11-29T00:00:00+09:00", "2026-11-29T23:59:59.000001-03:30"]
    {
        assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
    }
    for text in [
        "2026-11-29",
        "2026-11-29T24:00:00",
        "2026-11-29T12:00:60",
        "2026-11-29T12:00:00+09:60",
        "2026-11-29T1:00:00Z",
    ] {
        assert!(text.parse::<DateTime>().is_err(), "{text}");
    }
}
