//! A `client_id` that nobody has here (any more).

use super::Diagnosis;
use crate::secrets::client_id::PREFIX;
use crate::secrets::whose_id::SealedBy;

/// Why a `client_id` is not known.
#[must_use]
pub fn lost(client_id: &str, sealed_by: SealedBy) -> Diagnosis {
    let length = client_id.chars().count();
    if !client_id.starts_with(PREFIX) {
        let found = format!("No client with this id of {length} characters is in the database.");
        return Diagnosis::named("client_unknown", found);
    }
    match sealed_by {
        SealedBy::AnotherKey => Diagnosis::named(
            "client_sealed_by_another_key",
            "It was made with a master key that this installation does not have.",
        ),
        SealedBy::ThisKey => Diagnosis::named(
            "client_id_damaged",
            format!("It was made here, but its {length} characters were changed on the way."),
        ),
        SealedBy::Nobody => Diagnosis::named(
            "client_id_damaged",
            format!("It has {length} characters and is no whole id: cut off, or mistyped."),
        ),
    }
}
