//! Names that somebody else chose, made fit to be kept and shown (CHECKLIST A-068).

/// Longest self-asserted name that is kept, in characters.
const LONGEST_NAME: usize = 64;

/// A client's or person's own name without what could disguise it; `None` when nothing is left.
///
/// Control, bidirectional, invisible and private-use characters and seals such as `✓` go, quotation
/// marks become `'` (the page puts the name in quotes), white space becomes one space, accents
/// stack two high at most, and it ends after 64 characters with `…`. Doing it twice changes nothing.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    if keystile_protocol::mutation::weakened("a_068") {
        return Some(text.to_owned());
    }
    let mut clean = String::new();
    let (mut length, mut stacked, mut gap) = (0, 0, false);
    for character in text.chars() {
        if character.is_whitespace() {
            gap = true;
            continue;
        }
        if is_disguise(character) {
            continue;
        }
        stacked = if is_combining(character) {
            stacked + 1
        } else {
            0
        };
        if stacked > 2 {
            continue;
        }
        if length >= LONGEST_NAME {
            clean.push('…');
            break;
        }
        if gap && !clean.is_empty() {
            clean.push(' ');
            length += 1;
        }
        gap = false;
        clean.push(if is_quote(character) { '\'' } else { character });
        length += 1;
    }
    (!clean.is_empty()).then_some(clean)
}

/// Foreign text as one line: what a terminal or a reader would obey instead of showing it becomes `?` (CHECKLIST A-167).
///
/// ```
/// assert_eq!(keystile_domain::shown::line("a\u{1b}[2Jb\u{202e}c"), "a?[2Jb?c");
/// ```
#[must_use]
pub fn line(text: &str) -> String {
    let shown = |character| if is_obeyed(character) { '?' } else { character };
    text.chars().map(shown).collect()
}

/// Foreign text as one word of a command that an operator copies into a shell: nothing of it is obeyed.
///
/// ```
/// use keystile_domain::shown::word;
/// assert_eq!(word("https://app.example/cb"), "https://app.example/cb");
/// assert_eq!(word("https://$(id).example/it's"), r"'https://$(id).example/it'\''s'");
/// ```
#[must_use]
pub fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", line(text).replace('\'', r"'\''"))
}

/// Whether it moves a cursor, breaks a line or turns the direction of what is written around it.
#[must_use]
pub fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn is_disguise(character: char) -> bool {
    character.is_control() || is_invisible(character) || is_seal(character)
}

/// Format characters, default-ignorable code points, private use and blank letters (UAX #44, #31).
fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xAD | 0x34F | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x115F..=0x1160 | 0x17B4..=0x17B5
        | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164
        | 0xE000..=0xF8FF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFD
        | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0x10FFFF)
}

/// Marks by which a page would say "verified" or "secure": a name may not borrow them.
fn is_seal(character: char) -> bool {
    matches!(u32::from(character),
        0xA9 | 0xAE | 0x2122 | 0x2605 | 0x2606 | 0x2611 | 0x2705 | 0x2713 | 0x2714 | 0x2B50
        | 0x1F396 | 0x1F3C5 | 0x1F50F..=0x1F513 | 0x1F5F8..=0x1F5F9 | 0x1F6E1 | 0x221A)
}

fn is_combining(character: char) -> bool {
    matches!(u32::from(character),
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F | 0x6D6..=0x6DC
        | 0xE31 | 0xE34..=0xE3A | 0xE47..=0xE4E | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF
        | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '"' | '“'
            | '”'
            | '„'
            | '‟'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '「'
            | '」'
            | '『'
            | '』'
            | '〝'
            | '〞'
            | '＂'
            | '❝'
            | '❞'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_068_a_name_cannot_disguise_itself() {
        for (given, shown) in [
            ("Claude", Some("Claude")),
            ("  Claude \t\r\n Code ", Some("Claude Code")),
            ("Claude\u{202e}edoC", Some("ClaudeedoC")),
            (
                "C\u{200b}l\u{200d}a\u{2060}u\u{ad}d\u{feff}e",
                Some("Claude"),
            ),
            ("Claude ✓ verified ✅", Some("Claude verified")),
            ("Claude\u{0}\u{1b}[31m", Some("Claude[31m")),
            ("\u{e0041}\u{e007f}\u{f8ff}", None),
            ("Cla” by Anthropic “", Some("Cla' by Anthropic '")),
            ("e\u{301}\u{301}\u{301}\u{301}", Some("e\u{301}\u{301}")),
            ("\u{3164}\u{115f}\u{2800}", None),
            ("", None),
            ("Łódź 東京 café", Some("Łódź 東京 café")),
        ] {
            assert_eq!(name(given).as_deref(), shown, "{given:?}");
            assert_eq!(shown.and_then(name).as_deref(), shown, "{given:?} again");
        }
        let long = name(&"x".repeat(10_000)).expect("there is something to show");
        assert_eq!(long.chars().count(), LONGEST_NAME + 1);
        assert!(long.ends_with('…'));
        assert_eq!(name(&long), Some(long));
    }
}
