use super::*;

fn reference(number: usize) -> Reference {
    format!("KS-{number:08}").parse().unwrap()
}

fn failed(at: i64, reason: &str) -> Step {
    let diagnosis = Diagnosis::named(reason.to_owned(), "found");
    Step::refused(Timestamp(at), Stage::Token, diagnosis)
}

#[test]
fn an_attempt_keeps_its_beginning_and_its_end() {
    let book = FlowBook::default();
    for at in 0..100 {
        book.add(
            &reference(1),
            Step::passed(Timestamp(at), Stage::Page, at.to_string()),
        );
    }
    let attempt = book.lookup(&reference(1), Timestamp(100)).unwrap();
    assert_eq!(attempt.steps.len(), MOST_STEPS);
    assert_eq!(attempt.left_out, 100 - MOST_STEPS as u32);
    assert_eq!(attempt.steps[0].note, "0");
    assert_eq!(attempt.steps[MOST_STEPS - 1].note, "99");
}

#[test]
fn a_sentence_is_kept_without_what_stands_behind_question_marks() {
    for (said, kept) in [
        (
            "Asked for: 'https://a.example/cb?key=x'. Registered: 'notes:/cb#y'.",
            "Asked for: 'https://a.example/cb?…' Registered: 'notes:/cb?…'",
        ),
        (
            "http://a.example/?x: it's wrong.",
            "http://a.example/?… it's wrong.",
        ),
        (
            "The resource 'http://ann:hunter2@a.example/mcp?k' is not https://a.example/@b.",
            "The resource 'http://a.example/mcp?…' is not https://a.example/@b.",
        ),
        ("Why? PKCE: that is why.", "Why? PKCE: that is why."),
        (
            "The resource 'ksr_AAAABBBB' is not one; a code begins with ksc_.",
            "The resource (a refresh token) is not one; a code begins with ksc_.",
        ),
    ] {
        assert_eq!(without_queries(said), kept);
    }
}

#[test]
fn a_flood_is_bounded_in_number_and_bytes_and_leaves_other_failures() {
    let book = FlowBook::default();
    book.add(&reference(0), failed(0, "code_expired"));
    let long = "x".repeat(1_000);
    for number in 1..5_000 {
        let mut step = failed(1, "bad_signature");
        step.note.clone_from(&long);
        book.add(&reference(number), step);
    }
    let kept = book.failed(Timestamp(2));
    assert_eq!(kept.len(), MOST_OF_ONE_REASON + 1);
    assert_eq!(
        kept[0].reference,
        reference(0),
        "the other one is still there"
    );
    assert_eq!(kept.last().unwrap().reference, reference(4_999));
    for number in 0..5_000 {
        book.add(
            &reference(100_000 + number),
            failed(1, &format!("reason_{number}")),
        );
        let going = Step::passed(Timestamp(1), Stage::Page, long.clone());
        book.add(&reference(200_000 + number), going);
    }
    let kept = book.failed(Timestamp(2));
    let bytes: usize = kept.iter().map(Attempt::weight).sum();
    assert!(kept.len() <= MOST_FAILED && bytes <= MOST_FAILED_BYTES);
    assert!(book.changes() >= 10_000);
    assert!(book.lookup(&reference(200_000), Timestamp(2)).is_none());
    assert!(book.lookup(&reference(204_999), Timestamp(2)).is_some());
}

#[test]
fn what_went_well_in_the_end_is_no_failure() {
    let book = FlowBook::default();
    book.add(&reference(1), failed(0, "wrong_name_or_password"));
    assert_eq!(book.failed(Timestamp(1)).len(), 1);
    let before = book.changes();
    book.add(
        &reference(1),
        Step::passed(Timestamp(1), Stage::SignIn, "by password"),
    );
    assert!(book.failed(Timestamp(2)).is_empty() && book.changes() > before);
    assert_eq!(
        book.lookup(&reference(1), Timestamp(2))
            .unwrap()
            .steps
            .len(),
        2
    );
}

#[test]
fn what_is_old_is_forgotten() {
    let book = FlowBook::default();
    book.add(&reference(1), failed(0, "code_expired"));
    book.add(
        &reference(2),
        Step::passed(Timestamp(0), Stage::Page, "open"),
    );
    let after = |kept: std::time::Duration| Timestamp(1).plus(kept);
    assert!(book.lookup(&reference(2), after(KEPT_GOING)).is_none());
    assert!(book.lookup(&reference(1), after(KEPT_GOING)).is_some());
    assert!(book.lookup(&reference(1), after(KEPT_FAILED)).is_none());
}

#[test]
fn failed_attempts_survive_as_json_and_others_do_not() {
    let book = FlowBook::default();
    book.add(&reference(1), failed(5, "code_expired"));
    book.add(
        &reference(2),
        Step::passed(Timestamp(5), Stage::Page, "open"),
    );
    let json = serde_json::to_string(&book.failed(Timestamp(6))).unwrap();
    let later = FlowBook::new(serde_json::from_str(&json).unwrap(), Timestamp(7));
    assert_eq!(later.failed(Timestamp(7)), book.failed(Timestamp(7)));
    assert_eq!(later.changes(), 0, "nothing is to be written yet");
    assert!(later.lookup(&reference(2), Timestamp(7)).is_none());
    let new_stage = json.replace("\"token\"", "\"a_stage_of_the_future\"");
    let attempts: Vec<Attempt> = serde_json::from_str(&new_stage).unwrap();
    assert_eq!(attempts[0].steps[0].stage, Stage::Request);
}

#[test]
fn an_address_is_kept_without_what_may_be_secret() {
    for (uri, shown) in [
        ("https://a.example/cb?code=secret", "https://a.example/cb"),
        ("https://user:secret@a.example/cb#x", "https://a.example/cb"),
        ("cursor://anysphere/cb", "cursor://anysphere/cb"),
        ("com.app:/cb", "com.app:/cb"),
        ("https://a.example/@x", "https://a.example/@x"),
        ("http://a\u{202e}b/\n", "http://a?b/?"),
        ("ksx_AAAABBBBCCCC", "(a client secret)"),
        ("eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "(an access token)"),
    ] {
        assert_eq!(without_query(uri), shown);
    }
}
