"""`podwright doctor`: what this machine lacks to run pods."""

from __future__ import annotations

import click

from podwright.cli.connection import run_async
from podwright.cli.failures import FAILURE, Leave
from podwright.doctor.checks import judge_all
from podwright.doctor.gather.everything import gather
from podwright.doctor.options import DoctorOptions
from podwright.doctor.report import as_json, as_text, is_ready
from podwright.process import PosixProcessRunner


@click.command("doctor")
@click.option("--config", "config_file", metavar="FILE", help="TOML file [default: /etc/podwright/config.toml].")
@click.option("--root", metavar="DIR", help="The daemon's root directory, to test overlay mounts.")
@click.option("--problems", is_flag=True, help="Show problems only.")
@click.option("--output", "-o", type=click.Choice(("json", "table")), default="table", show_default=True)
def command(config_file: str | None, root: str | None, problems: bool, output: str) -> None:
    """Check what this machine lacks to run pods, what that costs, and how to fix it.

    The exit code is 0 if nothing required is missing (there may be warnings), 1 otherwise.
    """
    facts = run_async(gather(_options(config_file, root), PosixProcessRunner()))
    findings = judge_all(facts)
    text = as_json(findings, facts) if output == "json" else as_text(findings, only_problems=problems)
    click.echo(text, nl=False)
    if not is_ready(findings):
        raise Leave(FAILURE)


def _options(config_file: str | None, root: str | None) -> DoctorOptions:
    """The paths in the daemon's configuration. Raises InvalidArgument."""
    from podwright.runtime.config import OciHandlerSettings, load_config  # noqa: PLC0415 # for the daemon

    settings = load_config(config_file)
    standard = DoctorOptions()
    oci = {name: each for name, each in settings.handlers.items() if isinstance(each, OciHandlerSettings)}
    handlers = tuple((name, handler.path or name) for name, handler in oci.items())
    return DoctorOptions(
        root=root or settings.root,
        image_store=settings.images.store,
        network_mode=settings.network.mode,
        cni_conf_dir=settings.network.cni_conf_dir,
        cni_bin_dirs=settings.network.cni_bin_dirs,
        seccomp_profile=settings.containers.seccomp_profile,
        runtimes=(*handlers, *(pair for pair in standard.runtimes if pair[0] not in settings.handlers)),
        docker_socket=settings.docker.socket if settings.engine == "docker" else "",
        conmon=next((handler.conmon for handler in oci.values()), standard.conmon),
    )
