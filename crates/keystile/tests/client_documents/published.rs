//! What the host publishes, and a gate that is allowed to ask for it.

use keystile_testkit::hostile::Hostile;
use serde_json::{Value, json};

use crate::gate::Gate;

/// A redirect URI of [`native`], with the port of the moment.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:49152/callback";

/// The `client_id` of a path: `localhost` is a name that every machine resolves.
pub(crate) fn id(host: &Hostile, path: &str) -> String {
    host.url_at("localhost", path)
}

/// What vouches for a client: the host of its `client_id`, and the port, which is not everybody's.
pub(crate) fn authority(client_id: &str) -> &str {
    let rest = client_id.strip_prefix("https://").expect("an https URL");
    rest.split('/').next().unwrap_or_default()
}

/// A document like that of a command line program: loopback, any port.
pub(crate) fn native(host: &Hostile, path: &str) -> Value {
    json!({
        "client_id": id(host, path),
        "client_name": "Lantern",
        "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    })
}

/// Publishes [`native`] with these header lines and gives its `client_id`.
pub(crate) fn publish_native(host: &Hostile, path: &str, header: &str) -> String {
    host.serve(path, header, &native(host, path));
    id(host, path)
}

/// A gate that may ask this host and believes its certificate.
pub(crate) fn open_gate(host: &Hostile, flags: &[&str]) -> Gate {
    let allowed = ["--danger-fetch-allow", "localhost"];
    gate(host, &[&allowed, flags].concat())
}

/// A gate that believes the host's certificate.
pub(crate) fn gate(host: &Hostile, flags: &[&str]) -> Gate {
    let authority = host.ca_file();
    let authority = authority.to_str().expect("a path of ours is UTF-8");
    let always = ["demo", "--extra-ca-file", authority];
    Gate::start(&[&always, flags].concat())
}
