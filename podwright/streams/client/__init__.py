"""The client's side on sockets: exec, attach and port-forward by the URL that a CRI server answered.

Used by the command line and the agent. `command.run_command` runs an exec or attach session, and
`port_forward.forwarding` holds a session that carries any number of forwarded connections.
"""
