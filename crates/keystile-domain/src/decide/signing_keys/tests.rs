use super::*;
use SigningKeyState::{Current, Next, Retired};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn key(kid: &str, state: SigningKeyState, made: Timestamp) -> SealedSigningKey {
    SealedSigningKey {
        kid: kid.to_owned(),
        sealed: kid.as_bytes().to_vec(),
        state,
        created_at: made,
        since: made,
    }
}

fn first() -> Vec<SealedSigningKey> {
    vec![key("a", Current, NOW), key("b", Next, NOW)]
}

fn plain(new_next: &str, now: Timestamp) -> Rotation {
    Rotation {
        instead_of_next: None,
        new_next: key(new_next, Next, now),
        forget_old: false,
    }
}

fn told(keys: &[SealedSigningKey]) -> Vec<(&str, SigningKeyState, Timestamp)> {
    let told = keys.iter();
    told.map(|key| (key.kid.as_str(), key.state, key.since))
        .collect()
}

#[test]
fn what_was_next_signs_and_what_signed_is_retired() {
    let now = NOW.plus(MINUTE);
    let keys = rotate(&first(), plain("c", now), now).unwrap();
    assert_eq!(
        told(&keys),
        [("a", Retired, now), ("b", Current, now), ("c", Next, now)]
    );
    let without_next = [key("a", Current, NOW)];
    let keys = rotate(&without_next, plain("c", now), now).unwrap();
    assert_eq!(told(&keys), [("a", Retired, now), ("c", Current, now)]);
    assert_eq!(
        rotate(&[], plain("c", now), now),
        Err(NotRotated::NoCurrent)
    );
}

#[test]
fn another_algorithm_takes_the_place_of_the_next_key_which_signed_nothing() {
    let rotation = Rotation {
        instead_of_next: Some(key("x", Next, NOW)),
        ..plain("y", NOW)
    };
    let keys = rotate(&first(), rotation, NOW).unwrap();
    assert_eq!(
        told(&keys),
        [("a", Retired, NOW), ("x", Current, NOW), ("y", Next, NOW)]
    );
}

#[test]
fn a_leaked_key_and_those_beside_it_are_not_published_any_more() {
    let once = rotate(&first(), plain("c", NOW), NOW).unwrap();
    let rotation = |instead_of_next| Rotation {
        instead_of_next,
        forget_old: true,
        ..plain("e", NOW)
    };
    let keys = rotate(&once, rotation(Some(key("d", Next, NOW))), NOW).unwrap();
    assert_eq!(told(&keys), [("d", Current, NOW), ("e", Next, NOW)]);
    let keys = rotate(&once, rotation(None), NOW).unwrap();
    assert_eq!(told(&keys), [("e", Current, NOW)]);
}

#[test]
fn a_082_a_retired_key_is_published_while_a_token_of_it_can_live_and_not_longer() {
    let retired = key("a", Retired, NOW);
    let longest_token = Duration::from_secs(MAX_LIFETIME);
    assert!(!is_over(&retired, NOW.plus(longest_token)));
    assert!(!is_over(
        &retired,
        NOW.plus(OVERLAP - Duration::from_millis(1))
    ));
    assert!(is_over(&retired, NOW.plus(OVERLAP)));
    assert!(!is_over(&key("a", Current, NOW), NOW.plus(OVERLAP * 1000)));
    let later = NOW.plus(OVERLAP);
    let keys = [retired, key("b", Current, NOW), key("c", Next, NOW)];
    let keys = rotate(&keys, plain("d", later), later).unwrap();
    assert_eq!(told(&keys)[0], ("b", Retired, later), "a went");
}

#[test]
fn a_082_a_key_signs_by_itself_only_after_everybody_could_read_it() {
    let every = ROTATE_EVERY;
    let just_before = NOW.plus(every - Duration::from_millis(1));
    let due = NOW.plus(every);
    assert!(!is_due(&first(), every, just_before));
    assert!(is_due(&first(), every, due));
    // The next one was made late: an installation of an earlier release had none.
    let late = [key("a", Current, NOW), key("b", Next, due)];
    assert!(!is_due(&late, every, due));
    assert!(!is_due(
        &late,
        every,
        due.plus(OVERLAP - Duration::from_millis(1))
    ));
    assert!(is_due(&late, every, due.plus(OVERLAP)));
    assert!(
        !is_due(&[key("a", Current, NOW)], every, due),
        "no next one"
    );
}

#[test]
fn retired_keys_are_bounded_and_no_living_one_is_dropped_for_that() {
    let mut keys = first();
    let mut now = NOW;
    for turn in 0..MOST_RETIRED {
        now = now.plus(MINUTE);
        keys = rotate(&keys, plain(&format!("n{turn}"), now), now).unwrap();
    }
    assert_eq!(keys.len(), MOST_RETIRED + 2);
    let first_retired = NOW.plus(MINUTE);
    let wait = first_retired.plus(OVERLAP).since(now);
    assert_eq!(
        rotate(&keys, plain("x", now), now),
        Err(NotRotated::TooOften(wait))
    );
    let later = now.plus(wait);
    let keys = rotate(&keys, plain("x", later), later).unwrap();
    assert_eq!(keys.len(), MOST_RETIRED + 2);
    let rotation = Rotation {
        forget_old: true,
        ..plain("y", later)
    };
    assert_eq!(rotate(&keys, rotation, later).unwrap().len(), 1);
}
