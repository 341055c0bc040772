// What JSON.parse reads of each message on standard input: a length (32 bits, big endian), then the bytes; the answer in
// the same form is the canonical text of what was read, or `!` and why nothing was.

const SCRATCH = new DataView(new ArrayBuffer(8));

function text(string) {
  const escaped = string.replace(/[^ !#-\[\]-~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

function number(value) {
  SCRATCH.setFloat64(0, value + 0); // -0 and 0 are equal
  return `#${SCRATCH.getBigUint64(0).toString(16).padStart(16, '0')}`;
}

function canonical(value) {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') return number(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value).map((name) => [text(name), name]);
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([shown, name]) => `${shown}:${canonical(value[name])}`).join(',')}}`;
}

function read(bytes) {
  try {
    return canonical(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    return `!${error.message}`;
  }
}

let pending = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
  const answers = [];
  let at = 0;
  while (pending.length - at >= 4) {
    const length = pending.readUInt32BE(at);
    if (pending.length - at - 4 < length) break;
    const answer = Buffer.from(read(pending.subarray(at + 4, at + 4 + length)));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(answer.length);
    answers.push(head, answer);
    at += 4 + length;
  }
  pending = pending.subarray(at);
  if (answers.length > 0) process.stdout.write(Buffer.concat(answers));
});
