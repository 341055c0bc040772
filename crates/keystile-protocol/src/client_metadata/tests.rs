use serde_json::{Value, json};

use super::*;
use crate::client_id_url::ClientIdUrl;
use crate::strict_json::Fault;

const URL: &str = "https://client.example/oauth/c.json";

fn good() -> Value {
    json!({
        "client_id": URL,
        "client_name": "Example",
        "redirect_uris": ["https://client.example/callback"],
    })
}

fn with(member: &str, value: Value) -> Vec<u8> {
    let mut document = good();
    document[member] = value;
    serde_json::to_vec(&document).expect("a value serialises")
}

fn without(member: &str) -> Vec<u8> {
    let mut document = good();
    document.as_object_mut().expect("an object").remove(member);
    serde_json::to_vec(&document).expect("a value serialises")
}

fn read(body: &[u8]) -> Result<ClientMetadata, DocumentError> {
    document(&ClientIdUrl::parse(URL).expect("a good URL"), body)
}

#[test]
fn a_registration_keeps_what_means_something_and_drops_the_rest() {
    let body = json!({
        "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback", "http://localhost:8787/callback"],
        "client_name": "Cursor",
        "client_uri": "javascript:alert(1)",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native",
        "scope": "kb:call offline_access",
        "logo_uri": 7,
        "contacts": ["a@example.com"],
        "software_id": "x",
        "client_secret": "s",
        "jwks_uri": null,
        "role": "admin",
    });
    let body = serde_json::to_vec(&body).expect("a value serialises");
    let client = ClientMetadata::registration(&body).expect("a good registration");
    assert_eq!(client.redirect_uris.len(), 2);
    assert_eq!(client.client_uri, None);
    assert_eq!(client.application_type, Some(ApplicationType::Native));
    assert_eq!(
        client.token_endpoint_auth_method,
        Some(TokenEndpointAuthMethod::None)
    );
    let kept = serde_json::to_string(&client).expect("it serialises");
    assert!(!kept.contains("role") && !kept.contains("secret") && !kept.contains("software"));
    assert_eq!(
        serde_json::from_str::<ClientMetadata>(&kept).expect("it reads back"),
        client
    );
}

