"""Feature gates: names, defaults, and the meaning of a choice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from podwright.agent.config.known_gates import KNOWN, NEEDS
from podwright.spelling import nearest

# Gates that change what this agent does. Any other gate that is set is named in a warning.
HONOURED = frozenset(
    {
        "AllAlpha",
        "AllBeta",
        "CPUManagerPolicyAlphaOptions",
        "CPUManagerPolicyBetaOptions",
        "CRIListStreaming",
        "CSIVolumeHealth",
        "ComponentFlagz",
        "ComponentStatusz",
        "ContainerCheckpoint",
        "ContainerStopSignals",
        "CustomCPUCFSQuotaPeriod",
        "DisableCPUQuotaWithExclusiveCPUs",
        "ExtendWebSocketsToKubelet",
        "GracefulNodeShutdown",
        "GracefulNodeShutdownBasedOnPodPriority",
        "InPlacePodLevelResourcesVerticalScaling",
        "InPlacePodVerticalScalingExclusiveCPUs",
        "InPlacePodVerticalScalingExclusiveMemory",
        "InPlacePodVerticalScalingInitContainers",
        "KubeletCrashLoopBackOffMax",
        "KubeletEnsureSecretPulledImages",
        "KubeletServiceAccountTokenForCredentialProviders",
        "LoggingAlphaOptions",
        "MemoryQoS",
        "NodeDeclaredFeatures",
        "PodCertificateRequest",
        "PodLevelResourceManagers",
        "PodLogsQuerySplitStreams",
        "PodReadyToStartContainersCondition",
        "PodsAPI",
        "ResourceHealthStatus",
        "RestartAllContainersOnContainerExits",
        "RotateKubeletServerCertificate",
        "SELinuxMount",
        "UserNamespacesHostNetworkSupport",
    }
)
_FOR_ALL_OF = {"AllAlpha": "Alpha", "AllBeta": "Beta"}


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One gate. `stage` is Alpha, Beta, GA or Deprecated. A locked gate keeps its default."""

    name: str
    stage: str
    default: bool
    locked: bool


GATES = {name: Gate(name=name, stage=stage, default=default, locked=locked) for name, stage, default, locked in KNOWN}


def enabled(chosen: Mapping[str, bool]) -> Mapping[str, bool]:
    """Every gate's state under a choice without `problems`."""
    states = {name: gate.default for name, gate in GATES.items()}
    for switch, stage in _FOR_ALL_OF.items():
        if switch in chosen:
            states |= {gate.name: chosen[switch] for gate in GATES.values() if gate.stage == stage}
    return MappingProxyType(states | {name: GATES[name].default for name in _FOR_ALL_OF} | dict(chosen))


def problems(chosen: Mapping[str, bool]) -> list[str]:
    """Why a kubelet would refuse the choice: unknown gates, locked ones, and gates whose needs are off."""
    found = []
    for name, state in chosen.items():
        gate = GATES.get(name)
        if gate is None:
            near = nearest(name, GATES)
            found.append(f"there is no feature gate {name}" + (f", did you mean {near}?" if near else ""))
        elif gate.locked and state is not gate.default:
            found.append(f"feature gate {name} is locked to {str(gate.default).lower()}")
    if found:
        return found
    states = enabled(chosen)
    for name, needs in NEEDS.items():
        missing = [need for need in needs if states[name] and not states[need]]
        if missing:
            found.append(f"feature gate {name} is on but needs {', '.join(missing)}, which is off")
    return found


def remarks(chosen: Mapping[str, bool]) -> list[str]:
    """Remarks for the user: which chosen gates are deprecated, and which change nothing here."""
    leaving = [f"{name} ({GATES[name].stage})" for name in chosen if GATES[name].stage in {"GA", "Deprecated"}]
    idle = [name for name in chosen if name not in HONOURED]
    found = [f"feature gates that a later release drops: {', '.join(leaving)}"] if leaving else []
    return found + ([f"feature gates that change nothing here: {', '.join(idle)}"] if idle else [])
