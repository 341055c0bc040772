//! The account page: what is connected, and the way to end it (PAINS 24).

use askama::Template;
use keystile_domain::time::Timestamp;

use super::Page;
use super::form_action::FormAction;

/// One live grant.
#[derive(Debug, Clone)]
pub(crate) struct ConnectedApp {
    /// As the person saw it: host first, then the name in quotes.
    pub(crate) who: String,
    /// Canonical resource.
    pub(crate) resource: String,
    /// What it may do, in words.
    pub(crate) powers: String,
    /// Day and time of the grant.
    pub(crate) since: String,
    /// Day and time of its last token.
    pub(crate) last_used: Option<String>,
    /// Grant id.
    pub(crate) grant: String,
    /// Bound to session and grant.
    pub(crate) csrf: String,
}

/// The account page.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    /// Who is signed in.
    pub(crate) person: &'a str,
    /// Live grants, newest first.
    pub(crate) apps: Vec<ConnectedApp>,
    /// For the sign-out form.
    pub(crate) csrf_sign_out: &'a str,
    /// What was done just now.
    pub(crate) done: Option<&'static str>,
}

impl Account<'_> {
    /// The page.
    pub(crate) fn page(&self) -> Page {
        Page::new(self, FormAction::Ours)
    }
}

/// `2026-11-22 21:28 UTC`
pub(crate) fn moment(at: Timestamp) -> String {
    let seconds = at.seconds();
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        rest / 3600,
        rest % 3600 / 60
    )
}

/// Year, month and day of a day count since 1970-01-01 in the proleptic Gregorian calendar:
/// counts in 400-year eras that begin on the first of March, so that leap days come last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_and_a_minute() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_825_600, "2000-02-29 12:00 UTC"),
            (1_795_382_880, "2026-11-22 21:28 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(moment(Timestamp::from_seconds(seconds)), text);
        }
    }
}
