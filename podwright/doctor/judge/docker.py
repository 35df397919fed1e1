"""Judges the Docker Engine, where it runs the pods. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, missing, ok, warning

OLDEST_API = (1, 41)
UNUSED = 'not used: engine = "docker"'


def engine(facts: Facts) -> Finding:
    """It must answer, be new enough, and let containers outlive it."""
    docker = facts.docker
    if docker is None:
        return ok('not used: engine = "native"')
    if docker.error:
        return missing(
            f"{docker.socket} does not answer: {docker.error}",
            cost="no pod can start",
            remedy="start dockerd, or set docker.socket to its socket",
        )
    if docker.api < OLDEST_API:
        return missing(
            f"Docker Engine {docker.version} is too old",
            cost="the daemon does not start",
            remedy="install Docker Engine 20.10 or newer",
        )
    shown = f"{docker.version} ({docker.socket}, {docker.storage})"
    if not docker.live_restore:
        return warning(
            f"{shown}, without live-restore",
            cost="all pods end when dockerd is restarted or upgraded",
            remedy='set "live-restore": true in /etc/docker/daemon.json',
        )
    return ok(shown)
