"""The tables of docs/agent-config.md, from the table of settings.

python -m tools.agent_config_docs    rewrite what stands between the markers
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from podwright.agent.config.defaults import LEGACY, complete
from podwright.agent.config.gates import GATES, HONOURED, Gate, enabled
from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import FIELDS, FLAGS
from tools.marked import with_marked

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/agent-config.md"
MARKERS = ("<!-- settings: made by tools.agent_config_docs -->", "<!-- /settings -->")
_DEFAULTS = complete({}, enabled({}))


def tables() -> str:
    """The text between the markers."""
    flags = [setting for setting in (*FIELDS, *FLAGS) if setting.flag and not setting.ours]
    return "\n".join(
        [
            f"{counted(FIELDS, 'fields')}; {counted(flags, 'flags')}.",
            f"{len(GATES)} feature gates, {len(HONOURED)} of which change something.",
            "",
            "### Fields, with the flags that set them",
            "",
            *table(("Field", "Flag", "Kind", "Default", "Honoured"), [field_row(field) for field in FIELDS]),
            "",
            "### Flags alone",
            "",
            *table(("Flag", "Kind", "Default", "Honoured"), [flag_row(flag) for flag in FLAGS if not flag.ours]),
            "",
            "### Flags that a kubelet does not have",
            "",
            *table(("Flag", "Kind", "Default", "Honoured"), [flag_row(flag) for flag in FLAGS if flag.ours]),
            "",
            "### Feature gates",
            "",
            *table(("Gate", "Stage", "Default", "Changes something"), [gate_row(gate) for gate in GATES.values()]),
        ]
    )


def counted(settings: Sequence[Setting], what: str) -> str:
    """`138 fields, 42 of them honoured`."""
    return f"{len(settings)} {what}, {sum(setting.honoured for setting in settings)} of them honoured"


def field_row(field: Setting) -> tuple[str, ...]:
    """One line of the first table."""
    older = f"; without --config {shown(field, LEGACY[field.key])}" if field.key in LEGACY else ""
    flag = f"`--{field.flag}`" if field.flag else ""
    default = shown(field, _DEFAULTS[field.key]) + older
    return f"`{field.key}`", flag, kind(field), default, "yes" if field.honoured else ""


def flag_row(flag: Setting) -> tuple[str, ...]:
    """One line of the other tables."""
    return f"`--{flag.flag}`", kind(flag), shown(flag, flag.default), "yes" if flag.honoured else ""


def gate_row(gate: Gate) -> tuple[str, ...]:
    """One line of the last table."""
    default = ("on" if gate.default else "off") + (", locked" if gate.locked else "")
    return f"`{gate.name}`", gate.stage, default, "yes" if gate.name in HONOURED else ""


def kind(setting: Setting) -> str:
    """The kind of value, fit for a cell."""
    return setting.kind.name.replace("|", " or ")


def shown(setting: Setting, value: object) -> str:
    """A default as a file has it; empty for what is not set."""
    if value is None or value == "":
        return ""
    written = setting.kind.encode(value)
    return f"`{written if isinstance(written, str) else json.dumps(written)}`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def rewritten(text: str) -> str:
    """The document with its tables made anew."""
    return with_marked(text, MARKERS, tables())


def main() -> int:
    """Rewrite the document."""
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
