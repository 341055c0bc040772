//! Planted secrets, and every place where they must not be.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::installation::Installation;

/// What was planted, and where it was found.
#[derive(Default)]
pub(crate) struct Trace {
    planted: Vec<Planted>,
    looked: Vec<(String, Vec<u8>)>,
}

struct Planted {
    what: String,
    forms: Vec<String>,
}

impl Trace {
    /// From now on this text is a secret.
    pub(crate) fn plant(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what}: too short to be found for sure");
        self.planted.push(Planted {
            what: what.to_owned(),
            forms: forms(secret),
        });
    }

    /// As people type it, too: without hyphens, and in small letters.
    pub(crate) fn plant_set_up_code(&mut self, code: &str) {
        self.plant("the set-up code", code);
        self.plant("the set-up code", &code.replace('-', ""));
        self.plant("the set-up code", &code.to_ascii_lowercase());
    }

    /// The bytes of `master.key`.
    pub(crate) fn plant_key(&mut self, installation: &Installation) {
        let key = fs::read(installation.data().join("master.key")).expect("it was made");
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.planted.push(Planted {
            what: "the master key".to_owned(),
            forms: vec![
                hex,
                STANDARD_NO_PAD.encode(&key),
                URL_SAFE_NO_PAD.encode(&key),
            ],
        });
    }

    /// A text that must hold none of them.
    pub(crate) fn look_at(&mut self, place: &str, text: impl Into<Vec<u8>>) {
        self.looked.push((place.to_owned(), text.into()));
    }

    /// Every file of the data directory but the key itself.
    pub(crate) fn look_into(&mut self, installation: &Installation) {
        let files = installation.files();
        assert!(files.iter().any(|file| file.ends_with("keystile.db")));
        for file in files.iter().filter(|file| !file.ends_with("master.key")) {
            // A socket has no content.
            if let Ok(content) = fs::read(file) {
                self.look_at(&file.display().to_string(), content);
            }
        }
    }

    /// The set-up code is on standard output, in the ready line, and nothing else is.
    pub(crate) fn set_up_code_is_on_standard_output_only(&mut self, stdout: &str) {
        let ready: serde_json::Value = serde_json::from_str(stdout).expect("one line");
        let code = ready["setup_code"].as_str().expect("it is there");
        let url = ready["setup_url"].as_str().expect("it is there");
        let rest = stdout.replace(url, "").replace(code, "");
        self.look_at("standard output", rest);
    }

    /// Whether any of the secrets is in any of the places.
    pub(crate) fn found_any(&self) -> bool {
        !self.found().is_empty()
    }

    /// Fails with each secret that was found, and where.
    pub(crate) fn finish(&self) {
        assert!(self.looked.len() > 3 && self.planted.len() > 2);
        let found = self.found();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, content) in &self.looked {
            for planted in &self.planted {
                for form in &planted.forms {
                    if let Some(at) = position(content, form.as_bytes()) {
                        let context = &content[at.saturating_sub(120)..at];
                        let context = String::from_utf8_lossy(context).into_owned();
                        found.push(format!("{} in {place}: …{context}»", planted.what));
                    }
                }
            }
        }
        found
    }
}

fn position(content: &[u8], part: &[u8]) -> Option<usize> {
    content
        .windows(part.len())
        .position(|window| window == part)
}

/// Raw, percent-encoded, escaped as in JSON, in hexadecimal, and in Base64 at each of the three places it can begin at.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).expect("a text is JSON");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        secret.to_owned(),
        percent,
        json.trim_matches('"').to_owned(),
        hex,
    ];
    for before in 0..3 {
        let padded = format!("{}{secret}", "x".repeat(before));
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            // The first and the last characters depend on the neighbours.
            let from = [0, 2, 3][before];
            forms.push(text[from..text.len() - 1].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Everything in a folder, one file after the other.
pub(crate) fn contents(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.extend(fs::read(&path).unwrap_or_default()),
        }
    }
    all
}
