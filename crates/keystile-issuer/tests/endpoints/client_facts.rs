//! What is known of the clients that people use (DESIGN §11), each registration and authorization
//! request as that client sends it, and the rule by which its redirect is compared.

use keystile_testkit::issuer::TestApp;
use serde_json::{Value, json};

use crate::{authorize_url, get, json as read, own_page, post_json};

const REGISTER: &str = "/oauth/register";

/// How a client comes, where it is sent back to, and where it never is.
struct Fact {
    client: &'static str,
    comes: Comes,
    /// Redirects that it asks for.
    returns_to: &'static [&'static str],
    /// Near misses.
    never: &'static [&'static str],
}

enum Comes {
    /// With this registration.
    Registers(Value),
    /// With this document as its `client_id`.
    Document(&'static str),
}

fn facts() -> Vec<Fact> {
    vec![
        Fact {
            client: "Claude on the web, registering itself",
            comes: Comes::Registers(json!({
                "client_name": "Claude",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "scope": "knowledge-base:call",
                "redirect_uris": [
                    "https://claude.ai/api/mcp/auth_callback",
                    "https://claude.com/api/mcp/auth_callback"
                ],
            })),
            returns_to: &[
                "https://claude.ai/api/mcp/auth_callback",
                "https://claude.com/api/mcp/auth_callback",
            ],
            never: &[
                "https://claude.ai:444/api/mcp/auth_callback",
                "https://claude.ai/api/mcp/auth_callback/",
            ],
        },
        Fact {
            client: "Claude on the web, by its document",
            comes: Comes::Document("https://claude.ai/oauth/mcp-oauth-client-metadata"),
            returns_to: &[
                "https://claude.ai/api/mcp/auth_callback",
                "https://claude.com/api/mcp/auth_callback",
            ],
            never: &["http://127.0.0.1:33418/"],
        },
        Fact {
            client: "Claude Code, by its document: native, any loopback port",
            comes: Comes::Document("https://claude.ai/oauth/claude-code-client-metadata"),
            returns_to: &[
                "http://localhost:51234/callback",
                "http://localhost/callback",
                "http://127.0.0.1:3118/callback",
            ],
            never: &[
                "http://localhost:51234/other",
                "http://[::1]:51234/callback",
                "https://localhost:51234/callback",
            ],
        },
        Fact {
            client: "Claude Code, registering itself",
            comes: Comes::Registers(json!({
                "client_name": "Claude Code (knowledge-base)",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "redirect_uris": ["http://localhost:54545/callback"],
            })),
            returns_to: &[
                "http://localhost:54545/callback",
                // It takes another port when this one is taken.
                "http://localhost:54546/callback",
            ],
            never: &["http://127.0.0.1:54545/callback"],
        },
        Fact {
            client: "ChatGPT, with a connector of its own",
            comes: Comes::Registers(json!({
                "client_name": "ChatGPT",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "redirect_uris": ["https://chatgpt.com/connector/oauth/Ab3_x-9Z"],
            })),
            returns_to: &["https://chatgpt.com/connector/oauth/Ab3_x-9Z"],
            never: &["https://chatgpt.com/connector/oauth/another"],
        },
        Fact {
            client: "ChatGPT, by its document: prefers a key, can do without",
            comes: Comes::Document("https://chatgpt.com/oauth/client.json"),
            returns_to: &["https://chatgpt.com/connector_platform_oauth_redirect"],
            never: &["https://chatgpt.com/connector/oauth/Ab3_x-9Z"],
        },
        Fact {
            client: "Codex, by its document",
            comes: Comes::Document("https://chatgpt.com/oauth/codex/client.json"),
            returns_to: &[
                "http://127.0.0.1:1455/callback",
                "http://localhost/callback",
            ],
            never: &["http://127.0.0.1:1455/auth/callback"],
        },
        Fact {
            client: "VS Code, registering itself",
            comes: Comes::Registers(json!({
                "client_name": "Visual Studio Code",
                "client_uri": "https://code.visualstudio.com",
                "grant_types": [
                    "authorization_code",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code"
                ],
                "response_types": ["code"],
                "redirect_uris": [
                    "https://insiders.vscode.dev/redirect",
                    "https://vscode.dev/redirect",
                    "http://127.0.0.1/",
                    "http://127.0.0.1:33418/"
                ],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
            })),
            returns_to: &[
                "http://127.0.0.1:33418/",
                "http://127.0.0.1:52001/",
                "https://vscode.dev/redirect",
                "https://insiders.vscode.dev/redirect",
            ],
            never: &["http://127.0.0.1:33418", "https://vscode.dev/redirect/"],
        },
        Fact {
            client: "VS Code, by its document",
            comes: Comes::Document("https://vscode.dev/oauth/client-metadata.json"),
            returns_to: &[
                "http://127.0.0.1:33418/",
                "http://127.0.0.1:52001/",
                "https://vscode.dev/redirect",
            ],
            never: &["http://localhost:33418/"],
        },
        Fact {
            client: "Cursor: a scheme, a site and a loopback port in one registration",
            comes: Comes::Registers(json!({
                "client_name": "Cursor",
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": [
                    "cursor://anysphere.cursor-mcp/oauth/callback",
                    "https://www.cursor.com/agents/mcp/oauth/callback",
                    "http://localhost:8787/callback"
                ],
            })),
            returns_to: &[
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback",
                "http://localhost:8787/callback",
                "http://localhost:8788/callback",
            ],
            never: &[
                "cursor://anysphere.cursor-mcp/oauth/callback/",
                "cursor://evil/oauth/callback",
                "https://cursor.com/agents/mcp/oauth/callback",
            ],
        },
        Fact {
            client: "MCP Inspector",
            comes: Comes::Registers(json!({
                "redirect_uris": ["http://127.0.0.1:6276/oauth/callback"],
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "client_name": "MCP Inspector",
                "client_uri": "https://github.com/modelcontextprotocol/inspector",
                "scope": "knowledge-base:call offline_access",
                "application_type": "native",
            })),
            returns_to: &[
                "http://127.0.0.1:6276/oauth/callback",
                "http://127.0.0.1:6274/oauth/callback",
            ],
            never: &["http://127.0.0.1:6276/oauth/callback/debug"],
        },
        Fact {
            client: "a confidential client with a loopback redirect and no type: its own port only",
            comes: Comes::Registers(json!({
                "client_name": "Agent",
                "redirect_uris": ["http://localhost:9000/cb"],
            })),
            returns_to: &["http://localhost:9000/cb"],
            never: &["http://localhost:9001/cb"],
        },
    ]
}

