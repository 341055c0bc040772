//! What is done to a good message. Some of it changes nothing for a good reader; most of it makes readers disagree.

use crate::dice::Dice;
use crate::json::Json;

macro_rules! spoils {
    ($($name:ident),* $(,)?) => {
        /// One way to change a message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Spoil { $($name),* }

        impl Spoil {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

spoils! {
    PlainSpace, EscapedText, EscapedName, LineSeparator, PairedSurrogate, OddNumber, OddName, Deep, ManyMembers,
    LongText, NewOrder,
    Duplicate, EscapedDuplicate, OtherCase, ControlInName, LoneSurrogate, InvalidUtf8, HugeNumber, NoNumber,
    TrailingComma, Comment, OddSpace, ControlInText, NoQuotes, UnknownMember, OtherType,
    ByteOrderMark, OtherEncoding, Trailing, FlippedByte, OtherByte, Splice, CutOff, OtherHeader,
}

impl Spoil {
    /// Those that a reader in agreement with RFC 8259 and I-JSON does not mind.
    const HARMLESS: usize = Self::NewOrder as usize + 1;

    pub(crate) fn any(dice: &mut Dice) -> Self {
        match dice.one_in(2) {
            true => Self::ALL[dice.below(Self::HARMLESS)],
            false => dice.pick(Self::ALL),
        }
    }

    /// Changes what is written.
    pub(crate) fn tree(self, json: &mut Json, dice: &mut Dice) {
        match self {
            Self::EscapedText => on_text(json, dice, escaped),
            Self::LineSeparator => within(
                json,
                dice,
                &["\u{2028}", "\u{2029}", "\u{85}", "\u{a0}", "\u{7f}"],
            ),
            Self::PairedSurrogate => within(
                json,
                dice,
                &["\\ud83d\\ude00", "\\uD83D\\uDE00", "\\udbff\\udfff"],
            ),
            Self::LoneSurrogate => within(
                json,
                dice,
                &["\\ud800", "\\udc00\\ud800", "\\udfff", "\\ud800\\u0041"],
            ),
            Self::ControlInText => within(json, dice, &["\n", "\t", "\0", "\u{1f}", "\r"]),
            Self::InvalidUtf8 => invalid_utf8(json, dice),
            Self::OddNumber => leaf(json, dice, &ODD_NUMBERS),
            Self::HugeNumber => leaf(
                json,
                dice,
                &[
                    "1e400",
                    "-1e999",
                    "1e309",
                    "1.8e308",
                    "-1.7976931348623159e308",
                ],
            ),
            Self::NoNumber => leaf(json, dice, &NO_NUMBERS),
            Self::NoQuotes => leaf(
                json,
                dice,
                &[
                    "'a'",
                    "a",
                    "undefined",
                    "True",
                    "`a`",
                    "\"\\x41\"",
                    "\"\\'\"",
                    "\"\\u12g4\"",
                ],
            ),
            Self::LongText => {
                let long = vec![b'a'; 1 + dice.below(9_000)];
                on_leaf(json, dice, |_, _| [b"\"", &long[..], b"\""].concat());
            }
            Self::Deep => deep(json, dice),
            Self::EscapedName
            | Self::OddName
            | Self::NewOrder
            | Self::ManyMembers
            | Self::Duplicate
            | Self::EscapedDuplicate
            | Self::OtherCase
            | Self::ControlInName
            | Self::UnknownMember
            | Self::OtherType => {
                self.members(json, dice);
            }
            _ => {}
        }
    }

    fn members(self, json: &mut Json, dice: &mut Dice) {
        let object = match self {
            Self::UnknownMember => Some(json).filter(|json| json.is_object()),
            _ => json.any_object(dice),
        };
        let Some(Json::Object(members)) = object else {
            return;
        };
        if matches!(self, Self::UnknownMember | Self::OddName) {
            let name = dice.pick(&[
                "\"extra\"",
                "\"__proto__\"",
                "\"constructor\"",
                "\"0\"",
                "\"\"",
                "\"toString\"",
                "\"-0\"",
            ]);
            return insert(members, name.as_bytes().to_vec(), Json::raw("1"), dice);
        }
        if self == Self::ManyMembers {
            let count = if dice.one_in(50) {
                4_090 + dice.below(12)
            } else {
                20 + dice.below(60)
            };
            let more =
                (0..count).map(|at| (format!("\"m{at}\"").into_bytes(), Json::raw(at.to_string())));
            return members.extend(more);
        }
        if members.is_empty() {
            return;
        }
        let at = dice.below(members.len());
        let (name, old) = members[at].clone();
        match self {
            Self::NewOrder => members.reverse(),
            Self::EscapedName => members[at].0 = escaped(&name, dice),
            Self::OtherType => {
                let other = dice.pick(&["null", "[]", "{}", "1.5", "true", "\"\"", "[\"read\"]"]);
                members[at].1 = Json::raw(other);
            }
            Self::Duplicate => insert(members, name, other_than(old, dice), dice),
            Self::EscapedDuplicate => {
                let name = escaped(&name, dice);
                insert(members, name, other_than(old, dice), dice);
            }
            Self::OtherCase => {
                let name = other_case(&name, dice);
                rename_or_add(members, at, name, other_than(old, dice), dice);
            }
            Self::ControlInName => {
                let control = dice.pick(&[
                    "\\u0000", "\\u007f", "\\u0085", "\\r", "\u{7f}", "\u{9f}", "\\u0000x",
                    "\\u001f",
                ]);
                let end = name.len() - 1;
                let name = [&name[..end], control.as_bytes(), b"\""].concat();
                rename_or_add(members, at, name, other_than(old, dice), dice);
            }
            _ => unreachable!("not about members"),
        }
    }

    /// Changes what was written.
    pub(crate) fn bytes(self, body: &mut Vec<u8>, before: &[Vec<u8>], dice: &mut Dice) {
        let at = dice.below(body.len().max(1));
        let put = |body: &mut Vec<u8>, at: usize, what: &[u8]| {
            drop(body.splice(at..at, what.iter().copied()))
        };
        match self {
            Self::TrailingComma | Self::Comment | Self::OddSpace => {
                let ends: &[u8] = if self == Self::TrailingComma {
                    b"}]"
                } else {
                    b"{}[],:"
                };
                let places: Vec<_> = body
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| ends.contains(byte))
                    .map(|(at, _)| at)
                    .collect();
                if places.is_empty() {
                    return;
                }
                let what: &[&str] = match self {
                    Self::TrailingComma => &[","],
                    Self::Comment => &["/**/", "//x\n", "#x\n", "<!-- -->"],
                    _ => &[
                        "\u{b}", "\u{c}", "\u{a0}", "\u{2028}", "\u{feff}", "\0", "\u{85}",
                        "\u{3000}",
                    ],
                };
                let what = dice.pick(what).as_bytes();
                put(body, dice.pick(&places), what);
            }
            Self::ByteOrderMark => put(
                body,
                0,
                dice.pick::<&[u8]>(&[b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe"]),
            ),
            Self::OtherEncoding => *body = other_encoding(body, dice),
            Self::Trailing => {
                let what = dice.pick::<&[u8]>(&[
                    b"{}",
                    b"\0",
                    b"1",
                    b",",
                    b"}",
                    b"]",
                    b" null",
                    b"\n{\"a\":1}",
                    b"\xff",
                    b"\x1a",
                ]);
                body.extend_from_slice(what);
            }
            Self::FlippedByte if !body.is_empty() => body[at] ^= 1 << dice.below(8),
            Self::OtherByte if !body.is_empty() => body[at] = dice.byte(),
            Self::Splice if !before.is_empty() => {
                let other = &before[dice.below(before.len())];
                let from = dice.below(other.len().max(1));
                let to = from + dice.below(other.len() - from + 1);
                let end = at + dice.below((body.len() - at).min(16) + 1);
                drop(body.splice(at..end, other[from..to].iter().copied()));
            }
            Self::CutOff => body.truncate(at),
            _ => {}
        }
    }
}

fn insert(members: &mut Vec<(Vec<u8>, Json)>, name: Vec<u8>, it: Json, dice: &mut Dice) {
    let at = dice.below(members.len() + 1);
    members.insert(at, (name, it));
}

fn rename_or_add(
    members: &mut Vec<(Vec<u8>, Json)>,
    at: usize,
    name: Vec<u8>,
    it: Json,
    dice: &mut Dice,
) {
    match dice.one_in(2) {
        true => members[at].0 = name,
        false => insert(members, name, it, dice),
    }
}

/// What an attacker would have another reader see.
fn other_than(old: Json, dice: &mut Dice) -> Json {
    match old {
        Json::Leaf(text) if text.first() == Some(&b'"') => {
            Json::text(dice.pick(&["delete-all", "tools/call", "ping", "2.0", "other"]))
        }
        Json::Leaf(_) => Json::raw("7777"),
        Json::Array(_) => Json::raw("[7777]"),
        Json::Object(_) => Json::raw("{\"name\":\"delete-all\"}"),
    }
}

fn other_case(name: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(name);
    match dice.below(4) {
        0 => text.to_uppercase().into_bytes(),
        1 => text
            .replacen('s', "\u{17f}", 1)
            .replacen('k', "\u{212a}", 1)
            .into_bytes(),
        2 => {
            let mut name = name.to_vec();
            let at = dice.below(name.len());
            name[at] = name[at].to_ascii_uppercase();
            name
        }
        _ => text
            .replacen('s', "\\u017f", 1)
            .replacen('m', "M", 1)
            .into_bytes(),
    }
}

/// With some of its plain characters written as escapes.
fn escaped(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_backslash = false;
    for (at, byte) in text.iter().enumerate() {
        let inside = at > 0 && at + 1 < text.len() && !after_backslash;
        let plain = inside && (byte.is_ascii_alphanumeric() || *byte == b'/' || *byte == b'_');
        // An escape's own digits stay.
        let in_escape = text[..at].iter().rev().take(5).any(|byte| *byte == b'\\');
        if plain && !in_escape && dice.one_in(3) {
            match (byte, dice.one_in(2)) {
                (b'/', true) => out.extend_from_slice(b"\\/"),
                (_, true) => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                (_, false) => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            }
        } else {
            out.push(*byte);
        }
        after_backslash = *byte == b'\\' && !after_backslash;
    }
    out
}

fn on_leaf(json: &mut Json, dice: &mut Dice, change: impl Fn(&[u8], &mut Dice) -> Vec<u8>) {
    if let Some(Json::Leaf(text)) = json.any_leaf(dice, Json::is_leaf) {
        *text = change(text, dice);
    }
}

fn on_text(json: &mut Json, dice: &mut Dice, change: impl Fn(&[u8], &mut Dice) -> Vec<u8>) {
    if let Some(Json::Leaf(text)) = json.any_leaf(dice, Json::is_text) {
        *text = change(text, dice);
    }
}

/// Puts one of these at the end of a text, or of a name.
fn within(json: &mut Json, dice: &mut Dice, what: &[&str]) {
    let what = dice.pick(what).as_bytes();
    at_an_end(json, dice, what);
}

fn invalid_utf8(json: &mut Json, dice: &mut Dice) {
    let what: &[&[u8]] = &[
        b"\xff",
        b"\xc0\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xb0\x80\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc3",
        b"\xf0\x9f\x98",
        b"\x80",
        b"\xfe",
    ];
    let what = dice.pick(what);
    at_an_end(json, dice, what);
}

fn at_an_end(json: &mut Json, dice: &mut Dice, what: &[u8]) {
    let put = |text: &[u8]| [&text[..text.len() - 1], what, b"\""].concat();
    if dice.one_in(4)
        && let Some(Json::Object(members)) = json.any_object(dice)
        && !members.is_empty()
    {
        let at = dice.below(members.len());
        members[at].0 = put(&members[at].0);
    } else {
        on_text(json, dice, |text, _| put(text));
    }
}

fn leaf(json: &mut Json, dice: &mut Dice, all: &[&str]) {
    on_leaf(json, dice, |_, dice| dice.pick(all).as_bytes().to_vec());
}

fn deep(json: &mut Json, dice: &mut Dice) {
    let levels = dice.pick(&[2, 10, 40, 55, 60, 62, 63, 64, 65, 66, 130, 300]);
    let (open, close) = dice.pick(&[("[", "]"), ("{\"a\":", "}")]);
    on_leaf(json, dice, |text, _| {
        [
            open.repeat(levels).as_bytes(),
            text,
            close.repeat(levels).as_bytes(),
        ]
        .concat()
    });
}

fn other_encoding(body: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    match dice.below(3) {
        0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => text
            .chars()
            .flat_map(|char| u32::from(char).to_le_bytes())
            .collect(),
    }
}

const ODD_NUMBERS: [&str; 18] = [
    "-0",
    "0e0",
    "-0.0",
    "1E5",
    "1e-5",
    "1e+5",
    "1e-400",
    "5e-324",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "9007199254740993",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1.00000000000000011102230246251565404236316680908203125",
    "0e999",
    "7.2057594037927933e16",
];

const NO_NUMBERS: [&str; 14] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "-01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1_000",
    "1e",
    "--1",
    "1e+",
    "١",
];
