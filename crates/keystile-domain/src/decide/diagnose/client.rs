//! A `client_id` that nobody has here (any more).

use super::{Diagnosis, short};
use crate::flow::without_query;
use crate::secrets::client_id::PREFIX;
use crate::secrets::whose_id::SealedBy;

/// Why a `client_id` is not known.
#[must_use]
pub fn lost(client_id: &str, sealed_by: SealedBy) -> Diagnosis {
    let (id, length) = (quoted(client_id), client_id.chars().count());
    if !client_id.starts_with(PREFIX) {
        let found = format!("No client with the id {id} is in the database.");
        return Diagnosis::named("client_unknown", found);
    }
    match sealed_by {
        SealedBy::AnotherKey => Diagnosis::named(
            "client_sealed_by_another_key",
            format!("{id} was made with a master key that this installation does not have."),
        ),
        SealedBy::ThisKey => Diagnosis::named(
            "client_id_damaged",
            format!("{id} was made here, but its {length} characters were changed on the way."),
        ),
        SealedBy::Nobody => Diagnosis::named(
            "client_id_damaged",
            format!("{id} has {length} characters and is no whole id: cut off, or mistyped."),
        ),
    }
}

/// A client that the operator keeps out.
#[must_use]
pub fn disabled(client_id: &str) -> Diagnosis {
    let found = format!("An operator disabled {}.", quoted(client_id));
    let diagnosis = Diagnosis::named("client_disabled", found);
    match client_id.starts_with(PREFIX) {
        // Too long for a line that is kept.
        true => diagnosis,
        false => diagnosis.filled("CLIENT_ID", client_id),
    }
}

/// Two ids in one request, where one would do.
#[must_use]
pub fn differs(in_form: &str, shown: &str) -> Diagnosis {
    let (form, shown) = (quoted(in_form), quoted(shown));
    let found = format!("The form says {form}, and what authenticates the client says {shown}.");
    Diagnosis::named("client_id_differs", found)
}

/// An id as log and doctor show it: of a sealed one as much as tells two apart, and nothing of what is
/// a token of ours in the wrong place.
#[must_use]
pub fn quoted(client_id: &str) -> String {
    let characters: Vec<char> = client_id.chars().collect();
    let ours = |byte: &[u8]| matches!(byte, [b'k', b's', _, b'_', ..]);
    if ours(client_id.as_bytes()) && !client_id.starts_with(PREFIX) {
        return format!("'{}…'", short(&client_id[..4]));
    }
    match characters.as_slice() {
        [begin @ .., _, _, _, _, _, _] if client_id.starts_with(PREFIX) && begin.len() > SHOWN => {
            let end: String = characters[begin.len()..].iter().collect();
            let begin: String = begin[..SHOWN].iter().collect();
            format!("'{}…{}'", short(&begin), short(&end))
        }
        _ => format!("'{}'", short(&without_query(client_id))),
    }
}

/// So many characters of a sealed id differ from those of another.
const SHOWN: usize = 16;