#[tokio::test]
async fn each_known_client_is_let_in_as_it_comes_and_returns_only_where_it_said() {
    for fact in facts() {
        let test = TestApp::new();
        let name = fact.client;
        let client = match fact.comes {
            Comes::Document(id) => id.to_owned(),
            Comes::Registers(body) => {
                let reply = post_json(&test, REGISTER, &body).await;
                assert_eq!(reply.status, 201, "{name}: {}", reply.body);
                let answer = read(&reply);
                assert_eq!(answer["redirect_uris"], body["redirect_uris"], "{name}");
                // PAINS 2: a client that is not told so never refreshes.
                let grants = answer["grant_types"].as_array().expect("grant types");
                assert!(grants.contains(&json!("refresh_token")), "{name}");
                answer["client_id"].as_str().expect("an id").to_owned()
            }
        };
        // With what some add: `prompt` is theirs to send and changes nothing here.
        for prompt in [None, Some("consent")] {
            for redirect in fact.returns_to {
                let changes = [("redirect_uri", Some(*redirect)), ("prompt", prompt)];
                let reply = get(&test, &authorize_url(&client, &changes)).await;
                assert_eq!(reply.status, 303, "{name}, {redirect}: {}", reply.text());
                let to = reply.location().expect("on to consent");
                assert!(
                    to.starts_with("/ks/consent?tx="),
                    "{name}, {redirect}: {to}"
                );
            }
        }
        for redirect in fact.never {
            let url = authorize_url(&client, &[("redirect_uri", Some(redirect))]);
            own_page(&get(&test, &url).await, &format!("{name}, {redirect}"));
        }
    }
}

#[tokio::test]
async fn the_operator_is_told_by_name_why_a_document_is_refused() {
    use keystile_fetch::{ClientDocuments, ClientHosts, FetchOptions, Fetcher};
    let open = || Fetcher::new(FetchOptions::default()).expect("a fetcher");
    let fetching = TestApp::new().with(|app| {
        app.documents = ClientDocuments::fetching(open());
    });
    let listed = TestApp::new().with(|app| {
        let hosts = ClientHosts {
            no_other: true,
            ..ClientHosts::default()
        };
        app.documents = ClientDocuments::fetching_from(open(), hosts);
    });
    let air_gapped = TestApp::new();
    let inside = "https://127.0.0.1:1/c.json";
    for (test, id, reason, fix) in [
        (
            &fetching,
            "http://apps.example/c.json",
            "client_id_url",
            "an http URL is never one",
        ),
        (
            &fetching,
            inside,
            "client_document_address_not_public",
            "--danger-fetch-allow 127.0.0.1",
        ),
        (
            &listed,
            "https://apps.example:8443/c.json",
            "client_host_not_listed",
            "--trust-client-host apps.example:8443",
        ),
        (
            &air_gapped,
            "https://apps.example/c.json",
            "client_document_not_fetched",
            "--air-gapped",
        ),
    ] {
        let reply = get(test, &authorize_url(id, &[])).await;
        own_page(&reply, id);
        let told = crate::told(test, &reply);
        assert_eq!(told.reason, reason, "{told}");
        assert!(told.fix.contains(fix), "{told}");
        assert!(
            !told.expected.is_empty() && !told.found.is_empty(),
            "{told}"
        );
        assert!(!reply.text().contains("--danger-fetch-allow"), "{id}");
    }
}
