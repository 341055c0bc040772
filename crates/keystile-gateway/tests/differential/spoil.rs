//! What is done to a good message. Some of it changes nothing for a good reader; most of it makes readers disagree.

mod texts;

use crate::dice::Dice;
use crate::json::Json;
use texts::{
    NO_NUMBERS, ODD_NUMBERS, deep, escaped, invalid_utf8, leaf, on_leaf, on_text, other_case,
    other_encoding, within,
};

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
