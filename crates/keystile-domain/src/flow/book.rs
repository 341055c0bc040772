//! The book of attempts: bounded in number, bytes and age, whoever fills it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystile_protocol::pkce::CodeChallenge;

use super::known_code::{KnownCode, gave_tokens, mark, query_mark};
use super::{Attempt, Mark, Noted, Stage, Step, Whose, without_query};
use crate::secrets::digest::Digest;
use crate::secrets::reference::Reference;
use crate::time::Timestamp;
use crate::transaction::Transaction;

/// The most attempts that went well so far, or go on.
pub const MOST_GOING: usize = 2_048;
/// How long those are kept.
pub const KEPT_GOING: Duration = Duration::from_secs(3_600);
/// The most failed attempts.
pub const MOST_FAILED: usize = 512;
/// The most failed attempts that ended for one reason: a flood of one kind leaves the others.
pub const MOST_OF_ONE_REASON: usize = 64;
/// How long failed attempts are kept.
pub const KEPT_FAILED: Duration = Duration::from_secs(7 * 86_400);
/// The most bytes that those which go on take, about.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;
/// The most bytes that the failed ones take, about; so much may be written to disk at a time.
pub const MOST_FAILED_BYTES: usize = 512 * 1024;

/// What every attempt of this process did, and the failed ones of earlier processes.
#[derive(Debug, Default)]
pub struct FlowBook(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    next: u64,
    going: Shelf,
    failed: Shelf,
    by_reference: HashMap<Reference, u64>,
    by_code: HashMap<Mark, u64>,
    by_challenge: HashMap<Mark, u64>,
    of_reason: HashMap<String, usize>,
    changes: u64,
}

/// Attempts by the order in which they came here.
#[derive(Debug, Default)]
struct Shelf {
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    attempt: Attempt,
    client_id: Option<Mark>,
    redirect_query: Option<Mark>,
    code: Option<Mark>,
    challenge: Option<Mark>,
}

impl FlowBook {
    /// An empty one, or one with the failed attempts of an earlier process, oldest first.
    #[must_use]
    pub fn new(earlier: Vec<Attempt>, now: Timestamp) -> Self {
        let book = Self::default();
        let mut pages = book.pages();
        for mut attempt in earlier {
            attempt.shorten();
            if attempt.failure().is_some() {
                pages.put(Entry::of(attempt), now);
            }
        }
        pages.changes = 0;
        drop(pages);
        book
    }

    /// A checked authorization request begins an attempt.
    pub fn begin(&self, transaction: &Transaction, now: Timestamp) {
        let client = &transaction.client;
        let name = client.name.as_deref().unwrap_or("without a name");
        let who = match transaction.client_host() {
            Some(host) => format!("{name} ({host})"),
            None => format!("{name} (a program on the person's computer)"),
        };
        let mut attempt = Attempt::new(transaction.reference.clone(), now);
        attempt.client = Some(who);
        attempt.resource = Some(transaction.resource.clone());
        attempt.redirect_uri = Some(without_query(transaction.redirect_uri.as_str()));
        attempt.shorten();
        let note = format!(
            "client, redirect and resource are right, PKCE is well-formed; scopes {}",
            transaction.scopes
        );
        attempt.add(Step::passed(now, Stage::Authorize, note));
        let entry = Entry {
            client_id: Some(mark(&client.client_id)),
            redirect_query: query_mark(transaction.redirect_uri.as_str()),
            challenge: Mark::of(transaction.challenge.as_bytes()),
            ..Entry::of(attempt)
        };
        self.pages().put(entry, now);
    }

    /// An attempt of another kind begins, of the client of this id, and known again by this code.
    pub fn start(&self, mut attempt: Attempt, client_id: &str, code: Digest) {
        attempt.shorten();
        let now = attempt.begun_at;
        let entry = Entry {
            client_id: Some(mark(client_id)),
            code: Some(code.into()),
            ..Entry::of(attempt)
        };
        self.pages().put(entry, now);
    }

