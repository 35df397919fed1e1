"""The gRPC interfaces between a kubelet and the plug-ins of a node, as protos of our own wording with their stubs.

One proto per interface and version. The stubs beside them are generated: change the proto, then `make proto`.
"""
