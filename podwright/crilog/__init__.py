"""The CRI log format: the files in which container runtimes keep what containers write.

One record a line: RFC 3339 time, stream, tags, text. CRI has no call for logs, so that whoever shows or rotates them
reads the files: the command line, the agent and the runtime share this room. It imports none of them, and nothing of
gRPC. The format: "CRI logging" in the Kubernetes repository, `kuberuntime/logs` and the design document it names.

`records` and `times` parse, `lines` joins records to lines, `tail` finds the last lines of a file, `follow` reads a
file as it grows and is rotated.
"""
