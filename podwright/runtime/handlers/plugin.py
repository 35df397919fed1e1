"""Handlers from other Python packages.

A package names a factory in its entry points:

    [project.entry-points."podwright.handlers"]
    bubblewrap = "podwright_bubblewrap:Bubblewrap"

Then `type = "bubblewrap"` in [handlers.NAME] is a handler that the factory makes. A package that cannot be imported,
takes too long for it, or raises when its kind is made or asked, costs only the pods of its own handlers.
docs/handlers.md shows one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from podwright.errors import InvalidArgument
from podwright.linux.cgroup import CgroupHost
from podwright.process import ProcessRunner
from podwright.runtime.config import ENTRY_POINTS, Config, ForeignHandlerSettings
from podwright.runtime.entry_points import Offer, offers
from podwright.runtime.handlers.protocol import HandlerKind

log = logging.getLogger(__name__)

IMPORT_S = 30.0


class KindContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory gets.

    `settings` are its handlers of the configuration by name, each an instance of the factory's `settings`. `config` is
    the daemon's whole configuration: `root` and `state` are its directories, in which a kind has one of its own name.
    """

    config: Config
    settings: Mapping[str, Any]
    runner: ProcessRunner
    cgroups: CgroupHost


class HandlerFactory(Protocol):
    """What an entry point leads to."""

    @property
    def settings(self) -> type[msgspec.Struct]:
        """The keys that [handlers.NAME] takes besides `type`. With `forbid_unknown_fields`, others are refused."""

    def __call__(self, context: KindContext) -> HandlerKind:
        """The kind with its handlers. Whatever it raises is the reason why pods of its handlers cannot run."""


def load(config: Config, runner: ProcessRunner, cgroups: CgroupHost) -> tuple[list[HandlerKind], dict[str, str]]:
    """The kinds that the configuration names, and by handler why one is broken.

    Nothing is imported that no handler asks for. Raises InvalidArgument for keys that a kind does not take.
    """
    kinds: list[HandlerKind] = []
    broken: dict[str, str] = {}
    wanted: dict[str, dict[str, ForeignHandlerSettings]] = {}
    for name, settings in config.handlers.items():
        if isinstance(settings, ForeignHandlerSettings):
            wanted.setdefault(settings.kind, {})[name] = settings
    for kind, handlers in wanted.items():
        try:
            (offer,) = (each for each in offers(ENTRY_POINTS) if each.name == kind)
            factory = _imported(offer)
            given = {name: _settings(name, factory, one) for name, one in handlers.items()}
            kinds.append(factory(KindContext(config=config, settings=given, runner=runner, cgroups=cgroups)))
        except InvalidArgument:
            raise
        except (Exception, SystemExit) as failure:  # noqa: BLE001 # foreign code may raise anything
            reason = f"its package fails: {type(failure).__name__}: {failure}"
            log.error("handlers cannot be used: type=%s handlers=%s reason=%s", kind, sorted(handlers), reason)  # noqa: TRY400 # said in one line
            broken.update(dict.fromkeys(handlers, reason))
    return kinds, broken


def _imported(offer: Offer) -> HandlerFactory:
    """Import a package. Raises what the import raises, and TimeoutError. Blocks: at start nothing else goes on yet.

    A thread whose import never returns cannot be ended, but it does not keep the daemon from ending.
    """
    found: list[HandlerFactory] = []
    failures: list[BaseException] = []

    def load() -> None:
        try:
            found.append(offer.load())
        except BaseException as failure:  # noqa: BLE001 # it is raised below
            failures.append(failure)

    importing = threading.Thread(target=load, name=f"import {offer.place}", daemon=True)
    importing.start()
    importing.join(IMPORT_S)
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError(f"{offer.place} is not imported within {IMPORT_S:g} s")
    return found[0]


def _settings(name: str, factory: HandlerFactory, given: ForeignHandlerSettings) -> msgspec.Struct:
    try:
        return msgspec.convert(given.keys, factory.settings)
    except msgspec.ValidationError as failure:
        raise InvalidArgument(f"config: handlers.{name}: {failure}") from failure
