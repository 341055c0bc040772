//! Reads a page as its reader does: the visible text, one block a line.

/// The text of the body, without tags, entities decoded, empty lines dropped.
#[must_use]
pub fn text(html: &str) -> String {
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = after.split_once('>').expect("every tag ends");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '\n'])
            .next()
            .unwrap_or_default();
        if !matches!(name, "strong" | "bdi" | "span" | "code" | "a") {
            text.push('\n');
        }
        rest = after;
    }
    text.push_str(rest);
    let lines = text
        .lines()
        .map(|line| decode(line.trim()))
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The value of the first `name="…"` input, decoded.
#[must_use]
pub fn input(html: &str, name: &str) -> Option<String> {
    let (_, after) = html.split_once(&format!("name=\"{name}\""))?;
    let (tag, _) = after.split_once('>')?;
    let (_, value) = tag.split_once("value=\"")?;
    Some(decode(value.split_once('"')?.0))
}

/// Every tag and attribute name of the page, in order: what a browser would act on.
#[must_use]
pub fn skeleton(html: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let mut quoted = false;
        let end = after
            .find(|c: char| {
                quoted ^= c == '"';
                c == '>' && !quoted
            })
            .expect("every tag ends");
        let mut outside = String::new();
        for (index, part) in after[..end].split('"').enumerate() {
            if index % 2 == 0 {
                outside.push_str(part);
            }
        }
        names.push(outside);
        rest = &after[end + 1..];
    }
    names
}

fn decode(text: &str) -> String {
    text.replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
}
