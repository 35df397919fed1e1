"""The top of the command line: global options, the table of commands, and exit codes for failures.

It imports click and nothing heavy, because `podwright --help` must answer at once. A command's module (and with it
gRPC, rich and others) is loaded when that command is called, so the table also has each command's one-line help.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click
import msgspec
from click.shell_completion import CompletionItem

from podwright import __version__
from podwright.cli.failures import exit_code_of, report
from podwright.cli.invocation import Invocation
from podwright.errors import InvalidArgument
from podwright.spelling import nearest


class Lazy(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is not loaded yet. Its module in `podwright.cli.commands` must define `command`."""

    module: str
    help: str


SECTIONS: dict[str, dict[str, Lazy]] = {
    "Run": {
        "run": Lazy(module="run", help="Run the pods of YAML files and show what happens."),
        "generate": Lazy(module="generate", help="Print a systemd unit that runs the pods of YAML files."),
        "runp": Lazy(module="runp", help="Run a pod sandbox from a CRI config."),
        "create": Lazy(module="create", help="Create a container in a pod from a CRI config."),
        "start": Lazy(module="start", help="Start created containers."),
        "serve": Lazy(module="serve", help="Run the CRI server."),
        "agent": Lazy(module="agent", help="Run the node agent, with a kubelet's flags and files."),
    },
    "Look": {
        "pods": Lazy(module="pods", help="List the agent's pods, or pod sandboxes."),
        "ps": Lazy(module="ps", help="List containers."),
        "images": Lazy(module="images", help="List images."),
        "pulls": Lazy(module="pulls", help="Show all pulls in progress."),
        "describe": Lazy(module="describe", help="Show details and events of a pod of the agent."),
        "inspect": Lazy(module="inspect", help="Show details of a container, a pod or an image."),
        "stats": Lazy(module="stats", help="Show the resource usage of containers or pods."),
        "metrics": Lazy(module="metrics", help="Show the metrics of pods and containers."),
        "events": Lazy(module="events", help="Show events of containers and pods as they happen."),
        "df": Lazy(module="df", help="Show the disk usage of images and containers."),
        "imagefsinfo": Lazy(module="imagefsinfo", help="Show the file systems that hold images and containers."),
        "timeline": Lazy(module="timeline", help="Show the runtime's calls and where their time goes."),
        "logs": Lazy(module="logs", help="Show the log of a container."),
        "info": Lazy(module="info", help="Show the status and configuration of the runtime."),
        "runtime-config": Lazy(module="runtime_config", help="Show the cgroup driver of the runtime."),
        "version": Lazy(module="version", help="Show the versions of this program and of the runtime."),
    },
    "Change": {
        "pull": Lazy(module="pull", help="Pull an image from its registry."),
        "push": Lazy(module="push", help="Push an image to a registry."),
        "load": Lazy(module="load", help="Load images from an archive."),
        "save": Lazy(module="save", help="Save images to an archive."),
        "rmi": Lazy(module="rmi", help="Remove images."),
        "prune": Lazy(module="prune", help="Remove images that no container uses."),
        "exec": Lazy(module="exec", help="Run a command in a container."),
        "attach": Lazy(module="attach", help="Attach to a container's output and input."),
        "port-forward": Lazy(module="port_forward", help="Forward local ports to a pod."),
        "update": Lazy(module="update", help="Change the limits of running containers."),
        "checkpoint": Lazy(module="checkpoint", help="Write a running container to an archive."),
        "stop": Lazy(module="stop", help="Stop containers or pods."),
        "rm": Lazy(module="rm", help="Remove containers or pods."),
        "update-runtime-config": Lazy(
            module="update_runtime_config", help="Tell the runtime the address range for pods."
        ),
    },
    "This machine": {
        "doctor": Lazy(module="doctor", help="Check what this machine lacks to run pods."),
        "conformance": Lazy(module="conformance", help="Check that an endpoint does what a CRI server must."),
        "bench": Lazy(module="bench", help="Measure how fast an endpoint starts pods."),
        "config": Lazy(module="config", help="Print the daemon's effective configuration."),
        "completion": Lazy(module="completion", help="Print a script for command completion in a shell."),
    },
}
COMMANDS = {name: lazy for section in SECTIONS.values() for name, lazy in section.items()}
# crictl's names. Here `stop`, `rm`, `inspect` and `stats` accept containers and pods.
ALIASES: dict[str, tuple[str, ...]] = {
    "inspectp": ("inspect", "--type", "pod"),
    "inspecti": ("inspect", "--type", "image"),
    "stopp": ("stop", "--type", "pod"),
    "rmp": ("rm", "--type", "pod"),
    "statsp": ("stats", "--pods"),
    "metricsp": ("metrics", "-o", "json"),
    "metricdescs": ("metrics", "--descriptors", "-o", "json"),
}

EPILOG = """crictl's other names work too: inspectp, inspecti, stopp, rmp, statsp, metricsp, metricdescs.

\b
Exit codes: 0 success; 1 failure; 2 bad usage or bad input; 130 interrupted. `exec` passes the
command's exit code on, and answers 125 when it could not be run; `run` answers 124 when its timeout passed."""


class LazyGroup(click.Group):
    """A group that lists its commands by section without importing them, and imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click's
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        module = importlib.import_module(f"podwright.cli.commands.{lazy.module}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in ALIASES:
            args = [*ALIASES[args[0]], *args[1:]]
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = nearest(args[0], [*COMMANDS, *ALIASES])
            hint = f"did you mean {near}?" if near else "see podwright --help"
            raise InvalidArgument(f"there is no command {args[0]!r}", hint=hint)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completions from the table. It imports no command for a key press."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=lazy.help) for name, lazy in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 # click's
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.help) for name, lazy in commands.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--endpoint", "-e", metavar="URL", help="CRI endpoint, unix:///path [env: CONTAINER_RUNTIME_ENDPOINT].")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug messages.")
@click.version_option(__version__, prog_name="podwright", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, endpoint: str | None, debug: bool) -> None:
    """Run pods on this machine, inspect them, and serve them to Kubernetes.

    Works on any CRI endpoint (podwright serve, containerd, CRI-O).
    """
    context.obj = Invocation(endpoint=endpoint, debug=debug)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code. Prints failures itself and raises nothing."""
    debug = "--debug" in arguments[: arguments.index("--")] if "--" in arguments else "--debug" in arguments
    try:
        result = cli.main(args=list(arguments), prog_name="podwright", standalone_mode=False)
        if sys.stdout is not None:  # None: the caller has closed it
            sys.stdout.flush()
    except BaseException as failure:  # noqa: BLE001 # the last place that could: an exit code is made of everything
        report(failure, debug=debug)
        return exit_code_of(failure)
    return result if isinstance(result, int) else 0
