"""A real agent with the gate `PodsAPI`: what a watcher gets of a static pod, from its file to its end."""

from __future__ import annotations

import itertools

import grpc
import pytest

from podwright.conformance.patience import patient
from podwright.kubelet_grpc import pods_pb2, pods_pb2_grpc
from tests.harness.agent import AgentProcess
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch
from tests.k8s.protobuf.documents import pod_of

pytestmark = pytest.mark.root

WAIT_S = patient(120.0)
WEB = """
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: default, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {image}
    command: [sh, -c, 'trap exit TERM; sleep 1000 & wait']
    resources: {{limits: {{memory: 64Mi}}}}
"""


def test_a_static_pod_s_life(scratch: Scratch, podwright_server: Podwright, busybox_image: str) -> None:
    part = scratch.part("pods-api")
    with (
        AgentProcess(part, podwright_server.endpoint, {"featureGates": {"PodsAPI": True}}) as agent,
        grpc.insecure_channel(f"unix://{agent.root}/pods-api/pods-api.sock") as channel,
    ):
        stub = pods_pb2_grpc.PodsStub(channel)
        events = stub.WatchPods(pods_pb2.WatchPodsRequest(), timeout=WAIT_S)
        assert next(events).type == pods_pb2.INITIAL_SYNC_COMPLETE
        agent.write("web.yaml", WEB.format(image=busybox_image))
        kinds, phases = [], []
        for event in events:
            pod = pod_of(event.pod)
            kinds.append(event.type)
            if event.type == pods_pb2.DELETED:
                break
            phases.append(pod["status"]["phase"])
            if phases.count("Running") == 1 and phases[-1] == "Running":
                listed = [pod_of(each) for each in stub.ListPods(pods_pb2.ListPodsRequest(), timeout=WAIT_S).pods]
                agent.remove("web.yaml")
        assert kinds == [pods_pb2.ADDED, *[pods_pb2.MODIFIED] * (len(kinds) - 2), pods_pb2.DELETED]
        assert [phase for phase, _ in itertools.groupby(phases)][:2] == ["Pending", "Running"]
        (web,) = listed
        assert web["metadata"]["labels"] == {"app": "web"}
        assert web["spec"]["containers"][0]["resources"]["limits"] == {"memory": "64Mi"}
        assert web["status"]["containerStatuses"][0]["state"].keys() == {"running"}
        assert stub.ListPods(pods_pb2.ListPodsRequest(), timeout=WAIT_S).pods == []
