"""Parses a command line in the kubelet's syntax, which is pflag's.

Flags are written `--name=value`, `--name value`, `--boolean` or `-v 4`. Underscores in names count as hyphens
(component-base's WordSepNormalizeFunc). Nothing but flags is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

import msgspec

from podwright.agent.config.refusals import aggregated
from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import BY_FLAG
from podwright.agent.config.values import Values
from podwright.errors import InvalidArgument
from podwright.spelling import nearest

SHORTHANDS = {"v": "v", "h": "help"}


class GivenFlag(msgspec.Struct, frozen=True, kw_only=True):
    """One flag as it was given."""

    setting: Setting
    text: str


def parse_command_line(arguments: Sequence[str]) -> tuple[GivenFlag, ...]:
    """The flags in order. Raises InvalidArgument, which names all problems."""
    found: list[GivenFlag] = []
    problems: list[InvalidArgument] = []
    rest = list(arguments)
    while rest and rest != ["--"]:
        try:
            found.append(_next(rest))
        except InvalidArgument as failure:
            problems.append(failure)
    if problems:
        _refuse(problems + _applied({}, found)[1])
    return tuple(found)


def _next(rest: list[str]) -> GivenFlag:
    """Take the next flag, with its value, from the arguments. Raises InvalidArgument after taking an invalid one."""
    word = rest.pop(0)
    if word == "--":
        word = rest[0]
        rest.clear()
        raise InvalidArgument(f"unexpected argument {word!r}", hint="flags only")
    if word in {"", "-"} or not word.startswith("-"):
        raise InvalidArgument(f"unexpected argument {word!r}", hint="flags only")
    try:
        setting, text = _long(word) if word.startswith("--") else _short(word)
    except InvalidArgument:
        if rest and not rest[0].startswith("-"):
            rest.pop(0)  # probably the value of the unknown flag
        raise
    if text is None:
        text = setting.kind.bare
    if text is None:
        if not rest:
            raise InvalidArgument(f"flag --{setting.flag} needs a value: {setting.kind.name}")
        text = rest.pop(0)
    return GivenFlag(setting=setting, text=text)


def _long(word: str) -> tuple[Setting, str | None]:
    name, equals, text = word[2:].partition("=")
    setting = BY_FLAG.get(name.replace("_", "-"))
    if setting is None:
        near = nearest(name.replace("_", "-"), BY_FLAG)
        raise InvalidArgument(f"there is no flag --{name}", hint=f"did you mean --{near}?" if near else "see --help")
    return setting, text if equals else None


def _short(word: str) -> tuple[Setting, str | None]:
    name = SHORTHANDS.get(word[1])
    if name is None:
        near = nearest(word[1:].partition("=")[0].replace("_", "-"), BY_FLAG)
        raise InvalidArgument(f"there is no flag {word}", hint=f"did you mean --{near}?" if near else "see --help")
    return BY_FLAG[name], word[2:].removeprefix("=") or None


def apply(values: Values, occurrences: Iterable[GivenFlag]) -> Values:
    """`values` with those of the flags. Raises InvalidArgument, which names all invalid values."""
    changed, problems = _applied(values, occurrences)
    if problems:
        _refuse(problems)
    return changed


def _applied(values: Values, occurrences: Iterable[GivenFlag]) -> tuple[Values, list[InvalidArgument]]:
    changed = dict(values)
    seen: set[str] = set()
    problems: list[InvalidArgument] = []
    for occurrence in occurrences:
        setting = occurrence.setting
        try:
            value = setting.kind.flag(occurrence.text, changed.get(setting.key), setting.key not in seen)
            changed[setting.key] = setting.kind.check_limits(value)
        except InvalidArgument as failure:
            problems.append(InvalidArgument(f"flag --{setting.flag}: {failure.message}", hint=failure.hint))
        seen.add(setting.key)
    return changed, problems


def _refuse(problems: Sequence[InvalidArgument]) -> NoReturn:
    first, *others = problems
    raise InvalidArgument(aggregated(map(str, problems))) if others else first
