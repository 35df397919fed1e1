"""What a YAML scalar means, by the rules of go-yaml v2, which Kubernetes' own reader (sigs.k8s.io/yaml) is built on.

These are neither YAML 1.1's nor 1.2's: `yes` and `y` are booleans, `22:22` and `=` are strings, `0o440`, `0440`,
`0x120`, `0b1` and `1_000` are numbers, dates are strings. The result goes through JSON, so that 1e3 and 8.0 are whole
numbers.
Source: resolve.go of go-yaml v2, strconv.ParseInt with base 0.
"""

from __future__ import annotations

import re

_TAGS = "tag:yaml.org,2002:"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
}
_NOT_FINITE = re.compile(r"\.nan|\.NaN|\.NAN|[-+]?\.(inf|Inf|INF)")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# A float that Go's JSON writes without an exponent, so that it can be read as a whole number.
_PLAIN_FLOAT_LIMIT = 1e21
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
# strconv reads an exponent of any length; a text of this length has no business being a number.
_NUMBER_LENGTH = 400

Value = str | int | float | bool | None


def resolve(text: str, tag: str | None, *, is_plain: bool) -> Value:
    """The value of a scalar. `is_plain`: written without quotes. Raises ValueError for an invalid one."""
    name = "" if tag in (None, "!") else str(tag).removeprefix(_TAGS)
    if name in ("str", "binary") or (not name and (not is_plain or tag == "!")):
        return text
    if name not in ("", "bool", "int", "float", "null", "timestamp"):
        raise ValueError(f"the tag {tag} has no meaning in a manifest")
    value = _plain_value(text)
    if name and not _has_kind(value, name):
        raise ValueError(f"{text!r} is not of the type !!{name}")
    return float(value) if name == "float" and isinstance(value, int) else value


def key_text(value: Value) -> str:
    """A key as JSON has it: `1:` and `yes:` become the strings "1" and "true". Raises ValueError for null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ValueError("a key is null")
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _plain_value(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON can hold")
    if len(text) > _NUMBER_LENGTH or not text or text[0] not in "+-.0123456789":
        return text
    # Go removes underscores where a number begins with a digit or a sign, not where it begins with a point.
    digits = text if text[0] == "." else text.replace("_", "")
    whole = _integer(digits)
    if whole is not None:
        return whole
    return _number(float(digits)) if _FLOAT.fullmatch(digits) else text


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if match is None:
        return None
    sign, hexadecimal, binary, octal, decimal = match.groups()
    base = 16 if hexadecimal else 2 if binary else 8 if octal else 10
    value = int(hexadecimal or binary or octal or decimal, base) * (-1 if sign == "-" else 1)
    return value if _INT64_MIN <= value <= _UINT64_MAX else None


def _number(value: float) -> int | float:
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return int(value) if value.is_integer() and abs(value) < _PLAIN_FLOAT_LIMIT else value


def _has_kind(value: Value, name: str) -> bool:
    match name:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "null":
            return value is None
        case _:
            return isinstance(value, str)
