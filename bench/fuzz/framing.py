"""Ways to put a request on the wire: those that change nothing about it, and those that damage it. Pure."""

from collections.abc import Callable
from random import Random
from typing import Final

from bench.fuzz.drafts import Draft

Change = Callable[[Draft, Random], None]
"""Changes a request before it becomes bytes."""

_NAMES: Final = b"""
    Content-Type Content-Length Content-Encoding Transfer-Encoding Connection Upgrade Expect X-Twilio-Signature Cookie TE Host
    X-Twilio-Webhooks-Signature-Settings X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto traceparent
""".split()
_VALUES: Final = [
    *b"0|3|18446744073709551615|000000003|-1|+3|3, 3|0x3||chunked|gzip|gzip, chunked|chunked, chunked|identity".split(b"|"),
    *b"close|upgrade|keep-alive|websocket|h2c|100-continue|https|h:99999|[::1|\xff|\xc4\xb0|key=a,algorithm=x".split(b"|"),
    *b"application/json|application/x-www-form-urlencoded|multipart/form-data; boundary=x|text/plain".split(b"|"),
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"v" * 5000,
]
_LINE_ENDS: Final = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\0\r\n", b"")


def in_chunks(draft: Draft, source: Random) -> None:
    """Send the body in chunks of any size."""
    left = len(draft.body)
    chunks: list[int] = []
    while left:
        chunks.append(min(left, source.choice([1, 7, 128, 1000, 5000]) if len(chunks) < 200 else left))
        left -= chunks[-1]
    draft.chunks = chunks


def more_headers(draft: Draft, source: Random) -> None:
    """Add headers that mean nothing here."""
    draft.headers += [(b"X-%d" % number, b"v" * source.randrange(100)) for number in range(source.randrange(20))]


def other_case(draft: Draft, source: Random) -> None:
    """Write the names of headers otherwise, in another order."""
    draft.headers = [(source.choice([name.lower(), name.upper(), name]), value) for name, value in draft.headers]
    source.shuffle(draft.headers)


def expecting(draft: Draft, _source: Random) -> None:
    """Ask whether the body is wanted."""
    draft.headers.append((b"Expect", b"100-continue"))


def whole_url(draft: Draft, source: Random) -> None:
    """Send the whole URL for a target, with any host."""
    draft.target = (
        source.choice([b"http://h", b"https://hooks.example.com", b"HTTP://[::1]:8080", b"http://a.b:1"]) + draft.target
    )


HARMLESS: Final[tuple[Change, ...]] = (in_chunks, in_chunks, more_headers, other_case, expecting, whole_url)


def any_header(draft: Draft, source: Random) -> None:
    """Add a header that means something, with any value, once or twice."""
    name = source.choice(_NAMES)
    draft.headers += [(name, source.choice(_VALUES)) for _ in range(source.choice([1, 1, 2]))]


def lost_header(draft: Draft, source: Random) -> None:
    """Leave one out."""
    draft.headers.pop(source.randrange(len(draft.headers)))


def wrong_header(draft: Draft, source: Random) -> None:
    """Write one wrongly."""
    at = source.randrange(len(draft.headers))
    name, value = draft.headers[at]
    junk = source.randbytes(source.randrange(1, 8))
    draft.headers[at] = source.choice(
        [(name + b" ", value), (name + junk, value), (name, value + junk), (junk, value), (name, b"")]
    )


def wrong_line(draft: Draft, source: Random) -> None:
    """Write the first line wrongly."""
    draft.method = source.choice([b"PUT", b"HEAD", b"post", b"CONNECT", b"PRI", b"", b"POST ", b"M-SEARCH", draft.method])
    draft.target = source.choice(
        [draft.target, b"*", b"//", b"http://h/twilio", b"http://][@", b"/" + source.randbytes(9), b"/x" * 5000]
    )
    draft.version = source.choice([draft.version, b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 ", b"", b"HTTP/11"])


def wrong_body(draft: Draft, source: Random) -> None:
    """Change the body behind the signature."""
    at = source.randrange(len(draft.body) + 1)
    draft.body = (
        draft.body[:at]
        + source.choice([source.randbytes(5), b"&", b"=", b"%", b"%f", b"\xff", b"]", b"{", b""])
        + draft.body[at + 1 :]
    )


def wrong_query(draft: Draft, source: Random) -> None:
    """Change the query behind the signature."""
    draft.target += source.choice([b"?", b"&a=b", b"#x", b"?%ff", b"?\xff", b"&bodySHA256=" + b"0" * 64, b"?" + b"a=1&" * 1500])


DAMAGING: Final[tuple[Change, ...]] = (any_header, any_header, lost_header, wrong_header, wrong_line, wrong_body, wrong_query)


def to_bytes(draft: Draft, source: Random, *, damaged: bool) -> bytes:
    """Return the bytes of `draft`; if `damaged`, what frames it may be wrong in every way."""
    body, framing = draft.body, (b"Content-Length", b"%d" % len(draft.body))
    if draft.chunks is not None:
        body, framing = _chunked(draft, source, damaged=damaged), (b"Transfer-Encoding", b"chunked")
    elif damaged and source.random() < 0.3:
        framing = (framing[0], source.choice([b"%d" % max(0, len(body) + source.randrange(-9, 9)), source.choice(_VALUES)]))
    end = source.choice(_LINE_ENDS) if damaged and source.random() < 0.2 else b"\r\n"
    lines = [
        b" ".join((draft.method, draft.target, draft.version)),
        *(b": ".join(header) for header in (*draft.headers, framing)),
    ]
    at = source.randrange(len(lines))
    head = b"\r\n".join(lines[: at + 1]) + end + b"\r\n".join([*lines[at + 1 :], b"", b""])
    return head + body


def _chunked(draft: Draft, source: Random, *, damaged: bool) -> bytes:
    parts, at = [], 0
    for size in draft.chunks or ():
        extension = source.choice([b"", b"", b";x", b';x="y"', b" ;x=y"])
        parts.append(b"%x%b\r\n%b\r\n" % (size, extension, draft.body[at : at + size]))
        at += size
    parts.append(b"0\r\n" + source.choice([b"", b"", b"X-Trailer: y\r\n"]) + b"\r\n")
    if damaged:
        parts[source.randrange(len(parts))] = source.choice(
            [
                b"",
                b"\r\n",
                b"0\r\n\r\n",
                b"-1\r\n",
                b"ffffffffffffffff\r\n",
                b"1\nx\r\n",
                b"1;\nx\r\nx\r\n",
                b"zz\r\n",
                b"2\r\nx\r\n",
                b"0\r\n: \r\n\r\n",
            ]
        )
    return b"".join(parts)


def flip(data: bytes, source: Random) -> bytes:
    """Change some bytes of what goes to the wire, leave a piece out, or send one twice."""
    for _ in range(source.choice([1, 1, 2, 8])):
        at, length = source.randrange(len(data) + 1), source.choice([0, 1, 1, 5, 200])
        piece = source.choice(
            [b"", source.randbytes(1), b"\r\n", b"\n", b"\0", data[at : at + length] * 2, b"\r\n\r\n", b" ", b":"]
        )
        data = data[:at] + piece + data[at + length :]
    return data
