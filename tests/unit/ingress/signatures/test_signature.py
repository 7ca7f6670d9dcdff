"""Twilio's signature, against Twilio's published vectors and Twilio's own library."""

from random import Random
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring, compute, signed_params, with_and_without_port
from hookline_ingress.translation.form_shape import shape_of
from hookline_shared.parsing.forms import form_of
from tests.support.inbound.decoded import decoded_form

Pairs = list[tuple[str, str]]

TOKEN = "12345"
HOST = "mycompany.com"
TARGET = "/myapp.php?foo=1&bar=2"
CALL: Pairs = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
REPEATED: Pairs = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
VECTORS = [
    pytest.param(f"https://{HOST}", CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", id="https"),
    pytest.param(f"https://{HOST}:443", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w=", id="https, port 443"),
    pytest.param(f"http://{HOST}:80", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4=", id="http, port 80"),
    pytest.param(f"http://{HOST}:1234", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", id="http, port 1234"),
    pytest.param(f"https://{HOST}", REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", id="repeated parameter"),
]

BASES = ["https://h.example.com", "https://h.example.com:8443", "http://h.example.com:80", "https://Hooks.Example.com:443/in"]
TARGETS = ["/twilio", "/twilio/", "/twilio?a=1&b=%20x", "/twilio/%7Euser?q=%C3%BC&q=2"]
BARE_QUESTION_MARK = "/twilio?"  # Twilio's library computes with it, but drops it when it validates

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
telling = st.text("ab=&%+ ü🙂", max_size=4)  # a small alphabet, so that names repeat and signed texts nearly collide
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/?#&="), min_size=1, max_size=8)
confusable = st.text("ab%+ ü🙂", min_size=1, max_size=4)
forms = st.lists(st.tuples(names | confusable, texts | telling), max_size=8)
bases = st.sampled_from(BASES)
targets = st.sampled_from(TARGETS)
signable_targets = st.sampled_from([*TARGETS, BARE_QUESTION_MARK])
tokens = st.text("0123456789abcdef", min_size=5, max_size=32)


def verified(base: str, target: str, form: Pairs, signature: str, token: str = TOKEN) -> bool:
    return (
        Keyring(parse_secrets([token]), [base]).verify(decoded_form(form, target, {SIGNATURE: signature}, account=""))
        is not None
    )


def computed(url: str, form: Pairs, token: str = TOKEN) -> str:
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(form))
    return signature


def validated(url: str, form: Pairs, signature: str, token: str = TOKEN) -> bool:
    valid: bool = RequestValidator(token).validate(url, MultiDict(form), signature)
    return valid


def signed_text_of(form: Pairs) -> bytes | None:
    return signed_params(form_of(form), shape_of(tuple(dict(form))))


@pytest.mark.parametrize(("base", "form", "signature"), VECTORS)
def test_published_vector(base: str, form: Pairs, signature: str) -> None:
    """Twilio's own examples come out byte for byte."""
    params = signed_text_of(form)
    assert params is not None
    assert compute(TOKEN.encode(), base + TARGET, params) == signature.encode()
    assert verified(base, TARGET, form, signature)
    assert computed(base + TARGET, form) == signature


@pytest.mark.parametrize("configured", [f"https://{HOST}", f"https://{HOST}:443"])
@pytest.mark.parametrize("signature", ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w="])
def test_port_may_be_signed_or_not(configured: str, signature: str) -> None:
    """Some of Twilio's products sign the port and others drop it; both are accepted, however the URL is configured."""
    assert verified(configured, TARGET, CALL, signature)


def test_other_port_is_refused() -> None:
    """A request signed for another port of the same host is not ours."""
    assert not verified(f"http://{HOST}", TARGET, CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=")


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ("https://h", "https://h:443"),
        ("http://h/in", "http://h:80/in"),
        ("https://h:8443", "https://h"),
        ("https://[::1]:8443", "https://[::1]"),
        ("https://[::1]", "https://[::1]:443"),
        ("https://Hooks.Example.com:8443", "https://Hooks.Example.com"),
        ("https://Hooks.Example.com", "https://Hooks.Example.com:443"),
    ],
)
def test_both_forms_of_a_base_url(base: str, other: str) -> None:
    """A URL differs from its other form in the port alone: Twilio signs the host as it is written in the console."""
    assert with_and_without_port(base) == (base, other)


@given(bases, signable_targets, forms, tokens)
def test_what_twilio_signs_is_accepted(base: str, target: str, form: Pairs, token: str) -> None:
    """Whatever Twilio's library computes, for any parameters, is accepted."""
    assert verified(base, target, form, computed(base + target, form, token), token)


@given(bases, targets, forms)
def test_signature_with_or_without_port_is_accepted_by_both(base: str, target: str, form: Pairs) -> None:
    """A signature over the URL's other form, with or without port, is accepted as Twilio's library accepts it."""
    url = urlsplit(base)
    with_port = url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"
    for netloc in (with_port, url.netloc.partition(":")[0]):
        signature = computed(url._replace(netloc=netloc).geturl() + target, form)
        assert validated(base + target, form, signature)
        assert verified(base, target, form, signature)


@st.composite
def tampered(draw: st.DrawFn) -> tuple[str, str, Pairs, str, str, Pairs]:
    """Return a base, target and form, and the same with one thing changed."""
    base, target, form = draw(bases), draw(targets), draw(forms)
    what = draw(st.sampled_from(["base", "target", "more", *(["name", "value", "less"] if form else [])]))
    at = draw(st.integers(0, max(0, len(form) - 1)))
    match what:
        case "base":
            return base, target, form, draw(bases), target, form
        case "target":
            return base, target, form, base, draw(targets), form
        case "more":
            return base, target, form, base, target, [*form, (draw(telling), draw(telling))]
        case "less":
            return base, target, form, base, target, form[:at] + form[at + 1 :]
        case "name":
            changed = (draw(telling), form[at][1])
        case _:
            changed = (form[at][0], draw(telling))
    return base, target, form, base, target, [*form[:at], changed, *form[at + 1 :]]


@given(tampered())
def test_one_changed_thing_is_refused(case: tuple[str, str, Pairs, str, str, Pairs]) -> None:
    """With the URL, a name, a value or the number of parameters changed, a signature is refused by Twilio's library and us."""
    base, target, form, other_base, other_target, other_form = case
    signature = computed(base + target, form)
    valid_for = {computed(url + other_target, other_form) for url in with_and_without_port(other_base)}
    assume(signature not in valid_for)  # Twilio's scheme cannot tell ("ab", "c") from ("a", "bc")
    assert not verified(other_base, other_target, other_form, signature)
    assert not validated(other_base + other_target, other_form, signature)


@pytest.mark.parametrize("other", ["/twilio", "/twilio/", "/Twilio?", "/twilio?#", "/%74wilio?"])
def test_target_is_taken_to_the_letter(other: str) -> None:
    """A target is neither decoded nor tidied: not its case, a trailing slash, or a bare question mark."""
    signature = computed(BASES[0] + BARE_QUESTION_MARK, CALL)
    assert verified(BASES[0], BARE_QUESTION_MARK, CALL, signature)
    assert not verified(BASES[0], other, CALL, signature)


@given(forms, st.integers(0, 26), st.sampled_from("ABab09+/"))
def test_changed_signature_is_refused(form: Pairs, at: int, character: str) -> None:
    """A signature that differs in any one character is refused."""
    signature = computed(BASES[0] + TARGETS[0], form)
    changed = signature[:at] + character + signature[at + 1 :]
    assume(changed != signature)
    assert not verified(BASES[0], TARGETS[0], form, changed)
    assert not validated(BASES[0] + TARGETS[0], form, changed)


@pytest.mark.parametrize("signature", ["", "=", "a" * 28, "ü", "a" * 10_000])
def test_malformed_signature_is_refused(signature: str) -> None:
    """What is no signature at all is refused without an error."""
    assert not verified(f"https://{HOST}", TARGET, CALL, signature)


@given(forms, st.randoms(use_true_random=False))
def test_order_of_parameters_does_not_matter(form: Pairs, chance: Random) -> None:
    """A proxy that reorders parameters does no harm."""
    shuffled = chance.sample(form, len(form))
    assert signed_text_of(shuffled) == signed_text_of(form)