#[test]
fn a_registration_that_says_little_gets_the_defaults_of_rfc7591() {
    let client = ClientMetadata::registration(br#"{"redirect_uris":["https://a.example/cb"]}"#)
        .expect("a good registration");
    assert_eq!(client.grant_types, ["authorization_code"]);
    assert_eq!(client.response_types, ["code"]);
    assert_eq!(client.application_type, None);
    let all = [
        TokenEndpointAuthMethod::None,
        TokenEndpointAuthMethod::ClientSecretBasic,
    ];
    assert_eq!(
        client.choose_auth_method(&all, TokenEndpointAuthMethod::ClientSecretBasic),
        Some(TokenEndpointAuthMethod::ClientSecretBasic)
    );
}

#[test]
fn a_registration_of_the_wrong_shape_is_refused_with_the_member_that_is_wrong() {
    let cases = [
        (r#"[]"#, "the metadata is not a JSON object"),
        (r#"{}"#, "redirect_uris is missing or empty"),
        (
            r#"{"redirect_uris":[]}"#,
            "redirect_uris is missing or empty",
        ),
        (
            r#"{"redirect_uris":null}"#,
            "redirect_uris is missing or empty",
        ),
        (
            r#"{"redirect_uris":"https://a.example"}"#,
            "redirect_uris must be an array of strings",
        ),
        (
            r#"{"redirect_uris":["https://a.example",1]}"#,
            "redirect_uris must be an array of strings",
        ),
        (
            r#"{"redirect_uris":["x"],"client_name":1}"#,
            "client_name must be a string",
        ),
        (
            r#"{"redirect_uris":["x"],"grant_types":"code"}"#,
            "grant_types must be an array of strings",
        ),
        (
            r#"{"redirect_uris":["x"],"scope":["a"]}"#,
            "scope must be a string",
        ),
        (
            r#"{"redirect_uris":["x"],"token_endpoint_auth_method":"client_secret_jwt"}"#,
            "token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt",
        ),
        (
            r#"{"redirect_uris":["x"],"application_type":"service"}"#,
            "application_type must be web or native",
        ),
        (
            r#"{"redirect_uris":["x"],"jwks_uri":"http://a.example/k"}"#,
            "jwks_uri must be an https URL without user name, password and fragment",
        ),
        (
            r#"{"redirect_uris":["x"],"jwks":[]}"#,
            "jwks must be a JWK Set",
        ),
        (
            r#"{"redirect_uris":["x"],"jwks":{"keys":[]},"jwks_uri":"https://a.example/k"}"#,
            "jwks and jwks_uri exclude each other",
        ),
        (
            r#"{"redirect_uris":["x"],"redirect_uris":["y"]}"#,
            "the metadata is not strict JSON: two members of one object have the same name (byte 23)",
        ),
    ];
    for (body, message) in cases {
        let error = ClientMetadata::registration(body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), message, "{body}");
        let about_redirects = message.starts_with("redirect_uris");
        assert_eq!(error.is_about_redirect_uris(), about_redirects, "{body}");
    }
    let many = json!({ "redirect_uris": vec!["https://a.example/cb"; 33] }).to_string();
    let long = json!({ "redirect_uris": ["x".repeat(2049)] }).to_string();
    for body in [many, long] {
        let error = ClientMetadata::registration(body.as_bytes()).expect_err("too long");
        assert_eq!(
            error,
            MetadataError::TooLong {
                member: "redirect_uris"
            }
        );
    }
}

/// MCP client registration: "the `client_id` in the document matches the URL exactly".
#[test]
fn n_as_06_the_client_id_in_the_document_is_the_url_byte_for_byte() {
    assert!(read(&with("client_id", json!(URL))).is_ok());
    for other in [
        "https://client.example/oauth/c.json/",
        "https://client.example/oauth/C.json",
        "https://CLIENT.example/oauth/c.json",
        "HTTPS://client.example/oauth/c.json",
        "https://client.example:443/oauth/c.json",
        "https://client.example/oauth/%63.json",
        "https://client.example/oauth/./c.json",
        "https://client.example/x/../oauth/c.json",
        "https://client.example//oauth/c.json",
        "https://client.example/oauth/c.json?",
        "https://client.example/oauth/c.json#",
        "https://client.example./oauth/c.json",
        " https://client.example/oauth/c.json",
        "https://client.example/oauth/c.json\n",
        "https://evil.example/oauth/c.json",
        "http://client.example/oauth/c.json",
        "",
    ] {
        let error = read(&with("client_id", json!(other))).expect_err(other);
        assert_eq!(error, DocumentError::OtherClientId, "{other:?}");
    }
}

#[test]
fn n_as_08_a_document_is_strict_json_with_client_id_client_name_and_redirect_uris() {
    let missing = |member| Err(MetadataError::Missing { member }.into());
    assert_eq!(read(&without("client_id")), Err(DocumentError::NoClientId));
    for value in [json!(1), json!(null), json!([URL]), json!({})] {
        assert_eq!(
            read(&with("client_id", value)),
            Err(DocumentError::NoClientId)
        );
    }
    assert_eq!(read(&without("client_name")), missing("client_name"));
    assert_eq!(
        read(&with("client_name", json!(null))),
        missing("client_name")
    );
    assert_eq!(
        read(&with("client_name", json!(" "))),
        missing("client_name")
    );
    assert_eq!(read(&without("redirect_uris")), missing("redirect_uris"));
    assert_eq!(
        read(&with("redirect_uris", json!([]))),
        missing("redirect_uris")
    );
    let wrong = |member, expected| Err(MetadataError::WrongType { member, expected }.into());
    assert_eq!(
        read(&with("client_name", json!(["x"]))),
        wrong("client_name", "a string")
    );
    for value in [
        json!("https://client.example/callback"),
        json!({}),
        json!([1]),
        json!([["x"]]),
    ] {
        assert_eq!(
            read(&with("redirect_uris", value)),
            wrong("redirect_uris", "an array of strings")
        );
    }

    let text = String::from_utf8(serde_json::to_vec(&good()).expect("it serialises"))
        .expect("JSON is UTF-8");
    let mut lone = text.clone().into_bytes();
    lone.push(0xff);
    let broken: Vec<(Vec<u8>, Fault)> = vec![
        (
            text.replacen('{', r#"{"client_name":"Claude","#, 1)
                .into_bytes(),
            Fault::DuplicateMember,
        ),
        (
            text.replacen('{', r#"{"client\u005fid":"https://claude.ai/x","#, 1)
                .into_bytes(),
            Fault::DuplicateMember,
        ),
        (format!("\u{feff}{text}").into_bytes(), Fault::Syntax),
        (format!("{text}{{}}").into_bytes(), Fault::TrailingData),
        (lone, Fault::InvalidUtf8),
        (
            text.replacen("Example", r"\ud800", 1).into_bytes(),
            Fault::LoneSurrogate,
        ),
        (
            text.replacen('{', r#"{"x":1e999,"#, 1).into_bytes(),
            Fault::NumberTooLarge,
        ),
        (
            b"<!doctype html><title>hello</title>".to_vec(),
            Fault::Syntax,
        ),
        (b"".to_vec(), Fault::Syntax),
        (text.replace('"', "'").into_bytes(), Fault::Syntax),
    ];
    for (body, fault) in broken {
        let shown = String::from_utf8_lossy(&body).into_owned();
        match read(&body).expect_err(&shown) {
            DocumentError::Metadata(MetadataError::Json(error)) => {
                assert_eq!(error.fault, fault, "{shown}");
            }
            other => panic!("{shown}: {other}"),
        }
    }
    assert_eq!(read(b"[]"), Err(MetadataError::NotAnObject.into()));
}

/// Draft §4.1: "MUST NOT" use a shared secret; §6.
#[test]
fn n_as_10_a_document_holds_no_secret() {
    for member in ["client_secret", "client_secret_expires_at"] {
        for value in [json!("s3cret"), json!(0), json!(null)] {
            assert_eq!(
                read(&with(member, value)),
                Err(DocumentError::Secret),
                "{member}"
            );
        }
    }
    for method in [
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
    ] {
        let body = with("token_endpoint_auth_method", json!(method));
        assert_eq!(read(&body), Err(DocumentError::SharedSecret), "{method}");
    }
    let body = with(
        "token_endpoint_auth_methods_supported",
        json!(["client_secret_post"]),
    );
    assert_eq!(read(&body), Err(DocumentError::SharedSecret));
    for key in [
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "oct"}),
        json!({"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "a", "d": "c"}),
        json!({"kty": "RSA", "n": "a", "e": "AQAB", "p": "c"}),
    ] {
        let body = with(
            "jwks",
            json!({ "keys": [{"kty": "EC", "x": "a", "y": "b"}, key] }),
        );
        assert_eq!(read(&body), Err(MetadataError::PrivateKey.into()), "{key}");
    }
    let public = json!({ "keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}] });
    assert_eq!(
        read(&with("jwks", public.clone()))
            .expect("public keys")
            .jwks,
        Some(public)
    );
}

#[test]
fn a_document_that_names_no_method_is_a_public_client() {
    let client =
        read(&serde_json::to_vec(&good()).expect("it serialises")).expect("a good document");
    assert_eq!(
        client.token_endpoint_auth_method,
        Some(TokenEndpointAuthMethod::None)
    );
}

/// ChatGPT prefers `private_key_jwt` and can do `none` (OpenID Connect RP Metadata Choices).
#[test]
fn the_method_is_one_that_both_sides_can_use() {
    use TokenEndpointAuthMethod::{
        ClientSecretBasic, ClientSecretPost, None as Public, PrivateKeyJwt,
    };
    let mut chatgpt = good();
    chatgpt["token_endpoint_auth_method"] = json!("private_key_jwt");
    chatgpt["token_endpoint_auth_methods_supported"] = json!([
        "client_secret_basic",
        "none",
        "private_key_jwt",
        "tls_client_auth"
    ]);
    chatgpt["jwks_uri"] = json!("https://client.example/jwks.json");
    let chatgpt = read(&serde_json::to_vec(&chatgpt).expect("it serialises")).expect("good");
    let choose = |offered: &[TokenEndpointAuthMethod]| chatgpt.choose_auth_method(offered, Public);
    assert_eq!(choose(&[Public, PrivateKeyJwt]), Some(PrivateKeyJwt));
    assert_eq!(choose(&[Public, ClientSecretBasic]), Some(Public));
    assert_eq!(choose(&[ClientSecretBasic, ClientSecretPost]), None);
}
