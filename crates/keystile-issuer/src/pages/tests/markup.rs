//! Texts of others stay texts.

use super::*;

/// Texts that break out of an element, an attribute or a URL, if anything lets them.
const XSS: [&str; 14] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</title><script>alert(1)</script>",
    "</textarea></form><form action=https://evil.example>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ 7 * 7 }}{% include \"/etc/passwd\" %}",
    "<!--",
    "<style>*{display:none}</style>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
];

#[test]
fn a_165_no_text_of_others_becomes_markup() {
    for payload in XSS {
        let same = |hostile: Page, tame: Page| {
            assert_eq!(skeleton(hostile.html()), skeleton(tame.html()), "{payload}");
        };
        same(everything(payload), everything("x"));
        let sign_in = |text| SignIn {
            tx: Some(text),
            asks: Some(Asks {
                who: text.to_owned(),
                server: text.to_owned(),
            }),
            device: None,
            username: text,
            problem: Some(Problem {
                code: text,
                what: text,
                to_do: text.into(),
                reference: Some(text.to_owned()),
            }),
        };
        same(sign_in(payload).page(), sign_in("x").page());
        let first = |text| FirstAccount {
            tx: Some(text),
            asks: None,
            admin: text,
            setup_code: text,
            device: None,
            username: text,
            problem: None,
        };
        same(first(payload).page(), first("x").page());
        let error = |text| ErrorPage {
            headline: text,
            expected: text,
            to_do: text,
            code: text,
            reference: Some(text),
        };
        same(
            error(payload).page(StatusCode::BAD_REQUEST),
            error("x").page(StatusCode::BAD_REQUEST),
        );
        same(account(payload), account("x"));
    }
}

/// A consent page with the text everywhere, past every cleaning.
fn everything(text: &str) -> Page {
    let view = Consent {
        tx: text,
        csrf: text,
        requester: Requester::Site(text.to_owned()),
        name: Some(text.to_owned()),
        name_by_operator: false,
        vouched: None,
        warnings: Vec::new(),
        server: text,
        resource: text,
        powers: vec![Power {
            words: text.to_owned(),
            scope: text.to_owned(),
        }],
        less: vec![Power {
            words: text.to_owned(),
            scope: text.to_owned(),
        }],
        lasts: Lasts {
            words: text.to_owned(),
            asked: true,
        },
        returns_to: ReturnsTo {
            place: text.to_owned(),
            uri: text.to_owned(),
        },
        person: text,
        reference: text,
        redirect_uri: "https://claude.ai/",
    };
    view.page()
}

fn account(text: &str) -> Page {
    let app = ConnectedApp {
        who: text.to_owned(),
        resource: text.to_owned(),
        powers: text.to_owned(),
        since: text.to_owned(),
        last_used: Some(text.to_owned()),
        grant: text.to_owned(),
        csrf: text.to_owned(),
    };
    Account {
        person: text,
        apps: vec![app],
        csrf_sign_out: text,
        done: None,
    }
    .page()
}
