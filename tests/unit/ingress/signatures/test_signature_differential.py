"""Whole requests, from the bytes on the wire to the verdict, against Twilio's own library.

The library is given what it expects. It loses a bare "?" and a bare ";" at the end of a URL (`urlparse` drops them), takes
credentials and IPv6 addresses for ports, fails on a JSON body without `bodySHA256` and approves of an empty one: such URLs are
signed with it and not validated, and such bodies are not shown to it.
"""

from collections.abc import Mapping
from hashlib import sha256
from random import Random
from urllib.parse import parse_qs, parse_qsl, urlencode, urlparse

from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict
from twilio.request_validator import RequestValidator, get_signature_algorithm

from hookline_ingress.http.request import Request
from hookline_ingress.settings import IngressSettings
from hookline_ingress.signatures.secrets import parse_secrets, parse_shared_keys
from hookline_ingress.signatures.twilio import SETTINGS, SIGNATURE, Keyring
from hookline_ingress.translation.translate import translate
from hookline_ingress.translation.webhook import decode
from tests.support.inbound.kinds import call, call_status, message, message_status, picture_message, unknown, whatsapp_status

Pairs = list[tuple[str, str]]

TOKEN, SHARED, KEY_ID = "12345", "a-shared-secret", "webhooks_sharedkey_1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
RECEIVED_AT = 1_750_000_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
telling = st.text("ab=&%+; ü🙂\0", max_size=4)  # a small alphabet, so that names repeat and signed texts nearly collide
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/?#&="), min_size=1, max_size=8)
confusable = st.text("ab%+; ü🙂", min_size=1, max_size=4)
forms = st.lists(st.tuples(names | confusable, texts | telling), max_size=8)
pieces = ["a=1", "a=2", "b", "%20", "+", "%c3%bc", "ü", "%2F", "/", "&", "&&", "=", "%", "%zz", "🙂", ";x", ":8443", "@"]
bodies = st.binary(max_size=40) | st.sampled_from([b'{"a": 1}', b"[]", "ü".encode()])


def spelled(ingredients: list[str]) -> st.SearchStrategy[str]:
    """Return targets: a path, and a query made of `ingredients`, which may be a bare question mark or none at all."""
    text = st.lists(st.sampled_from(ingredients), max_size=6).map("".join)
    return st.builds(
        "/twilio{}{}".format, st.sampled_from(["", "/", "/%7Euser", "//x;y=1"]), st.just("") | text.map("?{}".format)
    )


targets = spelled([*pieces, "%ff"])


@st.composite
def public_urls(draw: st.DrawFn) -> tuple[str, str]:
    """Return a base URL as an operator may write it, and as Twilio signs it: without credentials and trailing slash."""
    scheme, host = (
        draw(st.sampled_from(["http", "https"])),
        draw(st.sampled_from(["h.example.com", "Hooks.Example.com", "[::1]"])),
    )
    port, prefix = draw(st.sampled_from(["", ":80", ":443", ":8443"])), draw(st.sampled_from(["", "/in", "/%C3%BC/in"]))
    credentials, slash = draw(st.sampled_from(["", "user@", "user:p%40ss@"])), draw(st.sampled_from(["", "/"]))
    return f"{scheme}://{credentials}{host}{port}{prefix}{slash}", f"{scheme}://{host}{port}{prefix}"


def keyring(*public_urls: str) -> Keyring:
    return Keyring(parse_secrets([TOKEN]), public_urls, parse_shared_keys([f"{KEY_ID}={SHARED}"]))


KEYRING = keyring("https://h.example.com")


def accepts(method: str, target: str, headers: Mapping[str, str], body: bytes, keys: Keyring = KEYRING) -> bool:
    """Whether ingress would accept this request."""
    try:
        webhook = decode(Request(method, target, CIMultiDict(headers), body, "", 0.0), headers.get(SIGNATURE, ""), RECEIVED_AT)
    except ValueError:
        return False
    return keys.verify(webhook) is not None


def signed(url: str, form: Pairs, token: str = TOKEN, algorithm: str = "HMAC_SHA1") -> str:
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(form), algorithm)
    return signature