    /// Adds a step to the attempt of this reference, and begins one if there is none.
    pub fn add(&self, reference: &Reference, step: Step) {
        let now = step.at;
        let mut pages = self.pages();
        let mut entry = pages
            .take(reference)
            .unwrap_or_else(|| Entry::of(Attempt::new(reference.clone(), now)));
        entry.attempt.add(step);
        pages.put(entry, now);
    }

    /// Says and adds what was refused, or was seen to be wrong.
    pub fn refused(&self, noted: Noted, now: Timestamp) {
        self.refused_of(noted, Whose::default(), now);
    }

    /// Says what was refused in the log, and adds it; and whose request it was where the attempt does
    /// not say so yet.
    pub fn refused_of(&self, noted: Noted, whose: Whose, now: Timestamp) {
        let whose = whose.kept();
        let noted = noted.filled(&whose);
        noted.log(&whose);
        let reference = noted.reference;
        let mut pages = self.pages();
        let mut entry = pages
            .take(&reference)
            .unwrap_or_else(|| Entry::of(Attempt::new(reference, now)));
        whose.fill(&mut entry.attempt);
        let step = Step::refused(now, noted.stage, noted.diagnosis);
        entry.attempt.add(step);
        pages.put(entry, now);
    }

    /// A code was made in this attempt.
    pub fn code_made(&self, reference: &Reference, code: Digest, now: Timestamp) {
        let mut pages = self.pages();
        let Some(mut entry) = pages.take(reference) else {
            return;
        };
        entry.code = Some(code.into());
        entry.attempt.add(Step::passed(
            now,
            Stage::Code,
            "sent to the app; good for 60 seconds",
        ));
        pages.put(entry, now);
    }

    /// The attempt that a code was made in.
    #[must_use]
    pub fn of_code(&self, code: Digest) -> Option<KnownCode> {
        let pages = self.pages();
        let entry = pages.entry(*pages.by_code.get(&code.into())?)?;
        Some(KnownCode {
            reference: entry.attempt.reference.clone(),
            client: entry.attempt.client.clone(),
            client_id: entry.client_id,
            challenge: entry.challenge,
            redirect_uri: entry.attempt.redirect_uri.clone(),
            redirect_query: entry.redirect_query,
            resource: entry.attempt.resource.clone(),
            is_spent: entry.attempt.steps.iter().any(gave_tokens),
        })
    }

    /// The attempt, other than this one, that began with this challenge.
    #[must_use]
    pub fn of_challenge(&self, challenge: &CodeChallenge, but: &Reference) -> Option<Reference> {
        let pages = self.pages();
        let mark = Mark::of(challenge.as_bytes())?;
        let entry = pages.entry(*pages.by_challenge.get(&mark)?)?;
        let found = &entry.attempt.reference;
        (found != but).then(|| found.clone())
    }

    /// Whether the attempt of this reference was last refused for this reason.
    #[must_use]
    pub fn ended_for(&self, reference: &Reference, reason: &str) -> bool {
        let pages = self.pages();
        let number = pages.by_reference.get(reference);
        let entry = number.and_then(|number| pages.entry(*number));
        entry.and_then(Entry::reason) == Some(reason)
    }

    /// By reference.
    #[must_use]
    pub fn lookup(&self, reference: &Reference, now: Timestamp) -> Option<Attempt> {
        let mut pages = self.pages();
        pages.forget(now);
        let entry = pages.entry(*pages.by_reference.get(reference)?)?;
        Some(entry.attempt.clone())
    }

    /// The failed attempts, oldest first.
    #[must_use]
    pub fn failed(&self, now: Timestamp) -> Vec<Attempt> {
        let mut pages = self.pages();
        pages.forget(now);
        let entries = pages.failed.entries.values();
        entries.map(|entry| entry.attempt.clone()).collect()
    }

