//! A `client_id` that nobody has here (any more).

use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::mutation::weakened;

use super::{Diagnosis, short};
use crate::flow::without_query;
use crate::secrets::client_id::PREFIX;
use crate::secrets::kind_of;
use crate::secrets::whose_id::SealedBy;
use crate::shown::line;

/// Why a `client_id` is not known.
#[must_use]
pub fn lost(client_id: &str, sealed_by: SealedBy) -> Diagnosis {
    let (id, length) = (quoted(client_id), client_id.chars().count());
    if !client_id.starts_with(PREFIX) {
        let kind = kind_of(client_id);
        let looks = kind.map(|kind| format!(" It begins as {kind} of Keystile does."));
        let looks = looks.unwrap_or_default();
        let found = format!("No client with the id {id} is in the database.{looks}");
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
    let found = format!("An operator disabled {}.", known(client_id));
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
    let same = in_form.chars().zip(shown.chars());
    let same = same.take_while(|(one, other)| one == other).count();
    let (form, shown) = (quoted(in_form), quoted(shown));
    let found = format!(
        "The form says {form}, and what authenticates the client says {shown}: they differ from character {} on.",
        same + 1
    );
    Diagnosis::named("client_id_differs", found)
}

/// The id of a client that is known here, as log and doctor show it.
#[must_use]
pub fn known(client_id: &str) -> String {
    match client_id.starts_with(PREFIX) {
        true => quoted(client_id),
        false => format!("'{}'", short(&without_query(client_id))),
    }
}

/// An id that nobody here is known by, as log and doctor show it: this is the one place that decides how much of it is
/// kept. An address is shown without its query, of a sealed id as much as tells two apart. Anything else may be a secret
/// that came to the wrong place (a code, a verifier, a password): of that the beginning, a quarter at most, and the length.
#[must_use]
pub fn quoted(client_id: &str) -> String {
    let characters: Vec<char> = client_id.chars().collect();
    let text = |part: &[char]| line(&part.iter().collect::<String>());
    if client_id.starts_with(PREFIX) {
        return match characters.as_slice() {
            [begin @ .., _, _, _, _, _, _] if begin.len() > SHOWN => {
                let end = &characters[begin.len()..];
                format!("'{}…{}'", text(&begin[..SHOWN]), text(end))
            }
            all => format!("'{}'", text(all)),
        };
    }
    if ClientIdUrl::is_meant_by(client_id) || weakened("a_031b") {
        return format!("'{}'", short(&without_query(client_id)));
    }
    let length = characters.len();
    let beginning = &characters[..BEGINNING.min(length / 4)];
    format!("'{}…' ({length} characters)", text(beginning))
}

/// So many characters of a sealed id differ from those of another.
const SHOWN: usize = 16;

/// The most characters that are shown of an id which nobody has here.
const BEGINNING: usize = 4;
