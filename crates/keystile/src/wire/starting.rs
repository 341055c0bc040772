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

/// A token for yesterday's server must not open today's (DESIGN §2).
pub(super) async fn bind_name(
    installation: &Installation,
    name: &str,
    fingerprint: &str,
    rebind: bool,
) -> Result<(), Failure> {
    let store = &installation.store;
    let now = installation.clock.now();
    let failed = |error| Failure::failed("store", error, "look at the disk and the log");
    match store.bind(name, fingerprint, now).await.map_err(failed)? {
        Bound::New | Bound::Same => Ok(()),
        Bound::Other(earlier) if same(&earlier, fingerprint) => Ok(()),
        Bound::Other(_) if rebind => {
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
            Ok(())
        }
        Bound::Other(earlier) => Err(Failure::configuration(
            "other_upstream",
            format!(
                "in this data directory, {name} is the name of another server, whose tokens must not open this one; it was: {}; now it is: {}",
                text(&earlier),
                text(fingerprint)
            ),
            "choose another --name; or, if this one takes its place, say --rebind, which ends the earlier one's grants",
        )),
    }
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
