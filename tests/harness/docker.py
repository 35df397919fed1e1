"""Debian's Docker Engine on private directories and a bridge of its own; spoken to by its own API, not by CRI."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Sequence

from podwright.conformance.patience import patient
from tests.harness.daemon import Daemon
from tests.harness.scratch import Part
from tests.harness.sweep import sweep

PROGRAM = "dockerd"
TIMEOUT_S = patient(60.0)
# What dockerd adds to the host besides rules with its bridge's name: it never takes these away.
CHAINS = (
    ("filter", ("DOCKER", "DOCKER-USER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")),
    ("nat", ("DOCKER",)),
)


def is_installed() -> bool:
    """Whether this machine has dockerd."""
    return shutil.which(PROGRAM) is not None


def _lowers_its_score() -> bool:
    """Whether dockerd protects itself from the OOM killer, as it did before version 25."""
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return "--oom-score-adjust" in shown.stdout


class DockerEngine(Daemon):
    """dockerd with a containerd of its own."""

    name = "docker"
    start_s = patient(60.0)
    stop_s = patient(60.0)

    def __init__(self, part: Part, *, networks: bool = True, runtimes: Sequence[str] = ()) -> None:
        """Write the configuration. Without `networks`, it has none of its own and touches no firewall.

        `runtimes` are OCI runtimes besides runc, which it always has.
        """
        super().__init__(part)
        self._runtimes = runtimes
        self._networks = networks
        self.config = part.directory / "daemon.json"
        self.config.write_text(json.dumps(self._settings(), indent=2))
        self._chains_before = _chains()

    def _settings(self) -> dict[str, object]:
        return {
            "data-root": str(self.part.directory / "data"),
            "exec-root": str(self.part.directory / "exec"),
            "pidfile": str(self.part.directory / "docker.pid"),
            "hosts": [f"unix://{self.socket}"],
            **(
                {"bridge": self.part.bridge}
                if self._networks
                else {"bridge": "none", "iptables": False, "ip6tables": False}
            ),
            "live-restore": True,  # containers outlive the daemon, as everywhere else
            **({"oom-score-adjust": 0} if _lowers_its_score() else {}),  # that needs CAP_SYS_RESOURCE
            "insecure-registries": ["127.0.0.0/8"],
            "runtimes": {name: {"path": name} for name in self._runtimes},
        }

    def argv(self) -> Sequence[str]:
        """Foreground, our configuration only."""
        return [PROGRAM, "--config-file", str(self.config)]

    def start(self) -> None:
        """As any daemon, with a bridge for it: it makes only docker0 by itself."""
        if self._networks:
            self._make_bridge()
        super().start()

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            return self._request("GET", "/_ping") == b"OK"
        except (OSError, http.client.HTTPException):
            return False

    def _remove_containers(self) -> None:
        for container in json.loads(self._request("GET", "/containers/json?all=1")):
            self._request("DELETE", f"/containers/{container['Id']}?force=1&v=1")

    def _request(self, method: str, path: str) -> bytes:
        """Raises OSError and HTTPException."""
        connection = http.client.HTTPConnection("docker", timeout=TIMEOUT_S)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connected:
            connected.settimeout(TIMEOUT_S)
            connected.connect(str(self.socket))
            connection.sock = connected
            connection.request(method, path)
            return connection.getresponse().read()

    def close(self) -> None:
        """Remove all containers, stop, and remove what it leaves on the host: its bridge, its rules, its mounts."""
        if self.runs:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._remove_containers()
            self.stop()
        if self._networks:
            self._remove_rules()
            _run("ip", "link", "delete", self.part.bridge)
        sweep(self.part.scope, settle_s=0)
        shutil.rmtree(self.part.directory, ignore_errors=True)

    def _make_bridge(self) -> None:
        gateway = f"{self.part.subnet.network_address + 1}/{self.part.subnet.prefixlen}"
        subprocess.run(["ip", "link", "add", self.part.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", gateway, "dev", self.part.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.part.bridge, "up"], check=True)

    def _remove_rules(self) -> None:
        """Rules with our bridge or subnet in them; and Docker's chains, unless they were there before us."""
        for table, chains in CHAINS:
            new = {chain for chain in chains if (table, chain) not in self._chains_before}
            for rule in _rules(table):
                ours = self.part.bridge in rule or str(self.part.subnet) in rule
                if rule[0] == "-A" and (ours or new & set(rule)):
                    _run("iptables", "-w", "-t", table, "-D", *rule[1:])
            for chain in new:
                _run("iptables", "-w", "-t", table, "-X", chain)


def _chains() -> set[tuple[str, str]]:
    """Docker's chains that are there now."""
    return {(table, rule[1]) for table, chains in CHAINS for rule in _rules(table) if rule[1] in chains}


def _rules(table: str) -> list[list[str]]:
    done = _run("iptables", "-w", "-t", table, "-S")
    return [line.split() for line in done.splitlines()]


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout
