use proptest::prelude::*;

use super::*;

fn fault(text: &[u8]) -> Option<Fault> {
    check(text).err().map(|error| error.fault)
}

#[test]
fn a_102_two_members_with_the_same_name_are_refused_at_every_depth() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"method":"x","meth\u006fd":"y"}"#,
        r#"{"p":{"q":{"a":1,"b":0,"\u0061":2}}}"#,
        r#"[[{"a":1},{"a":1,"a":1}]]"#,
        r#"{"":1,"":2}"#,
        r#"{"😀":1,"\ud83d\ude00":2}"#,
    ] {
        assert_eq!(
            fault(text.as_bytes()),
            Some(Fault::DuplicateMember),
            "{text}"
        );
    }
    assert_eq!(
        fault(br#"{"a":{"a":1},"b":{"a":1}}"#),
        None,
        "other objects may have it too"
    );
    let many: Vec<String> = (0..60).map(|n| format!("\"k{n}\":0")).collect();
    assert_eq!(fault(format!("{{{}}}", many.join(",")).as_bytes()), None);
    for twin in [0, 23, 24, 25, 59] {
        let text = format!("{{{},\"k{twin}\":0}}", many.join(","));
        assert_eq!(
            fault(text.as_bytes()),
            Some(Fault::DuplicateMember),
            "k{twin}"
        );
    }
}

#[test]
fn a_105_control_characters_in_names_are_refused() {
    for name in [
        r"method\u0000",
        r"a\u007f",
        r"a\u0085b",
        r"\r",
        r"\n",
        "a\u{7f}",
        "\u{9c}",
    ] {
        for text in [
            format!("{{\"{name}\":1}}"),
            format!("{{\"a\":[{{\"b\":{{\"{name}\":1}}}}]}}"),
        ] {
            assert_eq!(
                fault(text.as_bytes()),
                Some(Fault::ControlInMember),
                "{text}"
            );
        }
    }
    assert_eq!(fault(br#"{"a":"\u0000\r"}"#), None, "values may have them");
}

#[test]
fn a_106_what_parsers_skip_or_bend_is_refused() {
    for (text, wanted) in [
        (&b"{\"a\":1e999}"[..], Fault::NumberTooLarge),
        (b"-1e400", Fault::NumberTooLarge),
        (b"{\"a\":\"\xff\"}", Fault::InvalidUtf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", Fault::InvalidUtf8),
        (b"{\"a\":\"\xc0\xae\"}", Fault::InvalidUtf8),
        (br#"["\ud800"]"#, Fault::LoneSurrogate),
        (br#"["\udc00\ud800"]"#, Fault::LoneSurrogate),
        (br#"["\ud800\u0041"]"#, Fault::LoneSurrogate),
        (br#"{"\ud800":1}"#, Fault::LoneSurrogate),
        (b"{} x", Fault::TrailingData),
        (b"{}{}", Fault::TrailingData),
        (b"1 2", Fault::TrailingData),
        (b"\xef\xbb\xbf{}", Fault::Syntax),
        (b"", Fault::Syntax),
        (b"{\"a\":01}", Fault::Syntax),
        (b"{\"a\":1.}", Fault::Syntax),
        (b"{\"a\":.5}", Fault::Syntax),
        (b"{\"a\":+1}", Fault::Syntax),
        (b"{\"a\":NaN}", Fault::Syntax),
        (b"{\"a\":1,}", Fault::Syntax),
        (b"[1,]", Fault::Syntax),
        (b"{'a':1}", Fault::Syntax),
        (b"{\"a\":\"\t\"}", Fault::Syntax),
        (b"{\"a\":\"\\x\"}", Fault::Syntax),
        (b"{\"a\"/**/:1}", Fault::Syntax),
        (b"{\"a\":1", Fault::Syntax),
        (b"{\"a", Fault::Syntax),
        (b"\"\\u12", Fault::Syntax),
    ] {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(fault(text), Some(wanted), "{shown}");
    }
    let digits = "9".repeat(400);
    assert_eq!(fault(digits.as_bytes()), Some(Fault::NumberTooLarge));
    let digits = "9".repeat(305);
    assert_eq!(fault(digits.as_bytes()), None);
}

#[test]
fn a_154_sixty_four_levels_pass_and_sixty_five_do_not() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(fault(nested(64).as_bytes()), None);
    assert_eq!(fault(nested(65).as_bytes()), Some(Fault::TooDeep));
    assert_eq!(
        fault("[".repeat(1_000_000).as_bytes()),
        Some(Fault::TooDeep)
    );
    assert_eq!(
        fault("{\"a\":".repeat(1_000_000).as_bytes()),
        Some(Fault::TooDeep)
    );
}

#[test]
fn a_155_an_object_has_at_most_4096_members() {
    let object = |members: usize| {
        let members: Vec<String> = (0..members).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(fault(object(4096).as_bytes()), None);
    assert_eq!(fault(object(4097).as_bytes()), Some(Fault::TooManyMembers));
}

/// Any JSON tree, with names that collide now and then.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("[a-z]{0,3}|\\PC{1,4}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Text that is nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"\\u0061\"",
        "\"b\"",
        "1",
        "-0",
        "1e5",
        "1e999",
        "0.1",
        "00",
        "-",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"",
        "\\",
        "\u{0}",
        "\u{feff}",
        "é",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_serde_writes_is_accepted(tree in tree()) {
        let text = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(check(text.as_bytes()), Ok(()));
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        prop_assert_eq!(check(pretty.as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_accepted_serde_accepts_too(text in nearly_json()) {
        if check(text.as_bytes()).is_ok() {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
            prop_assert!(read.is_ok(), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if check(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn a_mutilated_document_is_never_accepted_where_serde_refuses(
        tree in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut text = serde_json::to_vec(&tree).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if check(&text).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
        }
    }

    #[test]
    fn strings_decode_as_serde_decodes_them(string in any::<String>(), escape in any::<bool>()) {
        let mut text = serde_json::to_string(&string).unwrap();
        if escape {
            let units: String = string.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            text = format!("\"{units}\"");
        }
        let mut scanner = Scanner::new(text.as_bytes()).unwrap();
        prop_assert_eq!(scanner.string().unwrap().decode(), string.as_str());
    }
}
