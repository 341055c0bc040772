//! Several rounds within one request (SEP-2322, since 2026-07-28): what is asked, and what becomes of the answers.

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, GetPromptRequestParams,
    GetPromptResponse, InputResponses, RequestStateCodec, SealOptions,
};
use serde_json::{Map, Value, json};

use crate::content;
use crate::fixture::{result, typed};
use crate::questions::{self, elicit, name_of, roots, sample};

/// Asks and remembers; what it remembers travels sealed, bound to the tool's name.
pub(crate) struct Rounds {
    codec: RequestStateCodec,
}

impl Rounds {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let codec = RequestStateCodec::try_new(b"a key of a fixture, and no secret at all")?;
        Ok(Self { codec })
    }

    /// The tools of this module; `None` for any other.
    pub(crate) fn call(
        &self,
        request: &CallToolRequestParams,
        client: &ClientCapabilities,
    ) -> Option<Result<CallToolResponse, ErrorData>> {
        let answers = request.input_responses.as_ref();
        let said = |key: &str, field: &str| accepted(answers, key)?.get(field)?.as_str();
        if let Some(question) = questions::of_tool(request) {
            return Some(match answer(answers, "asked") {
                Some(answer) => complete(content::text(format!("The answer: {answer}"))),
                None if !question.can_be_asked(client) => {
                    complete(content::failure("This client can't be asked."))
                }
                None => ask_call(json!({ "asked": question.request }), None),
            });
        }
        let name = request.name.strip_prefix("test_input_required_result_")?;
        Some(match name {
            "elicitation" => match said("user_name", "name") {
                Some(name) => complete(content::text(format!("Hello, {name}!"))),
                None => ask_call(json!({ "user_name": name_of("What is your name?") }), None),
            },
            "sampling" => match answer(answers, "capital_question") {
                Some(answer) => complete(content::text(answer["content"].to_string())),
                None => {
                    let question = sample("What is the capital of France?", 100);
                    ask_call(json!({ "capital_question": question }), None)
                }
            },
            "list_roots" => match answer(answers, "client_roots") {
                Some(answer) => complete(content::text(answer["roots"].to_string())),
                None => ask_call(json!({ "client_roots": roots() }), None),
            },
            "request_state" | "tampered_state" => self.confirm(request),
            "multiple_inputs" => self.several(request),
            "multi_round" => self.twice(request),
            "capabilities" => only_what_it_can(client, answers),
            _ => return None,
        })
    }

    /// The prompt that asks; `None` for any other.
    pub(crate) fn prompt(
        &self,
        request: &GetPromptRequestParams,
    ) -> Option<Result<GetPromptResponse, ErrorData>> {
        if request.name != "test_input_required_result_prompt" {
            return None;
        }
        let answers = request.input_responses.as_ref();
        let context =
            accepted(answers, "user_context").and_then(|content| content.get("context")?.as_str());
        Some(match context {
            Some(context) => result(json!({ "messages": [
                { "role": "user", "content": { "type": "text", "text": format!("In the context of {context}.") } },
            ] }))
            .map(GetPromptResponse::Complete),
            None => {
                let asked = elicit("What context should the prompt use?", "context", "string");
                typed(input_required(json!({ "user_context": asked }), None))
                    .map(GetPromptResponse::InputRequired)
            }
        })
    }

    /// One question, whose state must come back as it left.
    fn confirm(&self, request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let confirmed = accepted(request.input_responses.as_ref(), "confirm").is_some();
        match self.opened(request)?.as_deref() {
            Some("confirm") if confirmed => complete(content::text("state-ok")),
            _ => {
                let asked = json!({ "confirm": elicit("Please confirm", "ok", "boolean") });
                ask_call(asked, Some(self.seal(request, "confirm")))
            }
        }
    }

    fn several(&self, request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let answers = request.input_responses.as_ref();
        let all = ["user_name", "greeting", "client_roots"]
            .iter()
            .all(|key| answer(answers, key).is_some());
        match self.opened(request)? {
            Some(_) if all => complete(content::text("All three were answered.")),
            _ => {
                let asked = json!({
                    "user_name": name_of("What is your name?"),
                    "greeting": sample("Generate a greeting", 50),
                    "client_roots": roots(),
                });
                ask_call(asked, Some(self.seal(request, "several")))
            }
        }
    }

    fn twice(&self, request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let answers = request.input_responses.as_ref();
        let text = |key, field| Some(accepted(answers, key)?.get(field)?.as_str()?.to_owned());
        let state = self.opened(request)?;
        let round = state.as_deref().unwrap_or_default();
        if let (Some(name), Some(color)) = (round.strip_prefix("2:"), text("step2", "color")) {
            return complete(content::text(format!("{name} likes {color}.")));
        }
        if let ("1", Some(name)) = (round, text("step1", "name")) {
            let asked = elicit("Step 2: What is your favorite color?", "color", "string");
            return ask_call(
                json!({ "step2": asked }),
                Some(self.seal(request, &format!("2:{name}"))),
            );
        }
        let asked = json!({ "step1": name_of("Step 1: What is your name?") });
        ask_call(asked, Some(self.seal(request, "1")))
    }

    fn seal(&self, request: &CallToolRequestParams, state: &str) -> String {
        let bound = SealOptions::new().associated_data(request.name.as_bytes());
        self.codec.seal_with(state.as_bytes(), &bound)
    }

    fn opened(&self, request: &CallToolRequestParams) -> Result<Option<String>, ErrorData> {
        let Some(sealed) = &request.request_state else {
            return Ok(None);
        };
        let opened = self.codec.open_with(sealed, request.name.as_bytes());
        let opened = opened.map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        Ok(Some(String::from_utf8_lossy(&opened).into_owned()))
    }
}

/// Asks a client to sample or to elicit, by what it declared.
fn only_what_it_can(
    client: &ClientCapabilities,
    answers: Option<&InputResponses>,
) -> Result<CallToolResponse, ErrorData> {
    if let Some(answers) = answers {
        return complete(content::text(format!("{} answers", answers.len())));
    }
    let mut asked = Map::new();
    if client.sampling.is_some() {
        asked.insert("greeting".to_owned(), sample("Generate a greeting", 50));
    }
    if client.elicitation.is_some() {
        asked.insert("user_name".to_owned(), name_of("What is your name?"));
    }
    if asked.is_empty() {
        return complete(content::text(
            "There is nothing that this client can be asked.",
        ));
    }
    ask_call(Value::Object(asked), None)
}

/// What was answered under a key, if it is an object.
fn answer<'a>(answers: Option<&'a InputResponses>, key: &str) -> Option<&'a Value> {
    answers?.get(key).filter(|answer| answer.is_object())
}

/// The content of an elicitation that the person accepted.
pub(crate) fn accepted<'a>(answers: Option<&'a InputResponses>, key: &str) -> Option<&'a Value> {
    let answer = answer(answers, key)?;
    (answer["action"] == "accept").then_some(&answer["content"])
}

fn complete(value: Value) -> Result<CallToolResponse, ErrorData> {
    result(value).map(CallToolResponse::Complete)
}

/// Asks instead of answering a call.
pub(crate) fn ask_call(
    requests: Value,
    state: Option<String>,
) -> Result<CallToolResponse, ErrorData> {
    typed(input_required(requests, state)).map(CallToolResponse::InputRequired)
}

fn input_required(requests: Value, state: Option<String>) -> Value {
    let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
    if let Some(state) = state {
        result["requestState"] = Value::String(state);
    }
    result
}
