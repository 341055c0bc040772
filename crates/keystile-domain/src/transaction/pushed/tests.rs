use super::*;
use crate::secrets::master::MasterKey;
use crate::transaction::tests::{NOW, Sevens, transaction};
use crate::transaction::{LONGEST_HANDLE, TransactionError};

const CLIENT: &str = "https://client.example/c.json";

fn secrets() -> Secrets {
    Secrets::new(&MasterKey::generate(&Sevens))
}

fn pushed(secrets: &Secrets) -> String {
    let request = transaction(CLIENT, "C", "http://127.0.0.1:1/cb", "st&te");
    secrets.seal_pushed(&request, &Sevens).unwrap()
}

fn at(millis: u128) -> Timestamp {
    NOW.plus(Duration::from_millis(u64::try_from(millis).unwrap()))
}

#[test]
fn what_was_pushed_comes_back_for_its_client_and_begins_then() {
    let secrets = secrets();
    let uri = pushed(&secrets);
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let later = at(LIFETIME.as_millis());
    let opened = secrets.open_pushed(&uri, CLIENT, later).unwrap();
    let mut expected = transaction(CLIENT, "C", "http://127.0.0.1:1/cb", "st&te");
    expected.created_at = later;
    assert_eq!(opened, expected, "the id is that of the push");
}

#[test]
fn rfc_9126_a_request_uri_is_bound_to_its_client() {
    let secrets = secrets();
    let uri = pushed(&secrets);
    for other in [
        "",
        "https://client.example/c.jso",
        "https://CLIENT.example/c.json",
    ] {
        let refused = secrets.open_pushed(&uri, other, NOW);
        assert_eq!(refused, Err(PushedError::OtherClient), "{other}");
    }
}

#[test]
fn rfc_9126_a_request_uri_is_good_for_ninety_seconds() {
    let secrets = secrets();
    let late = at(LIFETIME.as_millis() + 1);
    let refused = secrets.open_pushed(&pushed(&secrets), CLIENT, late);
    assert_eq!(refused, Err(PushedError::Expired));
}

#[test]
fn what_was_not_given_out_here_is_told_apart_from_what_is_damaged() {
    let secrets = secrets();
    for (uri, why) in [
        ("https://client.example/request.jwt", PushedError::NotOurs),
        ("http://169.254.169.254/", PushedError::NotOurs),
        ("urn:ietf:params:oauth:request_uri", PushedError::NotOurs),
        (
            "urn:example:bwc4JK-ESC0w8acc191e-Y1LTC2",
            PushedError::NotOurs,
        ),
        ("urn:ietf:params:oauth:request_uri:", PushedError::Damaged),
        (
            "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
            PushedError::Damaged,
        ),
        (
            "urn:ietf:params:oauth:request_uri:../../x",
            PushedError::Damaged,
        ),
    ] {
        assert_eq!(secrets.open_pushed(uri, CLIENT, NOW), Err(why), "{uri}");
    }
    let mut uri = pushed(&secrets);
    let last = if uri.ends_with('A') { 'B' } else { 'A' };
    uri.replace_range(PREFIX.len() + 40..PREFIX.len() + 41, "~");
    assert!(secrets.open_pushed(&uri, CLIENT, NOW).is_err());
    let mut uri = pushed(&secrets);
    uri.pop();
    uri.push(last);
    assert!(secrets.open_pushed(&uri, CLIENT, NOW).is_err());
}

#[test]
fn a_pushed_request_is_no_handle_of_a_sign_in_and_the_other_way_round() {
    let secrets = secrets();
    let request = transaction(CLIENT, "C", "http://127.0.0.1:1/cb", "");
    let handle = secrets.seal_transaction(&request, &Sevens).unwrap();
    let as_uri = format!("{PREFIX}{handle}");
    let refused = secrets.open_pushed(&as_uri, CLIENT, NOW);
    assert_eq!(refused, Err(PushedError::Damaged));
    let uri = pushed(&secrets);
    let refused = secrets.open_transaction(&uri[PREFIX.len()..], NOW);
    assert_eq!(refused, Err(TransactionError::Foreign));
}

/// nginx takes a request line of 8 KiB by default, and `client_id` stands in it once more.
#[test]
fn the_longest_request_uri_fits_into_a_request_line() {
    let secrets = secrets();
    let client_id = format!("https://client.example/{}", "c".repeat(1024 - 23));
    let redirect = format!("https://client.example/{}", "r".repeat(2000 - 23));
    let sealed = |state: usize| {
        let state = "s".repeat(state);
        let request = transaction(&client_id, "C", &redirect, &state);
        secrets.seal_pushed(&request, &Sevens)
    };
    let TooLong { fits, .. } = sealed(3072).unwrap_err();
    let uri = sealed(fits).unwrap();
    assert!(uri.len() <= PREFIX.len() + LONGEST_HANDLE);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client_id)
        .append_pair("request_uri", &uri)
        .finish();
    let line = format!("GET /oauth/authorize?{query} HTTP/1.1\r\n");
    assert!(line.len() < 8 * 1024, "{}", line.len());
}
