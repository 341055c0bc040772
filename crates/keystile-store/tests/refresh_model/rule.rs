//! The rule of DESIGN §4 as a list of what was shown when; shares no code with the program.

/// Idle time after which a family ends, in milliseconds.
pub(crate) const IDLE: i64 = 30 * 86_400_000;
/// Life of a code, in milliseconds.
pub(crate) const CODE: i64 = 60_000;
const OVERLAP: i64 = 30_000;

/// What is done to one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The code, with everything right or as another client.
    Redeem {
        own: bool,
    },
    /// A refresh token, as its client or as another one.
    Show {
        generation: u32,
        own: bool,
    },
    Revoke,
    DisablePerson,
    EnablePerson,
    DisableClient,
    EnableClient,
}

/// What the store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The code gave the first tokens.
    Redeemed,
    /// The code was spent before: its grant is to be revoked.
    CodeReplayed,
    /// The successor.
    Answered,
    /// A replay beyond the rule: the family died of it.
    Died,
    Refused,
    /// An administrative verb, and whether it changed anything.
    Did(bool),
}

/// One grant. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) redeemed: bool,
    /// When generation 1, 2, … was first shown.
    pub(crate) shown: Vec<i64>,
    /// Why it ended for good.
    pub(crate) ended: Option<&'static str>,
    pub(crate) ends_at: i64,
    pub(crate) code_until: i64,
    pub(crate) person_out: bool,
    pub(crate) client_out: bool,
}

impl Life {
    /// The newest generation that was ever given out; 0 when none was.
    pub(crate) fn given(&self) -> u32 {
        match self.redeemed {
            true => self.shown.len() as u32 + 1,
            false => 0,
        }
    }

    /// Does it, and says what must be seen.
    pub(crate) fn apply(&mut self, act: Act, now: i64) -> Seen {
        match act {
            Act::Redeem { own } => self.redeem(own, now),
            Act::Show { generation, own } => self.show(generation, own, now),
            Act::Revoke => Seen::Did(self.end("by_person") && now < self.ends_at),
            Act::DisablePerson => {
                self.person_out = true;
                Seen::Did(self.end("person_disabled") && now < self.ends_at)
            }
            Act::EnablePerson => Seen::Did(std::mem::replace(&mut self.person_out, false)),
            Act::DisableClient => Seen::Did(!std::mem::replace(&mut self.client_out, true)),
            Act::EnableClient => Seen::Did(std::mem::replace(&mut self.client_out, false)),
        }
    }

    /// Whether it was alive.
    fn end(&mut self, why: &'static str) -> bool {
        let alive = self.ended.is_none();
        self.ended.get_or_insert(why);
        alive
    }

    fn redeem(&mut self, own: bool, now: i64) -> Seen {
        if !own {
            return Seen::Refused;
        }
        if self.redeemed {
            return Seen::CodeReplayed;
        }
        let kept_out = self.ended.is_some() || self.person_out || self.client_out;
        if kept_out || now >= self.code_until || now >= self.ends_at {
            return Seen::Refused;
        }
        self.redeemed = true;
        Seen::Redeemed
    }

    fn show(&mut self, generation: u32, own: bool, now: i64) -> Seen {
        let never_given = generation == 0 || generation > self.given();
        if !own || never_given || self.ended.is_some() || self.person_out || self.client_out {
            return Seen::Refused;
        }
        if now >= self.ends_at {
            return Seen::Refused;
        }
        if generation == self.given() {
            self.shown.push(now);
            self.ends_at = now + IDLE;
            return Seen::Answered;
        }
        // `shown` begins with generation 1, so these are generation + 1 and generation + 2.
        let successor = self.shown.get(generation as usize);
        let after_it = self.shown.get(generation as usize + 1);
        match (successor, after_it) {
            (None, _) => Seen::Answered,
            (Some(at), None) if now - at <= OVERLAP => Seen::Answered,
            _ => {
                self.end("refresh_token_reused");
                Seen::Died
            }
        }
    }
}

/// Every state in which a grant can be after acts that ran beside each other: each order in which
/// they could have run, with what was seen. An act without an answer happened or did not.
pub(crate) fn explain(from: &Life, acts: &[(Act, Option<Seen>)], now: i64) -> Vec<Life> {
    let mut found = Vec::new();
    order(from, acts, &mut vec![false; acts.len()], now, &mut found);
    found
}

fn order(
    from: &Life,
    acts: &[(Act, Option<Seen>)],
    done: &mut [bool],
    now: i64,
    found: &mut Vec<Life>,
) {
    let left = |done: &[bool]| (0..acts.len()).filter(|at| !done[*at]).collect::<Vec<_>>();
    let open = left(done);
    if open.iter().all(|at| acts[*at].1.is_none()) && !found.contains(from) {
        found.push(from.clone());
    }
    for at in open {
        let (act, seen) = acts[at];
        let mut next = from.clone();
        let must = next.apply(act, now);
        if seen.is_none_or(|seen| seen == must) {
            done[at] = true;
            order(&next, acts, done, now, found);
            done[at] = false;
        }
    }
}
