"""The node's log writer: a program that reads the output of shims' containers and writes their logs in CRI's format.

A shim copies a container's output to fifos, and whoever reads them must not go away: a full fifo stops the container.
So it is not the daemon that reads, but this process, which outlives it. One serves all containers of a node: its
memory is spent once, and starting a container costs one message. If it is killed, nothing is lost either: the shim
keeps the fifos open, and the daemon starts another writer.

It is started with a listening socket (SOCK_SEQPACKET) as descriptor 3. Each connection sends one JSON object:

    {"do": "open", "id", "log", "limit", "streams": {"stdout": FIFO, ...}}
                              read these from now on. A known id stays as it is. A limit is for the log, in bytes
    {"do": "reopen", "id"}    write to a new file at the log's path, unless the one there is ours already
    {"do": "drained", "id"}   answered when the streams have ended and all is in the log
    {"do": "attach", "id"}    after the answer, output comes as messages: a byte (1 stdout, 2 stderr) and data
    {"do": "close", "id"}     forget it
    {"do": "end"}             end, if there are no containers
    {"do": "leave"}           end at once: another writer reads on

and gets {"error": ""} or a reason. Without containers it ends by itself after IDLE_S.

`records` and `log` are what it writes, `program` is its loop. Standard library only, so that it starts fast and stays
small.
"""
