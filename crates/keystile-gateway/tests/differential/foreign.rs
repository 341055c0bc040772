//! Readers of other languages, which run as long as the test.

use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use crate::tools::{Tools, conformance};

/// A program that answers each message with what it has read.
pub(crate) struct Foreign {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Foreign {
    /// Node's `JSON.parse`, and Python's `json`.
    pub(crate) fn both() -> [Self; 2] {
        let tools = Tools::find();
        let start = |name, tool, script| {
            let mut command = Command::new(tools.path(tool));
            command.arg(conformance(script));
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command
                .spawn()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let input = child.stdin.take().expect("piped above");
            let output = child.stdout.take().expect("piped above");
            Self {
                child,
                input: BufWriter::new(input),
                output: BufReader::new(output),
            }
        };
        [
            start("JSON.parse", "node", "judges/json-reader.mjs"),
            start("Python's json", "python_mcp", "judges/json_reader.py"),
        ]
    }

    /// The canonical text of each message, or `!` and why it can't be read.
    pub(crate) fn read(&mut self, messages: &[impl AsRef<[u8]> + Sync]) -> Vec<String> {
        let Self { input, output, .. } = self;
        thread::scope(|scope| {
            scope.spawn(move || {
                // A last message without a byte: what was read so far is wanted now.
                let all = messages.iter().map(AsRef::as_ref).chain([b"".as_slice()]);
                for message in all {
                    let length = u32::try_from(message.len()).expect("messages are small");
                    let written = input.write_all(&length.to_be_bytes());
                    let written = written.and_then(|()| input.write_all(message));
                    written.expect("the reader reads to the end");
                }
                input.flush().expect("the reader reads to the end");
            });
            let mut answer = || {
                let mut length = [0; 4];
                output.read_exact(&mut length).expect("the reader answers");
                let length = usize::try_from(u32::from_be_bytes(length)).expect("it fits");
                let mut text = vec![0; length];
                output.read_exact(&mut text).expect("the reader answers");
                String::from_utf8(text).expect("readers answer in UTF-8")
            };
            let read = messages.iter().map(|_| answer()).collect();
            answer();
            read
        })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended itself; either way it is gone then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
