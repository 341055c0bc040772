//! People with local accounts, and the code that lets the first one in.

mod changing;
mod disabling;

use async_trait::async_trait;
use keystile_domain::ids::PersonId;
use keystile_domain::ports::{People, StoreError};
use keystile_domain::records::{NewPerson, PersonCreated, PersonRecord, SetupCode, canonical_name};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use sqlx::SqliteConnection;

use super::Store;
use crate::failure::Failure;
use crate::row::{self, PersonRow};
use crate::writer::{Footprint, Verb};
use changing::{Remove, SetPassword};
use disabling::{Disable, Enable};

#[async_trait]
impl People for Store {
    async fn has_anybody(&self) -> Result<bool, StoreError> {
        let anybody = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM people)");
        Ok(anybody
            .fetch_one(&self.readers)
            .await
            .map_err(Failure::from)?)
    }

    async fn create_first(
        &self,
        person: NewPerson,
        code: Digest,
    ) -> Result<PersonCreated, StoreError> {
        self.writer.run(CreateFirst { person, code }).await
    }

    async fn create(&self, person: NewPerson) -> Result<PersonCreated, StoreError> {
        self.writer.run(Create(person)).await
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<PersonRecord>, StoreError> {
        // No name has one, but what is left of a removed person does.
        let canonical = canonical_name(name);
        if canonical.contains('\t') {
            return Ok(None);
        }
        let row: Option<PersonRow> = sqlx::query_as(
            "SELECT id, name, password_hash, created_at, disabled_at FROM people WHERE canonical = $1",
        )
        .bind(canonical)
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.map(row::person).transpose()?)
    }

    async fn lookup(&self, id: PersonId) -> Result<Option<PersonRecord>, StoreError> {
        let row: Option<PersonRow> = sqlx::query_as(
            "SELECT id, name, password_hash, created_at, disabled_at FROM people WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(row.map(row::person).transpose()?)
    }

    async fn list(&self) -> Result<Vec<PersonRecord>, StoreError> {
        let rows: Vec<PersonRow> = sqlx::query_as(
            "SELECT id, name, password_hash, created_at, disabled_at FROM people
             WHERE canonical <> name || char(9) || id ORDER BY canonical",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(Failure::from)?;
        Ok(rows
            .into_iter()
            .map(row::person)
            .collect::<Result<_, _>>()?)
    }

    async fn put_setup_code(&self, code: SetupCode) -> Result<(), StoreError> {
        self.writer.run(PutSetupCode(code)).await
    }

    async fn disable(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let ended = self.writer.run(Disable { person, now }).await?;
        Ok(ended.map(|ended| ended.alive))
    }

    async fn set_password(&self, person: PersonId, hash: String) -> Result<bool, StoreError> {
        self.writer.run(SetPassword { person, hash }).await
    }

    async fn remove(&self, person: PersonId, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let ended = self.writer.run(Remove { person, now }).await?;
        Ok(ended.map(|ended| ended.alive))
    }

    async fn enable(&self, person: PersonId) -> Result<bool, StoreError> {
        self.writer.run(Enable(person)).await
    }
}

struct Create(NewPerson);

#[async_trait]
impl Verb for Create {
    type Answer = PersonCreated;
    const FOOTPRINT: Footprint = Footprint::OneStatement;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<PersonCreated, Failure> {
        insert(&self.0, connection).await
    }
}

async fn insert(
    person: &NewPerson,
    connection: &mut SqliteConnection,
) -> Result<PersonCreated, Failure> {
    let done = sqlx::query(
        "INSERT INTO people (id, canonical, name, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (canonical) DO NOTHING",
    )
    .bind(person.id.to_string())
    .bind(canonical_name(&person.name))
    .bind(&person.name)
    .bind(&person.password_hash)
    .bind(person.created_at.0)
    .execute(connection)
    .await?;
    Ok(if done.rows_affected() == 1 {
        PersonCreated::Created
    } else {
        PersonCreated::NameTaken
    })
}

struct CreateFirst {
    person: NewPerson,
    code: Digest,
}

#[async_trait]
impl Verb for CreateFirst {
    type Answer = PersonCreated;
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<PersonCreated, Failure> {
        let now = self.person.created_at.0;
        let spent = sqlx::query(
            "UPDATE setup_codes SET spent_at = $2
             WHERE digest = $1 AND spent_at IS NULL AND expires_at > $2
             AND NOT EXISTS (SELECT 1 FROM people)",
        )
        .bind(self.code.as_bytes().as_slice())
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if spent.rows_affected() == 1 {
            return insert(&self.person, connection).await;
        }
        let (anybody, used): (bool, bool) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM people), EXISTS
             (SELECT 1 FROM setup_codes WHERE digest = $1 AND spent_at IS NOT NULL)",
        )
        .bind(self.code.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
        Ok(if anybody || used {
            PersonCreated::CodeSpent
        } else {
            PersonCreated::WrongCode
        })
    }
}

struct PutSetupCode(SetupCode);

#[async_trait]
impl Verb for PutSetupCode {
    type Answer = ();
    const FOOTPRINT: Footprint = Footprint::Several;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        sqlx::query("DELETE FROM setup_codes")
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO setup_codes (digest, created_at, expires_at) VALUES ($1, $2, $3)")
            .bind(self.0.digest.as_bytes().as_slice())
            .bind(self.0.created_at.0)
            .bind(self.0.expires_at.0)
            .execute(connection)
            .await?;
        Ok(())
    }
}
