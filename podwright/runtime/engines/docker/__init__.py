"""An engine whose pods are containers of a Docker Engine on this host: CRI translated to its API.

`engine` ties the services together. `api` is the Engine's HTTP API. `host` has containers in the Engine as typed
calls, and `bodies` makes the requests that create them.

Pods: `sandboxes`, with `sandbox_steps` and `pause`. Containers: `containers`, `creating`, `running`,
`stdio` and `logs`, which share `container_environment`. Images: `images`, `image_tools`, `image_users`,
`image_values`. The node: `node`, `facts`. `feed` listens to the Engine's events, and `reconciling` corrects the
records by them.

What the Engine can do: `refusals`, `missing`, `settings`. Values: `labels`, `limits`, `cgroup_names`, `process_user`,
`state`.
"""
