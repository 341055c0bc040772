//! A retry of a request that ended with `input_required` (2026-07-28, "Multi Round-Trip Requests").

use serde_json::Value;

use super::json::{Node, Reshape};

/// What a retry repeats: the method, and its params without what is new each time. The order of members is none of it.
pub(crate) fn original(method: &str, params: Option<Node<'_>>) -> Value {
    let params = Reshape::of(params)
        .drop("_meta")
        .drop("inputResponses")
        .drop("requestState")
        .finish();
    let params: Value = serde_json::from_str(&params).unwrap_or_default();
    serde_json::json!([method, params])
}
