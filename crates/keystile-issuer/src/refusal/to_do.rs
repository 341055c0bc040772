//! What a person does about a refusal that they see, by who alone can mend it. What an operator types is for
//! `keystile doctor` to say: the page is anybody's.

/// The sentence for a refusal of this name.
pub(super) fn after(reason: &str) -> &'static str {
    match reason {
        "client_disabled"
        | "client_host_not_listed"
        | "client_document_not_fetched"
        | "redirect_approval_removed" => {
            "Starting over changes nothing: only whoever runs this server can let the app in. Give \
             them the reference below."
        }
        "client_grant_type" => {
            "Starting over changes nothing: the app asks for what it is not registered for. Tell \
             its maker, or give the reference below to whoever runs this server."
        }
        "client_document_answer"
        | "client_document_auth_method"
        | "client_document_invalid"
        | "client_id_missing"
        | "client_id_url"
        | "form_unreadable"
        | "parameter_repeated"
        | "push_required"
        | "redirect_malformed"
        | "redirect_missing"
        | "state_too_long" => {
            "Starting over changes nothing: the fault is the app's. Update it if you can, or tell \
             its maker."
        }
        // Which of the two it is would tell a stranger what is on the network behind this server.
        "client_document_address_not_public" | "client_document_unreachable" => {
            "Try again in a few minutes. If it happens again, give the reference below to whoever \
             runs this server."
        }
        _ => {
            "Go back to the app and start connecting again. If it happens again, give the \
             reference below to whoever runs this server."
        }
    }
}
