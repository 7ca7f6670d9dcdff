"""Objects with marks in them, written as templates of Helm.

A mark is a string, so that an object with marks is still an object:

    @{expression}       the value of the expression, in quotes if it is the whole string
    @raw{expression}    the value without quotes: a number or a boolean
    @yaml{expression}   the value as YAML, which may be an object or a list
    @if{condition}      an entry of a list, or a key, that begins what is there only then; @end{n} ends it
"""

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final

import yaml

_IF: Final = re.compile(r"^\s*(?:- )?'@if\{(.*)\}'(?:: '')?$")
_END: Final = re.compile(r"^\s*(?:- )?'@end\{\d+\}'(?:: '')?$")
_YAML: Final = re.compile(r"^(\s*)(- )?([\w./-]+): '@yaml\{(.*)\}'$")
_RAW: Final = re.compile(r"'@raw\{([^}]*)\}'")
_WHOLE: Final = re.compile(r"'@\{([^}]*)\}'")
_PART: Final = re.compile(r"@\{([^}]*)\}")
_ENDS = count()


def entries_if(condition: str, entries: Iterable[Any]) -> list[Any]:
    """Return the entries of a list that are there only under a condition."""
    return [f"@if{{{condition}}}", *entries, f"@end{{{next(_ENDS)}}}"]


def keys_if(condition: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an object that are there only under a condition."""
    return {f"@if{{{condition}}}": "", **keys, f"@end{{{next(_ENDS)}}}": ""}


def template(made: Mapping[str, Any]) -> str:
    """Return an object with marks as a template."""
    text = yaml.safe_dump(dict(made), sort_keys=False, width=100_000)
    return "\n".join(map(_line, text.splitlines())) + "\n"


def template_if(condition: str, text: str) -> str:
    """Return a template that is there only under a condition; an empty one stands for always."""
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text


def _line(line: str) -> str:
    if found := _IF.match(line):
        return f"{{{{- if {found[1]} }}}}"
    if _END.match(line):
        return "{{- end }}"
    if found := _YAML.match(line):
        indent, item, key, expression = found.groups()
        depth = len(indent) + len(item or "") + 2
        return f"{indent}{item or ''}{key}: {{{{- toYaml ({expression}) | nindent {depth} }}}}"
    line = _RAW.sub(r"{{ \1 }}", line)
    line = _WHOLE.sub(r"{{ \1 | quote }}", line)
    return _PART.sub(r"{{ \1 }}", line)
