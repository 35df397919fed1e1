"""`podwright bench`: measures speed and cost of container runtimes. `bench report` makes pages from the result."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from podwright.bench.options import SUITES, BenchOptions, TargetOptions, parse_targets
from podwright.cli.connection import check_listening, run_async
from podwright.cli.failures import Leave
from podwright.cli.files import doing
from podwright.cli.invocation import Invocation
from podwright.errors import InvalidArgument

DEFAULTS = BenchOptions()
POSITIVE = click.IntRange(min=1)


class Numbers(click.ParamType[tuple[int, ...]]):
    """`10,50,100`."""

    name = "N,N..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Raises click's BadParameter for anything else."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a valid integer list such as 1,4,16", param, ctx)


# The amount of work: fields of BenchOptions, and the options that set them.
AMOUNTS: tuple[tuple[str, tuple[str, ...], Any, str], ...] = (
    ("rounds", ("--rounds",), POSITIVE, "Rounds of start and exec, the targets taking turns."),
    ("long_rounds", ("--long-rounds",), POSITIVE, "Rounds of the other suites."),
    ("warmup", ("--warmup",), click.IntRange(min=0), "Pods before each suite, not counted."),
    ("pods", ("--pods", "-n"), POSITIVE, "start: pods for each concurrency."),
    ("concurrencies", ("--concurrency", "-c"), Numbers(), "start: pods at once."),
    ("steps", ("--steps",), Numbers(), "density, relist: pods that are there."),
    ("containers", ("--containers",), POSITIVE, "density: containers in one pod."),
    ("relists", ("--relists",), POSITIVE, "relist: lists at each step, one a second."),
    ("execs", ("--execs",), POSITIVE, "exec: commands for each concurrency."),
    ("bursts", ("--bursts",), Numbers(), "lifecycle: pods started all at once."),
    ("pulls", ("--pulls",), POSITIVE, "pull: pulls of each image."),
    ("image_steps", ("--image-steps",), Numbers(), "pull: images that are there."),
    ("agent_pods", ("--agent-pods",), Numbers(), "agent: pods that it has."),
    ("idle_s", ("--idle",), click.FloatRange(min=0, min_open=True), "agent: seconds of looking at an idle one."),
    ("settle_s", ("--settle",), float, "Seconds to wait, at most, for an idle machine before each suite."),
    ("step_limit_s", ("--step-limit",), float, "Seconds for a step of a growth; then no larger one."),
    ("image", ("--image",), str, "An image with busybox's programs."),
)


def amounts(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options in AMOUNTS."""
    for field, names, kind, help_text in reversed(AMOUNTS):
        default = getattr(DEFAULTS, field)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else True
        command = click.option(*names, field, type=kind, default=default, show_default=shown, help=help_text)(command)
    return command


@click.group("bench", invoke_without_command=True)
@click.option(
    "--endpoint", "-e", "endpoints", multiple=True, metavar="[NAME=]URL",
    help="unix:///path, or docker+unix:///path for a Docker Engine. Repeat to compare several.",
)  # fmt: skip
@click.option("--suite", "suites", multiple=True, type=click.Choice((*SUITES, "all")), default=("start",),
    show_default=True, help="What to measure. Repeat for several.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the complete result. - is stdout.")
@click.option("--html", "html_file", type=click.Path(dir_okay=False), help="Write one page with plots.")
@click.option("--handler", "handlers", multiple=True, metavar="NAME=HANDLER", help="The runtime handler of a target.")
@click.option("--cgroup-parent", "parents", multiple=True, metavar="NAME=PATH", help="The cgroup parent of a target.")
@click.option(
    "--below", "belows", multiple=True, metavar="NAME=URL",
    help="The Docker Engine in which a target runs pods: its processes are counted with the target's.",
)  # fmt: skip
@click.option(
    "--restart",
    "restarts",
    multiple=True,
    metavar="NAME=COMMAND",
    help="A command that restarts the daemon of a target.",
)
@click.option(
    "--agent", "agents", multiple=True, metavar="NAME=COMMAND",
    help="agent: a target's node agent, such as kubelet or 'podwright agent'. It gets a kubelet's flags, unless "
    "the command says {manifests}, {config}, {root}, {logs}, {cgroup}, {endpoint}, {node} or {port} (of /pods).",
)  # fmt: skip
@click.option(
    "--config", "configs", multiple=True, metavar="NAME=FILE", help="A file that is added to the report of a target."
)
@click.option("--pull-image", "pull_images", multiple=True, metavar="IMAGE", help="pull: an image; repeat.")
@click.option("--image-series", metavar="REPOSITORY", help="pull: a repository with the tags 0, 1, 2 ...")
@click.option("--note", "notes", multiple=True, help="A line for the report.")
@amounts
@click.pass_context
def command(
    context: click.Context,
    /,
    endpoints: tuple[str, ...],
    suites: tuple[str, ...],
    json_file: str | None,
    html_file: str | None,
    **rest: Any,
) -> None:
    """Measure how fast runtimes start pods, run commands, pull images and restart, and what they cost.

    The same work is done on each endpoint in turn. Pods are removed afterwards, also after Ctrl-C. Times are those of
    the calls, as the kubelet sees them. Memory (as root, for processes of this machine) is PSS. A table goes to
    stdout. Failures are counted, and cause exit code 1.
    """
    if context.invoked_subcommand is not None:
        return
    invocation = context.find_object(Invocation)
    assert invocation is not None
    targets = parse_targets(endpoints or (invocation.chosen_endpoint(),), _per_target(rest))
    for target in targets:
        check_listening(target.endpoint)
    amount = {name: value for name, value in rest.items() if value is not None}
    options = BenchOptions(suites=chosen_suites(suites, targets), **amount)
    _run(options, targets, json_file, html_file)


