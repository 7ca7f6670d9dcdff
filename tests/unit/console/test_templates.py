"""How values become text in pages."""

import pytest

from hookline_console.rendering.templates import make_templates


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>&'\"", "&lt;b&gt;&amp;&#39;&#34;"),
        ("a\u202eb\u0000c", "a\\u202eb\\x00c"),
        ("two\nlines", "two\nlines"),
        ("שלום", "שלום"),
        (None, ""),
        (0, "0"),
    ],
)
def test_value_is_text(value: object, shown: str) -> None:
    """Markup is escaped, and what a browser would obey is shown instead."""
    assert make_templates().from_string("{{ value }}").render(value=value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `a <b>` now", "run <code>a &lt;b&gt;</code> now"),
        ("one ` only <i>", "one ` only &lt;i&gt;"),
        ("`\u202e`", "<code>\\u202e</code>"),
    ],
)
def test_code_is_marked(text: str, shown: str) -> None:
    """Commands in remedies look like commands; a single backtick marks nothing."""
    assert make_templates().from_string("{{ text|coded }}").render(text=text) == shown
