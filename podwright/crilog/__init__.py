"""The CRI log format: the files in which container runtimes store containers' output.

One record per line: RFC 3339 time, stream, tags, text. CRI has no call for logs, so clients read and rotate the
files: the command line, the agent and the runtime share this room. It imports none of them, and no gRPC. The format
is "CRI logging" in the Kubernetes repository, `kuberuntime/logs`, and the design document named there.

`records` and `times` parse, `lines` joins records to lines, `tail` finds the last lines of a file, and `follow` reads
a file while it grows and is rotated.
"""
