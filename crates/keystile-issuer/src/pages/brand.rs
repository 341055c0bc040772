//! Names that look like a known product's (CHECKLIST A-068).

use unicode_security::confusable_detection::skeleton;

use super::consent::Requester;

/// Products that people know, and the domains that may speak for them.
const BRANDS: [(&str, &[&str]); 10] = [
    ("Claude", &["claude.ai", "claude.com", "anthropic.com"]),
    ("Anthropic", &["anthropic.com", "claude.ai", "claude.com"]),
    ("ChatGPT", &["chatgpt.com", "openai.com"]),
    ("OpenAI", &["openai.com", "chatgpt.com"]),
    ("Cursor", &["cursor.com"]),
    (
        "VSCode",
        &["vscode.dev", "visualstudio.com", "microsoft.com"],
    ),
    (
        "Microsoft",
        &["microsoft.com", "visualstudio.com", "vscode.dev"],
    ),
    ("GitHub", &["github.com", "github.dev"]),
    ("Google", &["google.com"]),
    ("Gemini", &["google.com"]),
];

/// The product that a name resembles although its host is another.
///
/// A program on this computer may be the product itself, and the page warns of it anyway; its name
/// counts only when it is written with look-alike letters (UTS #39 §4).
pub(crate) fn resembled(name: &str, who: &Requester) -> Option<&'static str> {
    let resembles = |(brand, _): &&(&'static str, &[&str])| {
        let looks = [
            skeleton(name).collect::<String>(),
            skeleton(&name.to_lowercase()).collect(),
        ];
        looks.iter().any(|look| says(look, brand))
    };
    let (brand, domains) = BRANDS.iter().find(resembles)?;
    let honest = match who {
        Requester::Site(host) => domains.iter().any(|domain| is_under(host, domain)),
        Requester::ThisComputer | Requester::OtherDevice | Requester::Scheme(_) => {
            name.is_ascii() && says(name, brand)
        }
    };
    (!honest).then_some(*brand)
}

/// Whether one word of the text, or all of it without gaps, is the brand.
fn says(text: &str, brand: &str) -> bool {
    let (text, brand) = (text.to_lowercase(), brand.to_lowercase());
    let brand: [String; 2] = [skeleton(&brand).collect(), brand];
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    let whole: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    brand.contains(&whole) || words.any(|word| brand.iter().any(|brand| brand == word))
}

fn is_under(host: &str, domain: &str) -> bool {
    host == domain
        || host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(host: &str) -> Requester {
        Requester::Site(host.to_owned())
    }

    #[test]
    fn look_alikes_of_known_products_are_named() {
        for name in [
            "Claude",
            "Сlaude",
            "Claude Code",
            "CIaude",
            "C l a u d e",
            "ⅽlaude",
            "cl𝖺ude",
        ] {
            assert_eq!(
                resembled(name, &site("evil.example")),
                Some("Claude"),
                "{name}"
            );
            assert_eq!(resembled(name, &site("api.claude.ai")), None, "{name}");
        }
        assert_eq!(resembled("ChatGPТ", &site("evil.example")), Some("ChatGPT"));
        assert_eq!(resembled("Claude", &site("notclaude.ai")), Some("Claude"));
        assert_eq!(resembled("Precursor", &site("precursor.example")), None);
        assert_eq!(resembled("My notes", &site("notes.example")), None);
    }

    #[test]
    fn on_this_computer_only_the_spelling_counts() {
        assert_eq!(resembled("Claude Code", &Requester::ThisComputer), None);
        assert_eq!(
            resembled("Сlaude Code", &Requester::ThisComputer),
            Some("Claude")
        );
        assert_eq!(
            resembled("Cursor", &Requester::Scheme("cursor".to_owned())),
            None
        );
    }
}
