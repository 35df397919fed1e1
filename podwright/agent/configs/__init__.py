"""From pods of the API to messages of CRI, as the kubelet builds them. Pure but for `builder` and `files`.

`builder` gathers what the messages depend on. `sandbox` makes the PodSandboxConfig and `container`, after
`preparation`, the ContainerConfig. A module each has what goes into them:

environment  `environment`, `downward`, `env_file`, `expansion`, `service_links`, `objects` (ConfigMaps and Secrets)
names        `hostname`, `hosts`, `dns`, `resolv_conf`, `addresses`, `port_mappings`, `labels`, `logs`
resources    `resources`, `cpu`, `memory_qos`, `huge_pages`, `oom`, `devices`
security     `security`, `namespaces`, `profiles`, `sysctls`
files        `mounts`, `volumes`, `files`

`node` has the facts of this machine, `ports` what is needed of other rooms, `go_quote` Go's quoting.
"""
