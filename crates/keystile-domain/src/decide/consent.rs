//! What a person allows of what was asked.

use keystile_protocol::mutation::weakened;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeCatalogue, ScopeSet};

/// The scopes of the grant: those that were asked, or `only` this one that they contain. Staying
/// connected is not a power over the server, so it goes with either. `None` if `only` exists nowhere or
/// is wider than what the page showed (CHECKLIST A-049).
#[must_use]
pub fn consent(asked: &ScopeSet, only: Option<&str>, scopes: &ScopeCatalogue) -> Option<ScopeSet> {
    let Some(only) = only else {
        return Some(asked.clone());
    };
    let shown = scopes.has(only) && scopes.hierarchy().permits(asked.iter(), only);
    let narrower = asked.filtered(|scope| scope == OFFLINE_ACCESS).with(only);
    (shown || weakened("n_as_29c")).then_some(narrower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_as_29_less_than_was_asked_can_be_allowed_and_never_more() {
        let scopes = ScopeCatalogue::of_server("kb");
        let allow = |asked: &str, only| {
            let granted = consent(&asked.parse().unwrap(), only, &scopes);
            granted.map(|granted| granted.to_string())
        };
        let both = "kb:call offline_access";
        assert_eq!(allow(both, None).as_deref(), Some(both));
        let less = Some("kb:read offline_access");
        assert_eq!(allow(both, Some("kb:read")).as_deref(), less);
        assert_eq!(
            allow("kb:call", Some("kb:read")).as_deref(),
            Some("kb:read")
        );
        assert_eq!(
            allow("kb:read", Some("kb:read")).as_deref(),
            Some("kb:read")
        );
        for only in ["kb:call", "git:read", "offline_access", "openid", ""] {
            assert_eq!(allow("kb:read", Some(only)), None, "{only}");
        }
        assert_eq!(allow(both, Some("offline_access")), None);
    }
}
