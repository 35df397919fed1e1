"""Makes CRI's messages from pods, as the kubelet does. Pure except for `builder`, `preparation` and `files`.

`builder` gathers the inputs. `sandbox` makes the PodSandboxConfig and `container`, after `preparation`, the
ContainerConfig. Their parts have a module each:

environment  `environment`, `downward`, `env_file`, `expansion`, `service_links`, `objects` (ConfigMaps and Secrets)
names        `hostname`, `hosts`, `dns`, `resolv_conf`, `addresses`, `port_mappings`, `labels`, `logs`
resources    `resources`, `cpu`, `memory_qos`, `huge_pages`, `oom`, `devices`
security     `security`, `namespaces`, `profiles`, `sysctls`
files        `mounts`, `volumes`, `files`

`node` has the facts of this machine, `ports` lists what the room needs of others, `go_quote` is Go's quoting.
"""
