//! Ids of clients that registered themselves, as lists show them: begin, `…` and end.

use std::collections::BTreeSet;

use keystile_domain::records::GrantFilter;

use super::{Admin, client_unknown};
use crate::admin::store;
use crate::failure::Failure;

impl Admin {
    /// The whole id of one that was copied from a list; any other as it is.
    pub(in crate::admin) async fn whole_client_id(&self, id: String) -> Result<String, Failure> {
        let Some((begin, end)) = id.split_once(CUT) else {
            return Ok(id);
        };
        let filter = GrantFilter {
            dead_too: true,
            ..GrantFilter::default()
        };
        let disabled = self
            .clients
            .disabled()
            .await
            .map_err(|error| store(&error))?;
        let grants = self
            .grants
            .list(filter)
            .await
            .map_err(|error| store(&error))?;
        let known = disabled.into_iter().map(|(id, _)| id);
        let known = known.chain(grants.into_iter().map(|grant| grant.client_id));
        let fits = |known: &String| known.starts_with(begin) && known.ends_with(end);
        let mut fitting: BTreeSet<String> = known.filter(fits).collect();
        match (fitting.pop_first(), fitting.is_empty()) {
            (Some(whole), true) => Ok(whole),
            (Some(_), false) => Err(Failure::usage(
                "client_id",
                format!("more than one client_id begins and ends like {id}"),
                "give it whole, as keystile client list --json or grant list --json has it",
            )),
            (None, _) => Err(client_unknown(&id)),
        }
    }
}

/// What stands for the middle of an id.
const CUT: char = '…';
