"""The parts of docs/benchmarks.md that come from runs of their own, each between two marks. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from podwright.bench.render import render
from podwright.bench.render.words import head_lines, target_lines
from podwright.bench.results import BenchReport
from tools.bench.handlers import comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page, and the suite that it shows. `ending` makes what follows the summary's table."""

    name: str
    suite: str
    heading: str
    text: str
    ending: Callable[[BenchReport], str]

    @property
    def _begin(self) -> str:
        return f"<!-- {self.name}: made by tools.bench --publish -->"

    @property
    def _end(self) -> str:
        return f"<!-- /{self.name} -->"

    def of_run(self, report: BenchReport) -> str:
        """The section that shows a run."""
        lines = "\n".join(f"- {line}" for line in [*head_lines(report), *target_lines(report)])
        body = f"{lines}\n\n{render(report, 'summary')}{self.ending(report)}"
        return f"## {self.heading}\n\n{self.text}\n{self._begin}\n\n{body}\n{self._end}\n"

    def of_page(self, page: str) -> str:
        """The section as the page has it. Exits when it has none."""
        _, heading, rest = page.partition(f"## {self.heading}\n")
        within, end, _ = rest.partition(f"{self._end}\n")
        if not heading or not end:
            sys.exit(f"publish: docs/benchmarks.md has no section {self.heading!r} with the marks of {self.name}")
        return f"{heading}{within}{end}"


AGENTS = Section(
    name="agents",
    suite="agent",
    heading="Node agents",
    text="""\
The same pods by `podwright agent` and by a kubelet, on Podwright and on containerd: static pods of a manifest folder.
""",
    ending=lambda _: "",
)
HANDLERS = Section(
    name="handlers",
    suite="start",
    heading="Handlers and engines",
    text="""\
Every handler and engine of Podwright, containerd with the same shim and runc, and Docker by the calls that dockershim
made. `podwright-docker` is Docker through CRI: the Engine counts with it.
""",
    ending=lambda report: f"\n{comparison(report)}",
)
SECTIONS = (AGENTS, HANDLERS)
