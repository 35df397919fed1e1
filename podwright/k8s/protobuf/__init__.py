"""Kubernetes' own protobuf encoding of a Pod, for interfaces that carry one as bytes.

`pod.proto` has the messages (`tools/pod_proto` takes them from Kubernetes), `encoding` fills them. Its import takes
memory and time for the messages, so that only those who need it import it, when they do.
"""
