"""What json.loads reads of each message on standard input: a length (32 bits, big endian), then the bytes; the answer in
the same form is the canonical text of what was read, or `!` and why nothing was."""

import json
import re
import struct
import sys

ODD = re.compile(r"[^ !#-\[\]-~]")


def units(match):
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def text(string):
    return '"' + ODD.sub(units, string) + '"'


def canonical(value):
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (int, float)):
        return "#" + struct.pack(">d", float(value) + 0.0).hex()  # -0 and 0 are equal
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    members = sorted(((text(name), item) for name, item in value.items()), key=lambda member: member[0])
    return "{" + ",".join(name + ":" + canonical(item) for name, item in members) + "}"


def read(message):
    try:
        return canonical(json.loads(message))
    except (ValueError, OverflowError, RecursionError) as error:
        return f"!{error}"


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(4):
        answer = read(source.read(int.from_bytes(head, "big"))).encode("ascii", "backslashreplace")
        sink.write(len(answer).to_bytes(4, "big") + answer)
        # A batch ends with an empty message.
        if head == b"\0\0\0\0":
            sink.flush()


main()
