//! Who does what to one grant, and what none of them may ever see.

use crate::dice::Dice;
use crate::rule::{Act, CODE, IDLE, Life, Seen, explain};

/// When every life begins, in milliseconds.
pub(crate) const BIRTH: i64 = 1_800_000_000_000;
const SECOND: i64 = 1_000;
const OVERLAP: i64 = 30 * SECOND;
const DAY: i64 = 86_400 * SECOND;

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    /// The client, on a bad network, and strangers.
    Honest,
    /// And a thief with a copy of every token.
    Thief,
    /// And a person who revokes, and an operator who keeps people and clients out.
    Everybody,
}

/// Acts that ran beside each other, and what each saw if its answer came.
type Together = Vec<(Act, Option<Seen>)>;

/// One grant and those around it.
pub(crate) struct Actors {
    cast: Cast,
    dice: Dice,
    /// This grant's own clock.
    pub(crate) now: i64,
    /// The newest token whose answer reached the client.
    held: u32,
    /// The states in which the grant can be.
    pub(crate) possible: Vec<Life>,
    /// The highest generation that was answered, and when first.
    pub(crate) top: Option<(u32, i64)>,
    /// Somebody was told that it is over.
    pub(crate) over: bool,
    /// What was done and seen, for whoever has to find out.
    log: Vec<(i64, Together)>,
}

impl Actors {
    /// Most begin with tokens, see [`begins_with_tokens`].
    pub(crate) fn new(cast: Cast, number: usize, seed: u64) -> Self {
        let redeemed = begins_with_tokens(number);
        let life = Life {
            redeemed,
            shown: Vec::new(),
            ended: None,
            ends_at: BIRTH + IDLE,
            code_until: BIRTH + CODE,
            person_out: false,
            client_out: false,
        };
        Self {
            cast,
            dice: Dice::new(seed),
            now: BIRTH,
            held: u32::from(redeemed),
            possible: vec![life],
            top: None,
            over: false,
            log: Vec::new(),
        }
    }

    /// What happens next, beside each other; time passes before.
    pub(crate) fn next(&mut self) -> Vec<Act> {
        if !self.log.is_empty() {
            self.now += self.pause();
        }
        if (self.over || self.expired()) && !self.dice.one_in(4) {
            return Vec::new();
        }
        let mut acts = self.client();
        if self.dice.one_in(5) {
            let own = false;
            let generation = self.any_token();
            acts.push(Act::Show { generation, own });
        }
        if self.cast != Cast::Honest {
            self.thief(&mut acts);
        }
        if self.cast == Cast::Everybody {
            self.administration(&mut acts);
        }
        // Whoever comes first is first in the queue.
        for at in (1..acts.len()).rev() {
            let other = self.dice.below(at + 1);
            acts.swap(at, other);
        }
        acts.truncate(4);
        acts
    }

    fn pause(&mut self) -> i64 {
        match self.dice.below(16) {
            0..=2 => 0,
            3..=5 => self.dice.between(1, SECOND),
            6 | 7 => self.dice.between(SECOND, OVERLAP),
            8 => OVERLAP,
            9 | 10 => OVERLAP + 1,
            11 | 12 => self.dice.between(OVERLAP, 30 * 60 * SECOND),
            13 | 14 => self.dice.between(60 * SECOND, 2 * DAY),
            _ if self.cast == Cast::Everybody && self.dice.one_in(4) => 30 * DAY,
            _ => self.dice.between(OVERLAP - 3, OVERLAP + 3),
        }
    }

    fn expired(&self) -> bool {
        self.possible.iter().all(|life| self.now >= life.ends_at)
    }

    fn client(&mut self) -> Vec<Act> {
        if self.held == 0 {
            // Two tabs, or a request that was sent twice, are no honest client's way with a code.
            return vec![Act::Redeem { own: true }];
        }
        let own = true;
        let show = |generation| Act::Show { generation, own };
        match self.dice.below(8) {
            // A neighbour's request that was long under way.
            0 if self.held > 1 && self.in_overlap() => vec![show(self.held - 1), show(self.held)],
            1 if self.held > 1 && self.in_overlap() => vec![show(self.held - 1)],
            2 | 3 => vec![show(self.held); 2],
            4 => vec![show(self.held); 3],
            5 => Vec::new(),
            _ => vec![show(self.held)],
        }
    }

    /// Whether the token before the one held may still be shown by an honest client.
    fn in_overlap(&self) -> bool {
        let shown = |life: &Life| life.shown.get(self.held as usize - 1).copied();
        let first = self.possible.iter().filter_map(shown).min();
        first.is_none_or(|at| self.now - at <= OVERLAP)
    }

