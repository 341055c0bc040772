//! All readers on one message.

use http::HeaderMap;
use keystile_protocol::mcp::headers::{self, decode};
use keystile_protocol::mcp::{Batch, Envelope};
use serde_json::Value;

use crate::careless;
use crate::foreign::Foreign;
use crate::reading::Tree;
use crate::typed::{self, Sender};

/// What passed the gateway, and what the gateway took it for.
pub(crate) struct Passed {
    /// The execution that it is of.
    pub(crate) execution: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) sender: Sender,
    /// Of a client's: what was put on record, message by message, and the headers that went with it.
    pub(crate) decided: Option<(Vec<Value>, HeaderMap)>,
}

impl AsRef<[u8]> for Passed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A message that two readers read in two ways.
#[derive(Debug)]
pub(crate) struct Escape {
    pub(crate) execution: u64,
    pub(crate) sender: Sender,
    pub(crate) bytes: Vec<u8>,
    pub(crate) why: String,
}

/// How many messages rmcp takes for some of MCP, of those that it was shown.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Typed {
    pub(crate) taken: usize,
    pub(crate) shown: usize,
}

/// Node's JSON.parse and Python's json.
pub(crate) struct Readers([Foreign; 2]);

impl Readers {
    pub(crate) fn start() -> Self {
        Self(Foreign::both())
    }

    /// Shows each message to each reader.
    pub(crate) fn judge(&mut self, all: &[Passed], typed: &mut Typed, escapes: &mut Vec<Escape>) {
        for (passed, read) in all.iter().zip(self.read(all)) {
            typed.shown += 1;
            match on_record(passed).and_then(|()| disagreement(&passed.bytes, passed.sender, &read))
            {
                Ok(taken) => typed.taken += usize::from(taken),
                Err(why) => escapes.push(Escape {
                    execution: passed.execution,
                    sender: passed.sender,
                    bytes: passed.bytes.clone(),
                    why,
                }),
            }
        }
    }

    fn read(&mut self, all: &[impl AsRef<[u8]> + Sync]) -> Vec<[String; 2]> {
        let [node, python] = &mut self.0;
        let (node, python) = std::thread::scope(|scope| {
            let other = scope.spawn(|| python.read(all));
            (node.read(all), other.join().expect("it answers"))
        });
        node.into_iter().zip(python).map(<[_; 2]>::from).collect()
    }

    /// Leaves away what the escape does not need: it still passes the strict reading, and readers still disagree.
    pub(crate) fn shorten(&mut self, escape: &mut Escape) {
        let mut length = escape.bytes.len() / 2;
        while length > 0 {
            let mut at = 0;
            while at + length <= escape.bytes.len() {
                let shorter = [&escape.bytes[..at], &escape.bytes[at + length..]].concat();
                match self.escapes(&shorter, escape.sender) {
                    Some(why) => (escape.bytes, escape.why) = (shorter, why),
                    None => at += length,
                }
            }
            length /= 2;
        }
    }

    fn escapes(&mut self, bytes: &[u8], sender: Sender) -> Option<String> {
        let strict = Envelope::parse(bytes).is_ok() || Batch::parse(bytes).is_ok();
        let read = strict.then(|| self.read(&[bytes]).remove(0))?;
        disagreement(bytes, sender, &read).err()
    }
}

/// Whether rmcp takes it.
///
/// # Errors
/// Who reads what.
fn disagreement(
    bytes: &[u8],
    sender: Sender,
    [node, python]: &[String; 2],
) -> Result<bool, String> {
    let tree = read(bytes)?;
    let canonical = tree.canonical();
    for (name, theirs) in [("JSON.parse", node), ("Python's json", python)] {
        if *theirs != canonical {
            return Err(format!("{name} reads {theirs}, serde_json {canonical}"));
        }
    }
    if let Some(why) = careless::disagrees(&tree, &canonical) {
        return Err(why);
    }
    typed::reads(bytes, &tree, sender)
}

fn read(bytes: &[u8]) -> Result<Tree, String> {
    Tree::read(bytes).map_err(|error| format!("serde_json: {error}"))
}

/// What the gateway decided on is what everybody reads.
fn on_record(passed: &Passed) -> Result<(), String> {
    let Some((decided, headers)) = &passed.decided else {
        return Ok(());
    };
    let tree = read(&passed.bytes)?;
    mirrored(&tree, headers)?;
    let messages = match &tree {
        Tree::Array(all) => all.iter().collect(),
        one => vec![one],
    };
    if messages.len() != decided.len() {
        return Err(format!(
            "{} messages, {} on record",
            messages.len(),
            decided.len()
        ));
    }
    for (message, decided) in messages.into_iter().zip(decided) {
        let method = message.member("method").and_then(Tree::text);
        let params = message.member("params");
        let named = |name| params?.member(name)?.text();
        let name = named("name").or(named("uri")).or(named("taskId"));
        let read = (Some(method.unwrap_or("response")), name);
        let recorded = (decided["method"].as_str(), decided["name"].as_str());
        if read != recorded {
            return Err(format!("on record is {recorded:?}, read is {read:?}"));
        }
    }
    Ok(())
}

/// A server that goes by the headers does what the body says.
fn mirrored(tree: &Tree, headers: &HeaderMap) -> Result<(), String> {
    let sent = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let method = tree.member("method").and_then(Tree::text);
    if let (Some(sent), Some(method)) = (sent(headers::METHOD), method)
        && sent != method
    {
        return Err(format!("Mcp-Method is {sent:?}, the method {method:?}"));
    }
    let params = tree.member("params");
    let name = ["name", "uri", "taskId"]
        .iter()
        .find_map(|name| params?.member(name)?.text());
    if let (Some(sent), Some(name)) = (sent(headers::NAME), name)
        && decode(sent).as_deref() != Some(name)
    {
        return Err(format!("Mcp-Name is {sent:?}, the name {name:?}"));
    }
    Ok(())
}
