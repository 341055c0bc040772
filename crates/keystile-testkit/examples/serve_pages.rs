//! Serves the issuer with the fakes on a free loopback port, to look at its pages in a browser.
//!
//! Prints one line of JSON: the origin, a set-up code, and authorize addresses. Ends with its
//! standard input. With the argument `person` there is an account already.

use std::io::Write as _;
use std::net::SocketAddr;

use keystile_testkit::issuer::TestApp;
use tokio::io::AsyncReadExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    let mut test = TestApp::at(&origin);
    if std::env::args().any(|argument| argument == "person") {
        test = test.with_person().await;
    }
    let mut authorize = Vec::new();
    for (name, redirect) in [
        ("Claude", "https://claude.ai/api/mcp/auth_callback"),
        ("MCP Inspector", "http://127.0.0.1:6274/oauth/callback"),
        ("By address", "http://[::1]:6274/oauth/callback"),
        ("Cursor", "cursor://anysphere.cursor-mcp/oauth/callback"),
        (
            "Сlaude ✓ verified by Anthropic, the one and only real Claude of all",
            "https://vscode.dev/redirect",
        ),
    ] {
        let client = test.register(name, &[redirect]).await;
        authorize.push(format!("{origin}{}", test.authorize_url(&client, redirect)));
    }
    let claude_code = "https://claude.ai/oauth/claude-code-client-metadata";
    let redirect = "http://localhost:51234/callback";
    authorize.push(format!(
        "{origin}{}",
        test.authorize_url(claude_code, redirect)
    ));
    let ready = serde_json::json!({
        "origin": origin,
        "setup_code": test.setup_code().await,
        "authorize": authorize,
    });
    writeln!(std::io::stdout(), "{ready}")?;
    let service = test
        .router()
        .into_make_service_with_connect_info::<SocketAddr>();
    let closed = async {
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    axum::serve(listener, service)
        .with_graceful_shutdown(closed)
        .await
}
