//! Initial access tokens, and the places whose redirects the owner approved of.

use async_trait::async_trait;
use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::ports::{Registrations, StoreError};
use keystile_domain::records::{
    ApprovedPlace, InitialAccessToken, MOST_INITIAL_ACCESS_TOKENS, MOST_REDIRECT_PLACES,
    NewInitialAccessToken, Spent,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::mutation::weakened;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row;
use crate::writer::{Footprint, Verb};

/// `id, note, created_at, expires_at, uses, used, revoked_at`.
type TokenRow = (String, Option<String>, i64, i64, u32, u32, Option<i64>);

#[async_trait]
impl Registrations for Store {
    async fn add_token(&self, token: NewInitialAccessToken) -> Result<bool, StoreError> {
        self.writer.run(AddToken(token)).await
    }

    async fn tokens(&self) -> Result<Vec<InitialAccessToken>, StoreError> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT id, note, created_at, expires_at, uses, used, revoked_at
             FROM initial_access_tokens ORDER BY id DESC",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(rows.into_iter().map(token).collect::<Result<_, _>>()?)
    }

    async fn revoke_token(
        &self,
        id: InitialAccessTokenId,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        self.writer.run(RevokeToken { id, now }).await
    }

    async fn spend_token(&self, digest: Digest, now: Timestamp) -> Result<Spent, StoreError> {
        if self.token_of(digest).await?.is_none() {
            return Ok(Spent::No(None));
        }
        match self.writer.run(SpendToken { digest, now }).await? {
            Some(id) => Ok(Spent::Now(id)),
            // Only to say why: nothing makes a token good again.
            None => Ok(Spent::No(self.token_of(digest).await?)),
        }
    }

    async fn approve_place(&self, place: &str, now: Timestamp) -> Result<bool, StoreError> {
        let place = place.to_owned();
        self.writer.run(Approve { place, now }).await
    }

    async fn remove_place(&self, place: &str) -> Result<bool, StoreError> {
        self.writer.run(Remove(place.to_owned())).await
    }

    async fn is_approved(&self, place: &str) -> Result<bool, StoreError> {
        let approved =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM approved_places WHERE place = $1)")
                .bind(place)
                .fetch_one(&self.readers)
                .await;
        Ok(approved.map_err(Failure::from)?)
    }

    async fn places(&self) -> Result<Vec<ApprovedPlace>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT place, approved_at FROM approved_places ORDER BY place")
                .fetch_all(&self.readers)
                .await
                .map_err(Failure::from)?;
        let place = |(place, approved_at)| ApprovedPlace {
            place,
            approved_at: Timestamp(approved_at),
        };
        Ok(rows.into_iter().map(place).collect())
    }
}

impl Store {
    async fn token_of(&self, digest: Digest) -> Result<Option<InitialAccessToken>, StoreError> {
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT id, note, created_at, expires_at, uses, used, revoked_at
             FROM initial_access_tokens WHERE digest = $1",
        )
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.map(token).transpose()?)
    }
}

fn token(row: TokenRow) -> Result<InitialAccessToken, Failure> {
    let (id, note, created_at, expires_at, uses, used, revoked_at) = row;
    Ok(InitialAccessToken {
        id: row::parse(&id, "initial_access_tokens.id")?,
        note,
        created_at: Timestamp(created_at),
        expires_at: Timestamp(expires_at),
        uses,
        used,
        revoked_at: revoked_at.map(Timestamp),
    })
}

struct AddToken(NewInitialAccessToken);

#[async_trait]
impl Verb for AddToken {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "INSERT INTO initial_access_tokens
                 (id, digest, note, created_at, expires_at, uses, used)
             SELECT $1, $2, $3, $4, $5, $6, 0
             WHERE (SELECT count(*) FROM initial_access_tokens) < $7",
        )
        .bind(self.0.id.to_string())
        .bind(self.0.digest.as_bytes().as_slice())
        .bind(&self.0.note)
        .bind(self.0.created_at.0)
        .bind(self.0.expires_at.0)
        .bind(self.0.uses)
        .bind(MOST_INITIAL_ACCESS_TOKENS)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

struct RevokeToken {
    id: InitialAccessTokenId,
    now: Timestamp,
}

#[async_trait]
impl Verb for RevokeToken {
    type Answer = Option<bool>;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let id = self.id.to_string();
        let revoked: Option<bool> = sqlx::query_scalar(
            "UPDATE initial_access_tokens SET revoked_at = $2
             WHERE id = $1 AND revoked_at IS NULL RETURNING used < uses AND expires_at > $2",
        )
        .bind(&id)
        .bind(self.now.0)
        .fetch_optional(&mut *connection)
        .await?;
        if revoked.is_some() {
            return Ok(revoked);
        }
        let known =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM initial_access_tokens WHERE id = $1)");
        let known: bool = known.bind(&id).fetch_one(connection).await?;
        Ok(known.then_some(false))
    }
}

struct SpendToken {
    digest: Digest,
    now: Timestamp,
}

#[async_trait]
impl Verb for SpendToken {
    type Answer = Option<InitialAccessTokenId>;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Answer, Failure> {
        let sql = match weakened("a_063b") {
            true => "UPDATE initial_access_tokens SET used = used WHERE digest = $1 RETURNING id",
            false => {
                "UPDATE initial_access_tokens SET used = used + 1
                 WHERE digest = $1 AND used < uses AND expires_at > $2 AND revoked_at IS NULL
                 RETURNING id"
            }
        };
        let id: Option<String> = sqlx::query_scalar(sql)
            .bind(self.digest.as_bytes().as_slice())
            .bind(self.now.0)
            .fetch_optional(connection)
            .await?;
        id.map(|id| row::parse(&id, "initial_access_tokens.id"))
            .transpose()
    }
}

struct Approve {
    place: String,
    now: Timestamp,
}

#[async_trait]
impl Verb for Approve {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query(
            "INSERT INTO approved_places (place, approved_at) SELECT $1, $2
             WHERE (SELECT count(*) FROM approved_places) < $3
                 OR EXISTS (SELECT 1 FROM approved_places WHERE place = $1)
             ON CONFLICT (place) DO UPDATE SET place = place",
        )
        .bind(&self.place)
        .bind(self.now.0)
        .bind(MOST_REDIRECT_PLACES)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

struct Remove(String);

#[async_trait]
impl Verb for Remove {
    type Answer = bool;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let done = sqlx::query("DELETE FROM approved_places WHERE place = $1")
            .bind(&self.0)
            .execute(connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
