//! What a start reads and writes in the installation, before anything answers.

use std::time::Duration;

use keystile_domain::ports::{Bindings as _, People as _};
use keystile_domain::records::Bound;
use keystile_protocol::issuer::Issuer;

use crate::failure::Failure;
use crate::wire::fingerprint::{same, text};
use crate::wire::installation::Installation;

/// The first set-up code works until it is used or the process ends; this bounds a forgotten one.
const FIRST_SETUP: Duration = Duration::from_secs(24 * 3600);

/// A server under its name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) fingerprint: String,
    /// Whether the operator said that it may take the name from another one.
    pub(super) may_rebind: bool,
}

/// A token for yesterday's server must not open today's (DESIGN §2).
///
/// # Errors
/// `other_upstream`, for the first of those that may not take their name; then none has taken one from another.
pub(super) async fn bind_names(
    installation: &Installation,
    servers: &[Named],
) -> Result<(), Failure> {
    let store = &installation.store;
    let now = installation.clock.now();
    let failed = |error| Failure::failed("store", error, "look at the disk and the log");
    let mut taking = Vec::new();
    for server in servers {
        let bound = store.bind(&server.name, &server.fingerprint, now).await;
        match bound.map_err(failed)? {
            Bound::New | Bound::Same => {}
            Bound::Other(earlier) if same(&earlier, &server.fingerprint) => {}
            Bound::Other(_) if server.may_rebind => taking.push(server),
            Bound::Other(earlier) => return Err(other_upstream(server, &earlier)),
        }
    }
    for Named {
        name, fingerprint, ..
    } in taking
    {
        let path = format!("/{name}/mcp");
        let rebound = async {
            let ended = store.rebind(name, fingerprint, &path, now).await;
            ended.map_err(failed)
        };
        let ended = installation
            .admin(None, None)
            .recorded("rebind", name, rebound)
            .await?;
        tracing::warn!(
            grants.ended = ended,
            "the name {name} is for another server now; {ended} grants of the earlier one were ended"
        );
    }
    Ok(())
}

fn other_upstream(server: &Named, earlier: &str) -> Failure {
    Failure::configuration(
        "other_upstream",
        format!(
            "in this data directory, {} is the name of another server, whose tokens must not open this one; it was: {}; now it is: {}",
            server.name,
            text(earlier),
            text(&server.fingerprint)
        ),
        "choose another name (--name, or its section); or, if this one takes its place, say --rebind, which ends the earlier one's grants",
    )
}

/// The code for the first account, while nobody has one.
pub(super) async fn setup_code(
    installation: &Installation,
    issuer: &Issuer,
) -> Result<Option<serde_json::Value>, Failure> {
    let anybody = installation.store.has_anybody().await;
    if anybody.map_err(|error| Failure::failed("store", error, "look at the disk and the log"))? {
        return Ok(None);
    }
    installation
        .admin(Some(issuer.to_string()), None)
        .setup_link(FIRST_SETUP)
        .await
        .map(Some)
}
