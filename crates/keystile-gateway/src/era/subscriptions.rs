//! `subscriptions/listen` (2026-07-28, "Subscriptions"): who asked for which change notifications.

use super::{
    json::{Node, Reshape, quoted},
    message::{Message, notification},
    meta::SUBSCRIPTION_ID,
};

/// The notification types of one listen request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    pub(crate) uris: Vec<String>,
    /// Of the tasks extension, by their ids.
    pub(crate) tasks: Vec<String>,
}

impl Filter {
    /// `params.notifications`; `None` if it is missing or malformed.
    pub(crate) fn read(message: Message<'_>) -> Option<Self> {
        let filter = message
            .params()?
            .member("notifications")
            .filter(|node| node.is_object())?;
        let flag = |key| match filter.member(key).map(Node::text) {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some(_) => None,
        };
        let list = |key| match filter.member(key) {
            None => Some(Vec::new()),
            Some(list) if list.text().starts_with('[') => list
                .elements()
                .map(|text| text.string().map(String::from))
                .collect(),
            Some(_) => None,
        };
        Some(Self {
            tools: flag("toolsListChanged")?,
            prompts: flag("promptsListChanged")?,
            resources: flag("resourcesListChanged")?,
            uris: list("resourceSubscriptions")?,
            tasks: list(TASK_IDS)?,
        })
    }

    /// What a server with these capabilities can honour.
    pub(crate) fn honoured_by(mut self, capabilities: Option<Node<'_>>) -> Self {
        let can = |path: [&str; 2]| {
            capabilities
                .and_then(|node| node.path(path))
                .is_some_and(Node::is_true)
        };
        self.tools &= can(["tools", "listChanged"]);
        self.prompts &= can(["prompts", "listChanged"]);
        self.resources &= can(["resources", "listChanged"]);
        if !can(["resources", "subscribe"]) {
            self.uris.clear();
        }
        // Those of 2025-11-25 are none of the extension.
        self.tasks.clear();
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        let none = !self.tools && !self.prompts && !self.resources;
        none && self.uris.is_empty() && self.tasks.is_empty()
    }

    /// Whether this notification was asked for (CHECKLIST N-TR-15).
    pub(crate) fn wants(&self, method: &str, message: Message<'_>) -> bool {
        match method {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => message
                .params()
                .and_then(|params| params.member("uri"))
                .and_then(Node::string)
                .is_some_and(|uri| self.uris.iter().any(|wanted| covers(wanted, &uri))),
            TASK_CHANGED => message
                .params()
                .and_then(|params| params.member("taskId"))
                .and_then(Node::string)
                .is_some_and(|id| self.tasks.iter().any(|wanted| *wanted == *id)),
            _ => false,
        }
    }

    /// Whether only subscriptions bring this notification.
    pub(crate) fn is_about(method: &str) -> bool {
        matches!(
            method,
            "notifications/tools/list_changed"
                | "notifications/prompts/list_changed"
                | "notifications/resources/list_changed"
                | "notifications/resources/updated"
                | TASK_CHANGED
                | ACKNOWLEDGED
        )
    }

    fn to_json(&self) -> String {
        let mut filter = Reshape::of(None);
        if self.tools {
            filter = filter.set("toolsListChanged", "true");
        }
        if self.prompts {
            filter = filter.set("promptsListChanged", "true");
        }
        if self.resources {
            filter = filter.set("resourcesListChanged", "true");
        }
        if !self.uris.is_empty() {
            let uris = self
                .uris
                .iter()
                .map(|uri| quoted(uri))
                .collect::<Vec<_>>()
                .join(",");
            filter = filter.set("resourceSubscriptions", format!("[{uris}]"));
        }
        filter.finish()
    }

    /// The params of a listen request of our own.
    pub(crate) fn to_params(&self, meta: &str) -> String {
        Reshape::of(None)
            .set("_meta", meta)
            .set("notifications", self.to_json())
            .finish()
    }

    /// The first message of the stream; `id` is the lexeme of the listen request's id.
    pub(crate) fn acknowledgement(&self, id: &str) -> String {
        let meta = Reshape::of(None).set(SUBSCRIPTION_ID, id).finish();
        let params = self.to_params(&meta);
        notification(ACKNOWLEDGED, Some(&params))
    }
}

