"""Judges OCI runtimes, their limits, and the monitor. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts, OciRuntimeFacts
from podwright.doctor.finding import Finding, missing, note, ok, warning
from podwright.doctor.judge.docker import UNUSED
from podwright.doctor.remedy import CONMON, CRIU, CRUN, install

OLDEST_CONMON = (2, 0, 18)  # --full-attach, --sync
# NEWS of crun: the check of ociVersion was dropped in 1.14.2.
CRUN_WITHOUT_VERSION_CHECK = (1, 14, 2)
# NEWS of crun: "chown std streams" came with 1.3, "never chown devices" (its issue 1845) with 1.24.
CRUN_GIVES_STDIO_AWAY, CRUN_LEAVES_DEVICES = (1, 3), (1, 24)


def runtimes(facts: Facts) -> Finding:
    """At least one OCI runtime must work."""
    if facts.docker is not None:
        return ok(UNUSED)
    working = [runtime for runtime in facts.runtimes if not runtime.program.error]
    broken = [f"{each.name} ({each.program.error})" for each in facts.runtimes if each.program.error]
    if not working:
        cost = "no container can start"
        if not broken:
            return missing("none", cost=cost, remedy=install(CRUN, facts.host))
        remedy = _repair(*(each.program.path for each in facts.runtimes))
        return missing(f"none works: {', '.join(broken)}", cost=cost, remedy=remedy)
    shown = ", ".join(f"{each.name} {each.program.version} ({each.program.path})" for each in working)
    if broken:
        remedy = _repair(*(each.program.path for each in facts.runtimes if each.program.error))
        return warning(f"{shown}; broken: {', '.join(broken)}", cost="pods of that handler fail", remedy=remedy)
    return ok(shown)


def crun_hybrid(facts: Facts) -> Finding:
    """crun rejects a hybrid host while the unified hierarchy holds a controller (all versions so far)."""
    crun = _named(facts, "crun")
    if crun is None:
        return ok(_no_crun(facts))
    held = sorted(facts.cgroups.unified_controllers)
    if facts.cgroups.layout != "hybrid" or not held:
        return ok("no controller in its way")
    remedy = "; ".join(
        f"mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}" for name in held
    )
    found = f"the unified hierarchy of this hybrid host holds {', '.join(held)}"
    others = [each.name for each in facts.runtimes if each.name != "crun" and not each.program.error]
    if others:
        cost = f"crun {crun.program.version} refuses to start containers; {others[0]} does"
        return warning(found, cost=cost, remedy=remedy)
    return missing(found, cost=f"crun {crun.program.version} refuses to start containers", remedy=remedy)


def crun_oci_version(facts: Facts) -> Finding:
    """Older versions of crun reject an ociVersion newer than 1.0.x."""
    crun = _named(facts, "crun")
    if crun is None:
        return ok(_no_crun(facts))
    if crun.program.numbers and crun.program.numbers < CRUN_WITHOUT_VERSION_CHECK:
        return note(
            f"crun {crun.program.version} takes no ociVersion newer than 1.0.x",
            cost="none for Podwright, which writes the lowest version that a container needs; other tools may fail",
        )
    return ok("any version is taken")


def crun_stdio(facts: Facts) -> Finding:
    """Some versions of crun give their standard streams to the container's user, including the host's /dev/null."""
    crun = _named(facts, "crun")
    if crun is None:
        return ok(_no_crun(facts))
    if CRUN_GIVES_STDIO_AWAY <= crun.program.numbers < CRUN_LEAVES_DEVICES:
        return note(
            f"crun {crun.program.version} changes the owner of a device that is its standard input or output",
            cost="none for Podwright, which gives it pipes; other tools may leave /dev/null to a container",
            remedy="crun 1.24 leaves devices alone",
        )
    return ok("devices keep their owner")


def runtime_features(facts: Facts) -> Finding:
    """Features that the runtimes report. Older ones cannot report them."""
    parts, silent = [], []
    for runtime in facts.runtimes:
        if runtime.features is None:
            silent.append(runtime.name)
        else:
            parts.append(_feature_words(runtime))
    shown = "; ".join(parts)
    if silent:
        return note(
            "; ".join([*parts, f"{', '.join(silent)}: features not reported"]),
            cost="features such as ID-mapped and recursively read-only mounts are taken as absent there",
            remedy="crun reports them from 1.8.6, runc from 1.1.0",
        )
    return ok(shown or "no runtime")


def _feature_words(runtime: OciRuntimeFacts) -> str:
    features = runtime.features
    if features is None:
        return runtime.name
    names = {
        "seccomp": features.seccomp,
        "AppArmor": features.apparmor,
        "SELinux": features.selinux,
        "ID-mapped mounts": features.idmapped_mounts,
        "recursive read-only mounts": features.recursive_read_only,
    }
    held = ", ".join(name for name, has in names.items() if has)
    return f"{runtime.name}: spec up to {features.oci_version_max}, {held}"


def conmon(facts: Facts) -> Finding:
    """The monitor of every container."""
    if facts.docker is not None:
        return ok(UNUSED)
    program = facts.conmon
    if program is None:
        return missing("not found", cost="no container can start", remedy=install(CONMON, facts.host))
    if program.error:
        return missing(
            f"{program.path} fails: {program.error}", cost="no container can start", remedy=_repair(program.path)
        )
    if program.numbers and program.numbers < OLDEST_CONMON:
        return warning(
            f"{program.version}", cost="this version is older than all tested ones", remedy=install(CONMON, facts.host)
        )
    return ok(f"{program.version} ({program.path})")


def criu(facts: Facts) -> Finding:
    """CRIU is only needed for checkpoints."""
    cost = "containers cannot be checkpointed (the call answers UNIMPLEMENTED)"
    if facts.criu is None:
        return note("not found", cost=cost, remedy=install(CRIU, facts.host))
    if facts.criu.error:
        return note(f"{facts.criu.path} fails: {facts.criu.error}", cost=cost, remedy=_repair(facts.criu.path))
    return ok(f"{facts.criu.version} ({facts.criu.path})")


def _repair(*paths: str) -> str:
    """For programs that are installed and do not say their version, because they are broken or the machine is slow."""
    commands = "; ".join(f"{path} --version" for path in paths)
    return f"see why this fails or takes long, and reinstall it if need be: {commands}"


def _no_crun(facts: Facts) -> str:
    """Why nothing is said of crun."""
    is_installed = any(each.name == "crun" for each in facts.runtimes)
    return "crun does not answer (see OCI runtimes)" if is_installed else "crun is not installed"


def _named(facts: Facts, name: str) -> OciRuntimeFacts | None:
    return next((each for each in facts.runtimes if each.name == name and not each.program.error), None)
