"""The command line. `app` is the entry point. Each command is a module in `commands`, loaded when it is called.

Commands use CRI with any endpoint. Only `serve`, `config`, `run`, `bench` and `doctor` import other rooms, when
called. No room below imports this one.

Every command: `invocation`, `options`, `connection`, `failures`, `files`, `lookup`, `each`, `optional_calls` and
`own_api`.
Output: `table`, `sheet`, `output`, `states`, `since`. Pods of the agent: `agent_socket`, `agent_pods`, `pod_summary`,
`description` (`description_containers`, `description_volumes`), `agent_help`. Pulls and archives: `image_pull`,
`pull_display`, `credentials`, `oci_layout`. Sessions: `remote_session`, `terminal`, `detach`, `stdio`,
`port_forwarding`, `port_mapping`. Logs: `log_source`, `log_writer`. `cri_config` reads the files of `runp` and
`create`, `run_reporter` is the output of `run`.
"""