/// The URI itself, or a part of it ("This might be a sub-resource of the one that the client actually subscribed to").
fn covers(wanted: &str, uri: &str) -> bool {
    uri.strip_prefix(wanted).is_some_and(|rest| {
        rest.is_empty() || wanted.ends_with('/') || rest.starts_with(['/', '#', '?'])
    })
}

/// `text` tagged with the subscription whose listen request has this id (a lexeme).
pub(crate) fn tagged(message: Message<'_>, id: &str) -> String {
    let params = message.params();
    let meta = params.and_then(|params| params.member("_meta"));
    let meta = Reshape::of(meta).set(SUBSCRIPTION_ID, id).finish();
    message.with_params(Some(Reshape::of(params).set("_meta", meta).finish()))
}

/// `text` without its tag, for a client of an era that has no subscriptions.
pub(crate) fn untagged(message: Message<'_>) -> String {
    let params = message.params();
    let meta = params.and_then(|params| params.member("_meta"));
    let params = match Reshape::of(meta)
        .drop(SUBSCRIPTION_ID)
        .finish_unless_empty()
    {
        Some(meta) => Reshape::of(params).set("_meta", meta),
        None => Reshape::of(params).drop("_meta"),
    };
    message.with_params(params.finish_unless_empty())
}

pub(crate) const LISTEN: &str = "subscriptions/listen";
pub(crate) const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
/// The tasks extension (SEP-2663), "Task Status Notifications".
pub(crate) const TASK_CHANGED: &str = "notifications/tasks";
pub(crate) const TASK_IDS: &str = "taskIds";

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(notifications: &str) -> Option<Filter> {
        let text = format!(r#"{{"params":{{"notifications":{notifications}}}}}"#);
        Filter::read(Message::of(&text))
    }

    #[test]
    fn a_malformed_filter_is_refused() {
        for bad in [
            "1",
            "null",
            r#"{"toolsListChanged":1}"#,
            r#"{"resourceSubscriptions":[1]}"#,
            r#"{"resourceSubscriptions":"a"}"#,
        ] {
            assert_eq!(filter(bad), None, "{bad}");
        }
        assert!(filter("{}").unwrap().is_empty());
    }

    #[test]
    fn only_what_was_asked_for_passes() {
        let filter =
            filter(r#"{"toolsListChanged":true,"resourceSubscriptions":["f:///a"]}"#).unwrap();
        let wants = |text: &str, method: &str| filter.wants(method, Message::of(text));
        assert!(wants("{}", "notifications/tools/list_changed"));
        assert!(!wants("{}", "notifications/prompts/list_changed"));
        assert!(!wants("{}", "notifications/message"));
        let updated = "notifications/resources/updated";
        assert!(wants(r#"{"params":{"uri":"f:///a"}}"#, updated));
        assert!(wants(r#"{"params":{"uri":"f:///a/b"}}"#, updated));
        assert!(!wants(r#"{"params":{"uri":"f:///ab"}}"#, updated));
        assert!(!wants("{}", updated));
    }

    #[test]
    fn what_the_server_cannot_do_is_not_acknowledged() {
        let capabilities =
            Node::root(r#"{"tools":{"listChanged":true},"resources":{"subscribe":false}}"#);
        let all = filter(
            r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a"]}"#,
        )
        .unwrap()
        .honoured_by(Some(capabilities));
        assert_eq!(
            all.acknowledgement("7"),
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"toolsListChanged":true}}}"#
        );
    }

    #[test]
    fn a_tag_is_set_and_taken_away() {
        let text = r#"{"jsonrpc":"2.0","method":"m","params":{"uri":"a"}}"#;
        let with = tagged(Message::of(text), "\"x\"");
        assert_eq!(
            with,
            r#"{"jsonrpc":"2.0","method":"m","params":{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":"x"}}}"#
        );
        assert_eq!(untagged(Message::of(&with)), text);
        let bare = tagged(Message::of(r#"{"jsonrpc":"2.0","method":"m"}"#), "1");
        assert_eq!(
            untagged(Message::of(&bare)),
            r#"{"jsonrpc":"2.0","method":"m"}"#
        );
    }
}
