//! One file per endpoint of the issuer.

pub(crate) mod address;
pub(crate) mod authorize;
pub(crate) mod body;
pub(crate) mod device;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod own_tokens;
pub(crate) mod par;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