    /// Grows with each change of the failed attempts: what was written at an earlier number is out
    /// of date.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.pages().changes
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Nothing of it is worth a refusal: whoever panicked left whole attempts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    const fn of(attempt: Attempt) -> Self {
        Self {
            attempt,
            client_id: None,
            redirect_query: None,
            code: None,
            challenge: None,
        }
    }

    fn reason(&self) -> Option<&str> {
        let (_, diagnosis) = self.attempt.failure()?;
        Some(&diagnosis.reason)
    }
}

impl Shelf {
    fn put(&mut self, number: u64, entry: Entry) {
        self.bytes += entry.attempt.weight();
        self.entries.insert(number, entry);
    }

    fn take(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(entry.attempt.weight());
        Some(entry)
    }

    fn oldest(&self) -> Option<(u64, &Entry)> {
        let (number, entry) = self.entries.first_key_value()?;
        Some((*number, entry))
    }
}

impl Pages {
    fn entry(&self, number: u64) -> Option<&Entry> {
        let going = self.going.entries.get(&number);
        going.or_else(|| self.failed.entries.get(&number))
    }

    /// Takes an attempt out, with everything that leads to it.
    fn take(&mut self, reference: &Reference) -> Option<Entry> {
        let number = *self.by_reference.get(reference)?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = match self.going.take(number) {
            Some(entry) => entry,
            None => self.failed.take(number)?,
        };
        self.by_reference.remove(&entry.attempt.reference);
        unlink(&mut self.by_code, entry.code, number);
        unlink(&mut self.by_challenge, entry.challenge, number);
        if let Some(reason) = entry.reason()
            && let Some(count) = self.of_reason.get_mut(reason)
        {
            self.changes += 1;
            *count -= 1;
            if *count == 0 {
                self.of_reason.remove(reason);
            }
        }
        Some(entry)
    }

    /// Puts an attempt last on its shelf, and makes room.
    fn put(&mut self, entry: Entry, now: Timestamp) {
        // Two with one reference can't be told apart.
        self.take(&entry.attempt.reference);
        self.forget(now);
        let number = self.next;
        self.next += 1;
        self.by_reference
            .insert(entry.attempt.reference.clone(), number);
        self.by_code.extend(entry.code.map(|mark| (mark, number)));
        let challenge = entry.challenge.map(|mark| (mark, number));
        self.by_challenge.extend(challenge);
        let Some(reason) = entry.reason().map(str::to_owned) else {
            self.going.put(number, entry);
            while self.going.entries.len() > MOST_GOING || self.going.bytes > MOST_BYTES {
                let Some((oldest, _)) = self.going.oldest() else {
                    break;
                };
                self.remove(oldest);
            }
            return;
        };
        self.changes += 1;
        *self.of_reason.entry(reason.clone()).or_default() += 1;
        self.failed.put(number, entry);
        if self.of_reason[&reason] > MOST_OF_ONE_REASON {
            let mut failed = self.failed.entries.iter();
            let same = failed.find(|(_, entry)| entry.reason() == Some(&reason));
            let same = same.map(|(number, _)| *number);
            same.and_then(|number| self.remove(number));
        }
        while self.failed.entries.len() > MOST_FAILED || self.failed.bytes > MOST_FAILED_BYTES {
            let Some((oldest, _)) = self.failed.oldest() else {
                break;
            };
            self.remove(oldest);
        }
    }

    /// What is too old goes.
    fn forget(&mut self, now: Timestamp) {
        let old = |entry: &Entry, kept| now.since(entry.attempt.last_at()) > kept;
        while let Some((number, entry)) = self.going.oldest()
            && old(entry, KEPT_GOING)
        {
            self.remove(number);
        }
        while let Some((number, entry)) = self.failed.oldest()
            && old(entry, KEPT_FAILED)
        {
            self.remove(number);
        }
    }
}

/// A later attempt with the same mark may have taken the place.
fn unlink(index: &mut HashMap<Mark, u64>, mark: Option<Mark>, number: u64) {
    if let Some(mark) = mark
        && index.get(&mark) == Some(&number)
    {
        index.remove(&mark);
    }
}
