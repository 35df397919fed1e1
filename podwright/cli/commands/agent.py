"""`podwright agent`: the node agent, with a kubelet's flags and files."""

from __future__ import annotations

import contextlib

import click

from podwright import __version__
from podwright.agent.config.command_line import GivenFlag, parse_command_line
from podwright.agent.config.loading import load
from podwright.agent.config.settings import BY_FLAG, KUBERNETES_VERSION
from podwright.agent.server.early_ports import EarlyPorts
from podwright.cli.agent_help import write_help
from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.linux.cgroup import detect
from podwright.loading import modules_to_keep


class KubeletCommand(click.Command):
    """A command whose flags follow the kubelet's syntax, which click's parser does not support."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["arguments"] = tuple(args)
        ctx.args = []
        return []

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return ["[FLAGS]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 # click's signature
        write_help(formatter)


@click.command("agent", cls=KubeletCommand, add_help_option=False)
@pass_invocation
@click.pass_context
def command(context: click.Context, invocation: Invocation, arguments: tuple[str, ...]) -> None:
    """Run the node agent, which runs the pods of its sources on this machine, as a kubelet does.

    It takes a kubelet's flags and KubeletConfiguration. Flags override files.
    """
    flags = parse_command_line(arguments)
    if _says(flags, "help"):
        click.echo(context.get_help())
        return
    if _says(flags, "version"):
        click.echo(f"Kubernetes {KUBERNETES_VERSION} (podwright {__version__})")
        return
    printing = _says(flags, "print-config")
    endpoint = _given("container-runtime-endpoint", invocation.endpoint)
    # Printing the configuration does not need a host that can run the agent.
    loaded = load((*endpoint, *flags), unified_cgroups=printing or detect().layout == "v2")
    for warning in loaded.warnings:
        click.echo(f"podwright: warning: {warning}", err=True)
    if printing:
        from podwright.cli.output import print_data  # noqa: PLC0415 # it loads protobuf

        print_data(loaded.document, "yaml")
        return
    with contextlib.closing(EarlyPorts()) as ports:
        ports.bind(loaded.config)
        with modules_to_keep():
            import asyncio  # noqa: PLC0415 # after the ports

            from podwright.agent.app import run  # noqa: PLC0415 # the agent's modules are for the agent
            from podwright.agent.server.setup import ShownConfig  # noqa: PLC0415 # as above

        code = asyncio.run(run(loaded.config, ShownConfig(document=loaded.document, flags=loaded.flags), ports))
    if code:
        raise Leave(code)


def _given(flag: str, text: str | None) -> tuple[GivenFlag, ...]:
    return (GivenFlag(setting=BY_FLAG[flag], text=text),) if text else ()


def _says(flags: tuple[GivenFlag, ...], name: str) -> bool:
    """Whether the last occurrence of a flag turns it on."""
    texts = [flag.text for flag in flags if flag.setting.flag == name]
    return bool(texts) and texts[-1] not in {"false", "0", "f", "F", "FALSE", "False"}
