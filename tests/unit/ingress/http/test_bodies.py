"""Bodies in chunks: what is one, what is not, and that their size is all that they cost."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_ingress.http.bodies import Body, ChunkedBody, SizedBody
from hookline_ingress.http.request import UnreadableError

LIMIT = 1 << 20
TRAILERS = st.sampled_from([b"", b"X: y\r\n", b"A:\r\nB: c\r\n"])


def take(body: Body, packets: Iterable[bytes]) -> bytes:
    """Have `body` take all packets, as a connection does; return what is no part of it."""
    rest = b""
    for packet in packets:
        rest += packet
        rest = rest[body.take(rest, 0) :]
    return rest


def chunks(pieces: Sequence[bytes]) -> bytes:
    """Return a body of one chunk for each piece, without its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return `data` in packets, cut after each number of bytes in `cuts`."""
    ends = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(ends)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), TRAILERS, st.lists(st.integers(0)))
def test_chunks_in_any_packets(pieces: list[bytes], trailers: bytes, cuts: list[int]) -> None:
    """A body is what its chunks hold, however they arrive; what follows it is left."""
    body = ChunkedBody(LIMIT)
    assert take(body, cut(chunks(pieces) + b"0\r\n" + trailers + b"\r\nGET", cuts)) == b"GET"
    assert (body.is_whole, bytes(body.content)) == (True, b"".join(pieces))


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0)))
def test_sized_body_in_any_packets(content: bytes, cuts: list[int]) -> None:
    """A body of known length ends after it, however it arrives."""
    body = SizedBody(len(content))
    assert take(body, cut(content + b"GET", cuts)) == b"GET"
    assert (body.is_whole, bytes(body.content)) == (True, content)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"3\nabc\r\n0\r\n\r\n", id="LF after a size"),
        pytest.param(b"3\r\nabc\n0\r\n\r\n", id="LF after a chunk"),
        pytest.param(b"3\r\nabcd\r\n0\r\n\r\n", id="longer than its size"),
        pytest.param(b"3\r\nabc0\r\n\r\n", id="no end of a chunk"),
        pytest.param(b"0x3\r\nabc\r\n0\r\n\r\n", id="0x"),
        pytest.param(b"+3\r\nabc\r\n0\r\n\r\n", id="sign"),
        pytest.param(b"3_0\r\nabc\r\n0\r\n\r\n", id="underscore"),
        pytest.param(" ٣\r\nabc\r\n0\r\n\r\n".encode(), id="a digit that is not ASCII"),
        pytest.param(b"3 \r\nabc\r\n0\r\n\r\n", id="space behind"),
        pytest.param(b"3\t\r\nabc\r\n0\r\n\r\n", id="tab behind"),
        pytest.param(b" 3\r\nabc\r\n0\r\n\r\n", id="space before"),
        pytest.param(b"\r\n3\r\nabc\r\n0\r\n\r\n", id="empty line before"),
        pytest.param(b"3;x\n=y\r\nabc\r\n0\r\n\r\n", id="LF in an extension"),
        pytest.param(b"3;x\ry\r\nabc\r\n0\r\n\r\n", id="CR in an extension"),
        pytest.param(b"0\r\n\n", id="LF as the end"),
        pytest.param(b"0\r\nX: y\n\r\n", id="LF after a trailer"),
        pytest.param(b"0\r\nGET / HTTP/1.1\r\n\r\n", id="trailer that is none"),
        pytest.param(b"0\r\nX : y\r\n\r\n", id="space in the name of a trailer"),
        pytest.param(b"1" * 16 + b"\r\n", id="size of 16 digits"),
        pytest.param(b"3;" + b"x" * 2000, id="extension without end"),
    ],
)
def test_no_chunks(data: bytes) -> None:
    """What a proxy in front could read otherwise is refused, never guessed."""
    with pytest.raises(UnreadableError) as refused:
        take(ChunkedBody(LIMIT), [data])
    assert (refused.value.status, refused.value.outcome) == (400, "malformed")


def test_large_chunk_is_refused_before_it_comes() -> None:
    """A chunk that makes the body too large is refused with the line that announces it."""
    with pytest.raises(UnreadableError) as refused:
        take(ChunkedBody(500), [b"1f4\r\n" + b"x" * 500 + b"\r\n1\r\n"])
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "framed",
    [
        pytest.param(chunks([b"x"] * LIMIT), id="chunks of a byte"),
        pytest.param(b"%b" % (b"1;" + b"e" * 900 + b"\r\nx\r\n") * 1000, id="extensions"),
        pytest.param(b"0\r\n" + b"X: y\r\n" * LIMIT, id="trailers"),
    ],
)
def test_framing_is_bounded(framed: bytes) -> None:
    """Chunks of a byte, long extensions and trailers without end are refused while they have cost as much as little bodies."""
    body = ChunkedBody(LIMIT)
    with pytest.raises(UnreadableError) as refused:
        take(body, [framed])
    assert (refused.value.status, refused.value.outcome) == (400, "small_chunks")
    assert len(body.content) < 1000


@pytest.mark.parametrize("limit", [4096, 65536, LIMIT])
@pytest.mark.parametrize("size", [1, 7, 112, 500, 896])
def test_number_of_chunks_is_bounded(size: int, limit: int) -> None:
    """Whatever size an attacker gives its chunks, a body costs at most some chunks and one for each 800 bytes of it."""
    body = Counting(limit)
    with suppress(UnreadableError):
        take(body, [chunks([b"x" * size] * (limit // size))])
    assert body.chunks <= 120 + limit // 800


class Counting(ChunkedBody):
    """A body that counts its chunks."""

    chunks = 0

    def _take_size(self, data: bytes, at: int) -> int:
        self.chunks += 1
        return super()._take_size(data, at)


def test_space_before_an_extension() -> None:
    """Blanks are allowed before an extension only (RFC 9112, section 7.1.1)."""
    assert take(ChunkedBody(LIMIT), [b"3 ;x=y\r\nabc\r\n0\r\n\r\n"]) == b""


@pytest.mark.parametrize("size", [1024, 1460, 65536])
def test_what_proxies_send_is_no_small_chunk(size: int) -> None:
    """A proxy that passes on what it reads, as a chunk for each packet, can send the largest body."""
    body = ChunkedBody(LIMIT)
    assert take(body, [chunks([b"x" * size] * (LIMIT // size)), b"0\r\n\r\n"]) == b""
    assert body.is_whole