    /// Anything that was ever given out, whether or not the answer reached anybody.
    fn any_token(&mut self) -> u32 {
        let given = self.possible.iter().map(Life::given).max().unwrap_or(0);
        1 + self.dice.below(given as usize) as u32
    }

    fn thief(&mut self, acts: &mut Vec<Act>) {
        if self.held == 0 {
            if self.dice.one_in(4) {
                let own = self.dice.one_in(2);
                acts.push(Act::Redeem { own });
            }
            return;
        }
        // Patient: a family that dies at once shows little.
        if self.dice.one_in(3) {
            let own = true;
            let generation = self.any_token();
            acts.push(Act::Show { generation, own });
        }
    }

    fn administration(&mut self, acts: &mut Vec<Act>) {
        let act = match self.dice.below(64) {
            0..=3 => Act::Revoke,
            4 | 5 => Act::DisablePerson,
            6 => Act::EnablePerson,
            7 => Act::DisableClient,
            8..=16 if self.possible.iter().any(|life| life.client_out) => Act::EnableClient,
            8 => Act::EnableClient,
            _ => return,
        };
        acts.push(act);
    }

    /// Compares what was seen with the rule and with what must never be.
    pub(crate) fn see(&mut self, seen: Vec<(Act, Option<Seen>)>) {
        self.log.push((self.now, seen.clone()));
        let (top, over) = (self.top, self.over);
        for (act, answer) in &seen {
            let answered = *answer == Some(Seen::Answered);
            if let Act::Show { generation, own } = *act {
                if answered {
                    self.never_twice(generation, own, top, over);
                    if self.top.is_none_or(|(highest, _)| highest < generation) {
                        self.top = Some((generation, self.now));
                    }
                    // Half of the answers are lost on the way.
                    if own && generation == self.held && self.dice.one_in(2) {
                        self.held += 1;
                    }
                } else if own && answer.is_some() && self.cast == Cast::Honest {
                    self.fail("an honest client was punished");
                }
            }
            match (act, answer) {
                (Act::Revoke | Act::DisablePerson, Some(_)) | (_, Some(Seen::Died)) => {
                    self.over = true;
                }
                (_, Some(Seen::Redeemed)) => self.held = 1,
                _ => {}
            }
        }
        let mut possible = Vec::new();
        for life in &self.possible {
            for next in explain(life, &seen, self.now) {
                if !possible.contains(&next) {
                    possible.push(next);
                }
            }
        }
        if possible.is_empty() {
            self.fail("no order of what ran beside each other gives these answers");
        }
        if self.held == 0 && possible.iter().all(|life| life.redeemed) {
            // The answer to the code was lost in a crash: a person has to connect anew, or, here,
            // the client has got it after all.
            self.held = 1;
        }
        self.possible = possible;
    }

    /// What was spent, and what was revoked, never gives a token again.
    fn never_twice(&self, generation: u32, own: bool, top: Option<(u32, i64)>, over: bool) {
        if !own {
            self.fail("a stranger was answered");
        }
        if over {
            self.fail("a token came out of a family that was over");
        }
        if let Some((highest, at)) = top {
            let late = generation + 1 == highest && self.now - at > OVERLAP;
            if generation + 2 <= highest || late {
                self.fail("a spent token lives again");
            }
        }
    }

    /// What the database must hold in the end.
    pub(crate) fn settle(&self, row: &(i64, bool, i64, Option<String>)) {
        let (presented, redeemed, ends_at, ended) = row;
        let same = |life: &Life| {
            (life.shown.len() as i64, life.redeemed, life.ends_at)
                == (*presented, *redeemed, *ends_at)
                && life.ended == ended.as_deref()
        };
        if !self.possible.iter().any(same) {
            self.fail(&format!(
                "the database says {row:?}, but possible is {:?}",
                self.possible
            ));
        }
        if self
            .top
            .is_some_and(|(highest, _)| i64::from(highest) > *presented)
        {
            self.fail("two successors are alive");
        }
        if self.over && ended.is_none() {
            self.fail("it was said to be over and is not");
        }
    }

    pub(crate) fn fail(&self, what: &str) -> ! {
        let mut story = format!("{what} ({:?}, holds {})\n", self.cast, self.held);
        for (at, acts) in &self.log {
            story += &format!("{:>12} ms {acts:?}\n", at - BIRTH);
        }
        panic!("{story}possible before: {:?}", self.possible);
    }
}

/// Whether the grant of this number was redeemed before its life begins.
pub(crate) fn begins_with_tokens(number: usize) -> bool {
    !number.is_multiple_of(8)
}