def approves(url: str, params: MultiDict[str] | str, signature: str, token: str = TOKEN, algorithm: str = "HMAC_SHA1") -> bool:
    """Whether Twilio's library would."""
    approved: bool = RequestValidator(token).validate(url, params, signature, algorithm)
    return approved


def is_understood(url: str) -> bool:
    """Whether Twilio's library validates `url` as it is."""
    return urlparse(url).geturl() == url and "[" not in url


def parse_with_stdlib(body: bytes) -> MultiDict[str] | None:
    """Return the form as the standard library reads it, None if it is not UTF-8."""
    try:
        return MultiDict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        return None


@given(public_urls(), targets, forms)
def test_whatever_twilio_signs_is_accepted(base: tuple[str, str], target: str, form: Pairs) -> None:
    """Any form, to any target, below any public URL: with the port or without, what Twilio signs is accepted."""
    configured, public = base
    keys = keyring(*IngressSettings.load({"PUBLIC_URL": configured, "TWILIO_AUTH_TOKEN": TOKEN}).public_urls)
    url = urlparse(public)
    host = url.netloc.removesuffix(f":{url.port}")
    ports = {url.port, None} if url.port else {None, 443 if url.scheme == "https" else 80}
    for port in ports:
        called = url._replace(netloc=f"{host}:{port}" if port else host).geturl() + target
        signature = signed(called, form)
        assert accepts("POST", target, FORM | {SIGNATURE: signature}, urlencode(form).encode(), keys)
        if is_understood(public + target):
            assert approves(public + target, MultiDict(form), signature)


@given(targets, forms, st.data())
def test_one_changed_byte_has_the_same_verdict(target: str, form: Pairs, data: st.DataObject) -> None:
    """A byte of the body, of the target or of the signature is replaced: Twilio's library and ingress still agree, except about
    parameters without a name, or with one that could be a piece of a URL, which ingress refuses.

    Most such requests are refused; a "+" that became "%20" changes nothing, and is accepted by both.
    """
    body = urlencode(form).encode()
    signature = signed(f"https://h.example.com{target}", form)
    sent = [body, target.encode(), signature.encode()]
    which = data.draw(st.integers(0, 2))
    changed = bytearray(sent[which] or b"x")
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.sampled_from(b"a=&%+20/?ZA"))
    sent[which] = bytes(changed)
    try:
        body, target, signature = sent[0], sent[1].decode(), sent[2].decode()
    except UnicodeDecodeError:
        return  # ingress refuses such a target before it comes to this
    url, read = f"https://h.example.com{target}", parse_with_stdlib(body)
    if is_understood(url):
        named = read is not None and all(name and not set("/?#&=") & set(name) for name in read)
        expected = read is not None and named and approves(url, read, signature)
        assert accepts("POST", target, FORM | {SIGNATURE: signature}, body) is expected


@given(spelled([*pieces, "%ff", "bodySHA256=1"]), st.booleans())
def test_get_is_signed_by_its_url(target: str, genuine: bool) -> None:
    """A GET has no parameters but those in its URL. One that has a body is refused, since nothing vouches for that.

    Escapes that are no UTF-8 are refused, too, whoever signed them: here they would be the webhook's content. So is the URL of
    JSON, whose signature is that of the JSON.
    """
    url = f"https://h.example.com{target}"
    headers = {SIGNATURE: signed(url, [] if genuine else [("a", "1")])}
    readable = parse_with_stdlib(target.partition("?")[2].encode()) is not None
    assert accepts("GET", target, headers, b"") is (genuine and readable and "bodySHA256" not in target)
    assert not accepts("GET", target, headers, b"a=1")
    if is_understood(url):
        assert approves(url, MultiDict(), headers[SIGNATURE]) is genuine


hashes = st.sampled_from(
    [
        "bodySHA256={}",
        "bodySHA25%36={}",
        "bodySHA256={}&bodySHA256=1",
        "bodySHA256=&bodySHA256={}",
        "bodySHA256={}&a=1",
        "xbodySHA256={}",
    ]
)