def _run(
    options: BenchOptions, targets: tuple[TargetOptions, ...], json_file: str | None, html_file: str | None
) -> None:
    from podwright.bench.render import text  # noqa: PLC0415 # not for --help
    from podwright.bench.results import as_json  # noqa: PLC0415
    from podwright.bench.run import run_bench  # noqa: PLC0415

    if html_file:
        from podwright.bench.render import html  # noqa: PLC0415 # fails now, not after ten minutes

        html.check_available()
    report = run_async(run_bench(options, targets, tell=lambda line: click.echo(line, err=True)))
    if json_file:
        _write(json_file, as_json(report))
    if html_file:
        _write(html_file, html.render(report))
    if json_file != "-":
        click.echo(text.render(report), nl=False)
    if report.errors:
        raise Leave(1)


def chosen_suites(suites: tuple[str, ...], targets: tuple[TargetOptions, ...]) -> tuple[str, ...]:
    """The named suites without duplicates. `all` includes `agent` if any target has an agent."""
    if "all" not in suites:
        return tuple(dict.fromkeys(suites))
    return tuple(suite for suite in SUITES if suite != "agent" or any(target.agent for target in targets))


def _per_target(rest: dict[str, Any]) -> dict[str, dict[str, object]]:
    """The options of the form NAME=VALUE, as fields of each target."""
    fields: dict[str, dict[str, object]] = {}
    for option, field in (("handlers", "handler"), ("parents", "cgroup_parent"), ("belows", "below")):
        for name, value in map(_named, rest.pop(option)):
            fields.setdefault(name, {})[field] = value
    for option, field in (("restarts", "restart"), ("agents", "agent")):
        for name, value in map(_named, rest.pop(option)):
            fields.setdefault(name, {})[field] = _split(value)
    for name, value in map(_named, rest.pop("configs")):
        files = fields.setdefault(name, {}).setdefault("files", {})
        assert isinstance(files, dict)
        files[Path(value).name] = _read(value)
    return fields


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as failure:
        raise InvalidArgument(f"{command!r} is not a command: {failure}") from failure


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidArgument(f"{text!r} does not name the endpoint that it is for", hint="write NAME=VALUE")
    return name, value


@command.command("report")
@click.argument("results", type=click.Path(exists=True, dir_okay=False))
@click.option("--markdown", "form", flag_value="markdown", help="Tables in Markdown.")
@click.option("--summary", "form", flag_value="summary", help="One summary table, in Markdown.")
@click.option("--svg", "form", flag_value="svg", help="One summary plot.")
@click.option("--html", "form", flag_value="html", help="One self-contained page with plots.")
@click.option("--output", "-o", default="-", help="Write to a file instead of stdout.")
def report_command(results: str, form: str | None, output: str) -> None:
    """Make a page from RESULTS, the JSON of a run. Without an option, print a table for a terminal."""
    from podwright.bench import render  # noqa: PLC0415 # not for --help
    from podwright.bench.results import from_json  # noqa: PLC0415

    _write(output, render.render(from_json(_read(results)), form or "text"))


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the results."""
    import json  # noqa: PLC0415 # not for --help

    from podwright.bench.results import json_schema  # noqa: PLC0415

    click.echo(json.dumps(json_schema(), indent=2))


def _read(path: str) -> str:
    try:
        with doing("read the results", path):
            return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as failure:
        raise InvalidArgument(f"cannot read the results {path}: {failure}") from failure


def _write(path: str, content: str) -> None:
    if path == "-":
        click.echo(content, nl=False)
        return
    with doing("write", path):
        Path(path).write_text(content, encoding="utf-8")
