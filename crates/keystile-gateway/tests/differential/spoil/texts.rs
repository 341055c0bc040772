//! Other ways to write names and scalars, right and wrong.

use crate::dice::Dice;
use crate::json::Json;

pub(super) fn other_case(name: &[u8], dice: &mut Dice) -> Vec<u8> {
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
pub(super) fn escaped(text: &[u8], dice: &mut Dice) -> Vec<u8> {
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

pub(super) fn on_leaf(
    json: &mut Json,
    dice: &mut Dice,
    change: impl Fn(&[u8], &mut Dice) -> Vec<u8>,
) {
    if let Some(Json::Leaf(text)) = json.any_leaf(dice, Json::is_leaf) {
        *text = change(text, dice);
    }
}

pub(super) fn on_text(
    json: &mut Json,
    dice: &mut Dice,
    change: impl Fn(&[u8], &mut Dice) -> Vec<u8>,
) {
    if let Some(Json::Leaf(text)) = json.any_leaf(dice, Json::is_text) {
        *text = change(text, dice);
    }
}

/// Puts one of these at the end of a text, or of a name.
pub(super) fn within(json: &mut Json, dice: &mut Dice, what: &[&str]) {
    let what = dice.pick(what).as_bytes();
    at_an_end(json, dice, what);
}

pub(super) fn invalid_utf8(json: &mut Json, dice: &mut Dice) {
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

pub(super) fn at_an_end(json: &mut Json, dice: &mut Dice, what: &[u8]) {
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

pub(super) fn leaf(json: &mut Json, dice: &mut Dice, all: &[&str]) {
    on_leaf(json, dice, |_, dice| dice.pick(all).as_bytes().to_vec());
}

pub(super) fn deep(json: &mut Json, dice: &mut Dice) {
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

pub(super) fn other_encoding(body: &[u8], dice: &mut Dice) -> Vec<u8> {
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

pub(super) const ODD_NUMBERS: [&str; 18] = [
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

pub(super) const NO_NUMBERS: [&str; 14] = [
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
