"""The options of `podwright run`. The CLI fills them."""

from __future__ import annotations

import os

import msgspec

from podwright.agent.run.places import STDIN
from podwright.agent.run.runs import DEFAULT_LOG_ROOT
from podwright.errors import InvalidArgument

DEFAULT_ROOT = "/var/lib/podwright/agent"
CLAIMS = "claims"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `root` has the records of runs, their agents' directories and the claims' folders.

    `endpoint` None means our daemon's default socket. When nothing answers there, an embedded daemon is started for
    the life of the run, below `embedded_root` and `embedded_state`, with `config_file` as its `--config`. `timeout_s`
    None means no limit. `now` lets CronJobs run once, `kube_down` ends what an earlier run left instead of running.
    """

    paths: tuple[str, ...]
    watch: bool = False
    detach: bool = False
    now: bool = False
    kube_down: bool = False
    timeout_s: float | None = None
    endpoint: str | None = None
    config_file: str | None = None
    root: str = DEFAULT_ROOT
    log_root: str = DEFAULT_LOG_ROOT
    embedded_root: str
    embedded_state: str

    @property
    def claims_root(self) -> str:
        """The directory of the folders of claims."""
        return os.path.join(self.root, CLAIMS)


def check(options: RunOptions) -> None:
    """Refuse options that contradict each other. Raises InvalidArgument."""
    given = [
        name
        for name, is_given in (
            ("--watch", options.watch),
            ("--detach", options.detach),
            ("--kube-down", options.kube_down),
        )
        if is_given
    ]
    if len(given) > 1:
        raise InvalidArgument(f"{' and '.join(given)} exclude each other")
    if options.watch and STDIN in options.paths:
        raise InvalidArgument("standard input cannot be watched")
    if options.kube_down and options.timeout_s is not None:
        raise InvalidArgument("--kube-down takes no --timeout", hint="the pods' own graces limit it")
