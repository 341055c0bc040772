//! How much one name, one network and one person may ask of this server.

/// How many attempts at once, and how long each one takes to come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) burst: i64,
    pub(super) millis_each: i64,
}

pub(super) const PER_NAME: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};

pub(super) const PER_NETWORK: Allowance = Allowance {
    burst: 30,
    millis_each: 5_000,
};

/// The set-up code has about 58 bits and lives 15 minutes.
pub(super) const SETUP_CODE: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};

/// Initial access tokens have 256 bits; what is bounded is the trail of the wrong ones.
pub(super) const INITIAL_ACCESS_TOKEN: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};

/// Documents that have to be fetched: an app is connected now and then, and most are known.
pub(super) const DOCUMENT_FETCHES: Allowance = Allowance {
    burst: 20,
    millis_each: 6_000,
};

/// An authorization request is a page that a person looks at. Each costs one seal.
pub(super) const AUTHORIZE: Allowance = Allowance {
    burst: 500,
    millis_each: 20,
};

/// Codes of devices, for one person: see [`UserCode`](keystile_domain::secrets::user_code::UserCode).
pub(super) const USER_CODE: Allowance = Allowance {
    burst: 10,
    millis_each: 30_000,
};

/// Each request of a device is a row for up to twenty minutes: so one network has 150 at most of the
/// [`MOST_DEVICE_REQUESTS`](keystile_domain::records::MOST_DEVICE_REQUESTS).
pub(super) const DEVICE: Allowance = Allowance {
    burst: 30,
    millis_each: 10_000,
};

/// A pushed request costs one seal, and one proof of the client's.
pub(super) const PUSH: Allowance = AUTHORIZE;

/// A registration costs two seals and leaves nothing behind.
pub(super) const REGISTER: Allowance = Allowance {
    burst: 120,
    millis_each: 500,
};

/// Requests for tokens that come to nothing. An answered one costs [`ANSWERED`] only: who holds a
/// grant may refresh as often as they like.
pub(super) const TOKEN: Allowance = Allowance {
    burst: 500,
    millis_each: 20,
};

/// Introspections that come to nothing; an answered one costs as little as a token request.
pub(super) const INTROSPECT: Allowance = TOKEN;

/// What an answered request costs, in milliseconds.
pub(super) const ANSWERED: i64 = 1;
