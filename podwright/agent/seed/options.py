"""What `podwright run` can be told. Filled by the CLI, read by `podwright.agent.seed.run`."""

from __future__ import annotations

import os
from dataclasses import dataclass

DEFAULT_AGENT_ROOT = "/var/lib/podwright/agent"
DEFAULT_LOG_ROOT = "/var/log/pods"
DEFAULT_EMBEDDED_ROOT = "/var/lib/podwright/run"
DEFAULT_EMBEDDED_STATE = "/run/podwright/run"


def default_log_root() -> str:
    """The field's place for pod logs as root, a folder of the user otherwise."""
    if os.geteuid() == 0:
        return DEFAULT_LOG_ROOT
    data_home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(data_home, "podwright", "pods")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One run of one file.

    `endpoint` None means our daemon's default socket. When nothing answers there, an embedded daemon is started
    on a socket of its own for the life of this run, below `embedded_root` and `embedded_state`, with `config_file`
    as its `--config`. `timeout_s` None means no limit. `handle_signals` makes SIGINT and SIGTERM stop the pod
    (a second one at once); whoever sets it False asks through `run_pod(stop=...)`.
    """

    file: str
    watch: bool = False
    detach: bool = False
    timeout_s: float | None = None
    endpoint: str | None = None
    config_file: str | None = None
    agent_root: str = DEFAULT_AGENT_ROOT
    log_root: str = ""
    embedded_root: str = DEFAULT_EMBEDDED_ROOT
    embedded_state: str = DEFAULT_EMBEDDED_STATE
    handle_signals: bool = True

    def pod_log_root(self) -> str:
        """The root of `<namespace>_<name>_<uid>/<container>/<attempt>.log`."""
        return self.log_root or default_log_root()
