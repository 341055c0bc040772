//! A database that is gone.

use keystile_domain::ports::{Clients, StoreError};
use keystile_domain::records::{AssertionUse, ClientSecrets, PreRegisteredClient};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

/// Answers nothing.
pub(crate) struct Gone;

fn gone<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("secret path /var/lib".into()))
}

#[async_trait::async_trait]
impl Clients for Gone {
    async fn add(&self, _: PreRegisteredClient, _: Option<Digest>) -> Result<bool, StoreError> {
        gone()
    }

    async fn lookup(&self, _: &str) -> Result<Option<PreRegisteredClient>, StoreError> {
        gone()
    }

    async fn list(&self) -> Result<Vec<PreRegisteredClient>, StoreError> {
        gone()
    }

    async fn secrets(&self, _: &str, _: Timestamp) -> Result<ClientSecrets, StoreError> {
        gone()
    }

    async fn rotate_secret(
        &self,
        _: &str,
        _: Digest,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        gone()
    }

    async fn replace(
        &self,
        _: PreRegisteredClient,
        _: PreRegisteredClient,
        _: Option<Digest>,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        gone()
    }

    async fn remove(&self, _: &str, _: Timestamp) -> Result<Option<u64>, StoreError> {
        gone()
    }

    async fn disable(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        gone()
    }

    async fn enable(&self, _: &str) -> Result<bool, StoreError> {
        gone()
    }

    async fn disabled_since(&self, _: &str) -> Result<Option<Timestamp>, StoreError> {
        gone()
    }

    async fn disabled(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        gone()
    }

    async fn take_assertion(
        &self,
        _: &str,
        _: Digest,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<AssertionUse, StoreError> {
        gone()
    }
}
