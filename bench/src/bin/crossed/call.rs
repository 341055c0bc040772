//! A call, and what may come for it.

use serde_json::{Value, json};

/// It carries a word that is nobody else's.
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) word: String,
    tool: &'static str,
    /// Reports of progress that it asks for.
    pub(crate) steps: u64,
    /// Milliseconds after each.
    pause: u64,
    seen: u64,
    pub(crate) answered: bool,
    /// What is still missing need not come any more.
    pub(crate) given_up: bool,
}

/// What a message is to a call.
pub(crate) enum Found {
    Progress,
    Answer,
    /// That it was not answered, which is right for one that was given up.
    End,
}

impl Call {
    pub(crate) const fn echo(id: u64, word: String, steps: u64, pause: u64) -> Self {
        Self {
            id,
            word,
            tool: "echo",
            steps,
            pause,
            seen: 0,
            answered: false,
            given_up: false,
        }
    }

    /// Has the server say that this resource has changed.
    pub(crate) const fn announce(id: u64, uri: String) -> Self {
        let mut call = Self::echo(id, uri, 0, 0);
        call.tool = "announce";
        call
    }

    pub(crate) const fn tool(&self) -> &'static str {
        self.tool
    }

    /// The progress token is the id: the same numbers for everybody.
    pub(crate) fn params(&self) -> Value {
        json!({
            "name": self.tool,
            "arguments": { "word": self.word, "steps": self.steps, "pause": self.pause },
            "_meta": { "progressToken": self.id },
        })
    }

    /// Whether a message says that it is about this call.
    pub(crate) fn is_named_by(&self, message: &Value) -> bool {
        message["id"] == self.id || message["params"]["progressToken"] == self.id
    }

    /// What the message is, if it is the next for this call, with this call's word. Each counts once.
    pub(crate) fn take(&mut self, message: &Value) -> Option<Found> {
        if self.answered {
            return None;
        }
        if message["method"] == "notifications/progress" {
            let params = &message["params"];
            let rightful = params["progressToken"] == self.id
                && params["message"] == *self.word
                && params["progress"] == self.seen + 1
                && self.seen < self.steps;
            self.seen += u64::from(rightful);
            return rightful.then_some(Found::Progress);
        }
        if message["id"] != self.id || !message["method"].is_null() {
            return None;
        }
        if message["error"].is_object() && self.given_up {
            self.answered = true;
            return Some(Found::End);
        }
        let rightful =
            message["result"]["content"][0]["text"] == *self.word && self.seen == self.steps;
        self.answered = rightful;
        rightful.then_some(Found::Answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(token: u64, step: u64, word: &str) -> Value {
        let params = json!({ "progressToken": token, "progress": step, "message": word });
        json!({ "method": "notifications/progress", "params": params })
    }

    fn answer(id: u64, word: &str) -> Value {
        json!({ "id": id, "result": { "content": [{ "type": "text", "text": word }] } })
    }

    #[test]
    fn a_call_takes_its_own_words_in_their_order_and_once() {
        let mut call = Call::echo(3, "mine".to_owned(), 1, 0);
        for strange in [
            answer(3, "mine"),
            progress(3, 2, "mine"),
            progress(4, 1, "mine"),
            progress(3, 1, "yours"),
        ] {
            assert!(call.take(&strange).is_none(), "{strange}");
        }
        assert!(call.take(&progress(3, 1, "mine")).is_some());
        for strange in [
            progress(3, 1, "mine"),
            answer(3, "yours"),
            answer(4, "mine"),
            json!({ "id": 3, "error": {} }),
        ] {
            assert!(call.take(&strange).is_none(), "{strange}");
        }
        assert!(call.take(&answer(3, "mine")).is_some());
        assert!(call.take(&answer(3, "mine")).is_none(), "a second time");
    }
}
