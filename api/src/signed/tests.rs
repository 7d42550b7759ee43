use axum::http::HeaderValue;

use super::*;

/// RFC 9421, appendix B.1.4.
const KEY: &str = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

fn key(text: &str) -> Result<PublicKey, KeyError> {
    PublicKey::try_from(text.to_owned())
}

/// The request of RFC 9421, appendix B.2.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-length", "18"),
        (
            "content-digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        ),
        (
            "signature-input",
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
             ;created=1618884473;keyid=\"test-key-ed25519\"",
        ),
        (
            "signature",
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        ),
    ] {
        let _ = headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn the_signature_that_rfc_9421_shows_holds_over_the_base_that_is_made_here() {
    let (headers, uri) = (headers(), Uri::from_static("/foo?param=Value&Pet=dog"));
    let input = Input::parse(headers["signature-input"].to_str().unwrap()).unwrap();
    let base = base(&input, &Method::POST, &uri, &headers).unwrap();
    let signature = byte_sequences(headers["signature"].to_str().unwrap()).unwrap().remove(0).1;
    let key = key(KEY).unwrap();
    let holds = |base: &str, signature: &[u8]| {
        UnparsedPublicKey::new(key.algorithm.verification(), &key.bytes)
            .verify(base.as_bytes(), signature)
            .is_ok()
    };
    assert!(holds(&base, &signature), "{base}");
    assert!(!holds(&base.replace("18", "19"), &signature));
    // It covers less than is asked for here.
    let keys = [SigningKey { id: "test-key-ed25519".into(), public: key.clone() }];
    let refused = verify(&keys, (&Method::POST, &uri, &headers), b"", 1_618_884_473_000_000);
    assert_eq!(refused, Err(Refused::Coverage));
}

#[test]
fn digests_that_rfc_9530_shows_hold_and_others_do_not() {
    let body = b"{\"hello\": \"world\"}";
    assert_eq!(check_digest(&headers(), body), Ok(()));
    assert_eq!(check_digest(&headers(), b"{\"hello\": \"World\"}"), Err(OtherDigest));
    let with = |value: &'static str| {
        let mut headers = HeaderMap::new();
        let _ = headers.insert("content-digest", HeaderValue::from_static(value));
        check_digest(&headers, body)
    };
    let good = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert_eq!(with(good), Ok(()));
    assert_eq!(with("md5=:AAAA:, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"), Ok(()));
    for wrong in [
        "",
        "md5=:AAAA:",
        "sha-256=X48E",
        "sha-256=:X48E:",
        "sha-512=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    ] {
        assert_eq!(with(wrong), Err(OtherDigest), "{wrong}");
    }
}

#[test]
fn keys_are_ed25519_or_p256_and_nothing_else() {
    assert_eq!(String::from(key(KEY).unwrap()), KEY);
    let p256 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";
    assert_eq!(key(p256).unwrap().algorithm, Algorithm::P256);
    for wrong in ["", "AAAA", &KEY[4..], &p256[..60], "not base64"] {
        assert_eq!(key(wrong), Err(KeyError), "{wrong}");
    }
}

#[test]
fn components_are_what_the_request_says_or_are_not_there() {
    let (headers, uri) = (headers(), Uri::from_static("/foo?param=Value&Pet=dog"));
    let of = |component: &str| {
        let input = Input::parse(&format!("a=(\"{component}\")")).unwrap();
        let base = base(&input, &Method::POST, &uri, &headers)?;
        Some(base.lines().next().unwrap().split_once(": ").unwrap().1.to_owned())
    };
    for (component, value) in [
        ("@method", "POST"),
        ("@target-uri", "https://example.com/foo?param=Value&Pet=dog"),
        ("@authority", "example.com"),
        ("@scheme", "https"),
        ("@request-target", "/foo?param=Value&Pet=dog"),
        ("@path", "/foo"),
        ("@query", "?param=Value&Pet=dog"),
        ("content-length", "18"),
    ] {
        assert_eq!(of(component).as_deref(), Some(value), "{component}");
    }
    for absent in ["@status", "@query-param", "Date", "x-absent", ""] {
        assert_eq!(of(absent), None, "{absent}");
    }
}
