"""The fields of multipart bodies, whose time grows with their length only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_shared.parsing.multipart import boundary_of, parse_multipart
from tests.support.time.growth import LINEAR, growth

BOUNDARIES = {
    "multipart/form-data; boundary=xYzZY": b"xYzZY",
    'Multipart/Form-Data;charset=utf-8;Boundary="a b;c"': b"a b;c",
    'multipart/form-data; boundary="a\\"b"': b'a"b',
    "multipart/form-data; boundary = x": b"x",
    "multipart/form-data": b"",
    "multipart/form-data; boundary=": b"",
    "multipart/form-data; boundary=" + "x" * 201: b"",
    "multipart/mixed; boundary=x": b"",
    "text/plain; x=multipart/form-data; boundary=x": b"",
    "": b"",
}


@pytest.mark.parametrize(("content_type", "boundary"), BOUNDARIES.items())
def test_boundary(content_type: str, boundary: bytes) -> None:
    """The boundary is a parameter of the header, quoted or not; without it, a body is not multipart."""
    assert boundary_of(content_type) == boundary


def body(*parts: bytes) -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


HEADS = {
    b'Content-Disposition: form-data; name="a"': "a",
    b"content-disposition:form-data;name=a": "a",
    b'Content-Type: text/plain\r\nCONTENT-DISPOSITION: form-data; name="a b"\r\nX: y': "a b",
    b'Content-Disposition: form-data; name="a\\"b"': 'a"b',
    'Content-Disposition: form-data; name="ü"'.encode(): "ü",
    b'Content-Disposition: form-data; name=""': "",
    b'Content-Disposition: form-data; name="a"; filename="b"': None,
    b"Content-Disposition: form-data; name=a; filename*=UTF-8''b": None,
    b'Content-Disposition: form-data; name="filename"': "filename",
    b'Content-Disposition: attachment; name="a"': None,
    b"Content-Disposition: form-data": None,
    b'X-Content-Disposition: form-data; name="a"': None,
    b"": None,
    b'Content-Disposition: form-data; name="a"; x="' + b"y" * 4096 + b'"': None,
}


@pytest.mark.parametrize(("head", "name"), HEADS.items())
def test_name_of_a_part(head: bytes, name: str | None) -> None:
    """A field is a part that says its name and no name of a file; what is around it does not matter."""
    fields = parse_multipart(body(head + b"\r\n\r\none\r\n\r\ntwo", b'Content-Disposition: form-data; name="z"\r\n\r\n'), b"x")
    assert fields == ({} if name is None else {name: "one\r\n\r\ntwo"}) | {"z": ""}


def field(name: str, value: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO-8859-1", "café"),
        ("windows-1252", "“café”"),
        ("Shift_JIS", "カフェ"),
        ("UTF-8", "caf\ufffd"),
        ("iso-8859-12", "caf\ufffd"),
        ("punycode", "caf\ufffd"),
        ("rot13", "caf\ufffd"),
    ],
)
def test_charset(charset: str, text: str) -> None:
    """A field has the charset that SendGrid names for it. One that is not known is taken for UTF-8."""
    value = b"caf\xe9" if "\ufffd" in text else text.encode(charset)
    fields = parse_multipart(body(field("text", value), field("charsets", f'{{"text":"{charset}"}}'.encode())), b"x")
    assert fields["text"] == text


PIECES = {
    "disposition": b"content-disposition:form-data;",
    "names": b'content-disposition:form-data;name="',
    "file": b"content-disposition:filename",
    "spaces": b"content-disposition: form-data;" + b" " * 8,
    "lines": b"content-disposition:\r\n",
    "quotes": b'content-disposition:form-data;a="\\',
    "parameters": b"content-disposition:form-data;a=b",
    "parts": b"\r\n--x\r\n",
    "heads": b"\r\n\r\n",
    "long heads": b"\r\n--x\r\n" + b"a" * 3000,
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_time_is_linear(piece: bytes) -> None:
    """Whatever is repeated in a body, twice the length takes twice the time."""
    assert (
        growth(lambda value: parse_multipart(value, b"x"), lambda size: b"--x\r\n" + piece * (size // len(piece)), 4096)
        < LINEAR
    )


@pytest.mark.parametrize("piece", ["multipart/form-data;", "; boundary", ";a=", ' ;a="', "\t", '\\"'])
def test_time_of_a_header_is_linear(piece: str) -> None:
    """The same is true of the header that names the boundary."""
    uncached = boundary_of.__wrapped__
    assert growth(uncached, lambda size: "multipart/form-data;" + piece * (size // len(piece)), 4096) < LINEAR


@given(st.binary(max_size=300) | st.lists(st.sampled_from([*PIECES.values(), b"\r\n", b'"', b";"]), max_size=20).map(b"".join))
def test_any_bytes(sent: bytes) -> None:
    """No bytes are an error."""
    assert all(isinstance(value, str) for value in parse_multipart(b"--x\r\n" + sent, b"x").values())