@given(
    bodies,
    hashes,
    st.sampled_from(["right", "upper case", "of another body"]),
    spelled(["a=1&", "%ff&", "ü&", "+&", "&", "b&"]),
)
@example(b"{}", "bodySHA256={}", "right", "/twilio?x=%ff&")
def test_json_is_signed_by_its_hash(body: bytes, parameter: str, which: str, target: str) -> None:
    """A body that is no form is accepted with its own hash at the end of the URL, as Twilio writes it, and refused with any
    other, or none. Twilio's library also finds it elsewhere, where the text of a sender may be."""
    digest = {"right": body, "upper case": body, "of another body": body + b" "}[which]
    claimed = sha256(digest).hexdigest()
    target += "?" * ("?" not in target) + parameter.format(claimed.upper() if which == "upper case" else claimed)
    url = f"https://h.example.com{target}"
    headers = JSON | {SIGNATURE: signed(url, [])}
    genuine = which == "right" and parameter == "bodySHA256={}"
    assert accepts("POST", target, headers, body) is genuine
    assert not accepts("POST", target, JSON | {SIGNATURE: signed(url, [("a", "1")])}, body)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    if is_understood(url) and "bodySHA256" in parse_qs(urlparse(url).query):
        assert approves(url, text, headers[SIGNATURE]) is (which == "right")


@given(bodies, targets)
def test_json_without_hash_is_refused(body: bytes, target: str) -> None:
    """A right signature over the URL alone does not vouch for a body. Twilio's library has no opinion, or a wrong one."""
    headers = {SIGNATURE: signed(f"https://h.example.com{target}", [])}
    assert not accepts("POST", target, headers | JSON, body)
    assert not accepts("POST", target, headers, body or b"x"), "nor does it without a content type"


SETTINGS_HEADERS = [
    "",
    f"key={KEY_ID},algorithm=HMAC_SHA256",
    f" algorithm = hmac_sha256 , key = {KEY_ID} ",
    f"key={KEY_ID}",
    f"key={KEY_ID},algorithm=HMAC_SHA1",
    f"key={KEY_ID},algorithm=",
    "algorithm=HMAC_SHA256",
    f"key={KEY_ID},algorithm=HMAC_MD5",
    "key=another,algorithm=HMAC_SHA256",
    f"key={TOKEN},algorithm=HMAC_SHA256",
]


@given(
    st.sampled_from(SETTINGS_HEADERS),
    targets,
    forms,
    st.sampled_from([TOKEN, SHARED]),
    st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]),
)
def test_shared_keys(settings: str, target: str, form: Pairs, secret: str, algorithm: str) -> None:
    """The header names the secret and the hash: by another of either, or by an unknown key, it is refused."""
    url = f"https://h.example.com{target}"
    signature = signed(url, form, secret, algorithm)
    headers = FORM | {SIGNATURE: signature} | ({SETTINGS: settings} if settings else {})
    named = TOKEN if "key" not in settings else SHARED if KEY_ID in settings else ""
    named_algorithm = get_signature_algorithm(settings)
    expected = secret == named and algorithm == named_algorithm.upper()
    weak = bool("key=" in settings.replace(" ", "") and algorithm != "HMAC_SHA256")
    assert not (weak and accepts("POST", target, headers, urlencode(form).encode())), "shared keys sign with SHA-256 only"
    if weak:
        return
    assert accepts("POST", target, headers, urlencode(form).encode()) is expected
    if named and is_understood(url):
        assert approves(url, MultiDict(form), signature, named, named_algorithm) is expected


WEBHOOKS = [message(), picture_message(), message_status(), whatsapp_status("read", "READ"), call(), call_status(), unknown()]


@given(st.sampled_from(WEBHOOKS), st.lists(st.tuples(telling, texts), max_size=5), st.randoms(use_true_random=False))
def test_order_of_parameters_makes_no_second_event(webhook: tuple[tuple[str, str], ...], more: Pairs, chance: Random) -> None:
    """The same parameters in another order, unknown and repeated ones among them, are the same event with the same keys."""
    params = [*webhook, *more]
    keys = set()
    for delivery in (params, chance.sample(params, len(params))):
        request = Request("POST", "/twilio", CIMultiDict(FORM), urlencode(delivery).encode(), "", 0.0)
        (one,) = translate(decode(request, "", RECEIVED_AT), "", None)
        keys.add((one.event.kind, one.event.key, one.event.dedupe_key))
    assert len(keys) == 1
