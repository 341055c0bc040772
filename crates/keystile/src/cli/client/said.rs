//! What an operator reads of clients.

use keystile_domain::shown;
use keystile_protocol::redirect::RedirectUri;
use serde_json::Value;

use crate::cli::output;
use crate::control;

/// The id; with its secret, if one was made, which nobody can show again.
pub(super) fn credentials(answer: &Value) -> String {
    let part = |name: &str| answer[name].as_str().unwrap_or_default();
    match answer["client_secret"].as_str() {
        None => part("client_id").to_owned(),
        Some(secret) => format!(
            "client_id      {}\nclient_secret  {secret}\nThe secret is shown only now; only its digest is kept.",
            part("client_id")
        ),
    }
}

/// The same, after what was asked.
pub(super) fn changed(answer: &Value) -> String {
    if answer["was_so_before"] == true {
        return "It was so before; nothing changed.".to_owned();
    }
    match answer["client_secret"].is_string() {
        true => format!("Changed.\n{}", credentials(answer)),
        false => "Changed.".to_owned(),
    }
}

/// A table of clients.
pub(super) fn list(answer: &Value) -> String {
    let fields = [
        "client_id",
        "name",
        "auth_method",
        "grant_types",
        "redirect_uris",
        "disabled_at",
    ];
    let mut rows = control::rows(answer, fields);
    let items = answer.as_array().into_iter().flatten();
    for (row, item) in rows.iter_mut().zip(items) {
        if item["exact_port"] == true {
            row[4].push_str(" (exact port)");
        }
        row[0] = output::shortened(&row[0]);
        let disabled = !row[5].is_empty();
        row[5] = if disabled { "disabled" } else { "" }.to_owned();
    }
    let head = [
        "CLIENT_ID",
        "NAME",
        "AUTH",
        "GRANTS",
        "REDIRECT_URIS",
        "STATE",
    ];
    output::table(head, &rows)
}

/// One client for a person; what it does not have is left out.
pub(super) fn in_words(answer: &Value) -> String {
    let plain = [
        ("client_id", "client_id"),
        ("name", "name"),
        ("kind", "kind"),
        ("authenticates", "auth_method"),
        ("may ask for", "grant_types"),
        ("scopes", "scopes"),
        ("redirects", "redirect_uris"),
        ("keys", "jwks_uri"),
        ("introspects", "introspects"),
        ("since", "created_at"),
        ("disabled", "disabled_at"),
    ];
    let fields = plain.map(|(_, field)| field);
    let one = Value::Array(vec![answer.clone()]);
    let row = control::rows(&one, fields).pop().unwrap_or_default();
    let mut lines = Vec::new();
    for ((name, field), value) in plain.into_iter().zip(row) {
        let value = match field {
            "created_at" | "disabled_at" => output::moment_of(&value),
            "redirect_uris" if answer["native"] == true && has_loopback(answer) => {
                format!("{value} (loopback: any port)")
            }
            "redirect_uris" if answer["exact_port"] == true => format!("{value} (exact port)"),
            _ => value,
        };
        if !value.is_empty() {
            lines.push(shown::line(&format!("{name:14} {value}")));
        }
    }
    if answer["jwks"].is_object() {
        lines.push(format!("{:14} sent along; see them with --json", "keys"));
    }
    if answer["secrets"].as_u64().is_some_and(|count| count > 1) {
        lines.push(format!(
            "{:14} two work: the one before was kept; client rotate-secret ends both",
            "secrets"
        ));
    }
    if answer["require_pushed_authorization_requests"] == true {
        lines.push(format!("{:14} always", "pushes"));
    }
    lines.join("\n")
}

/// Whether a sign-in may lead to a port of the person's computer.
fn has_loopback(answer: &Value) -> bool {
    let uris = answer["redirect_uris"].as_array().into_iter().flatten();
    let mut uris = uris.filter_map(|uri| RedirectUri::parse(uri.as_str()?).ok());
    uris.any(|uri| uri.is_loopback())
}
