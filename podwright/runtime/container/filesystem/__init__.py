"""A container's files on the host. Everything here blocks or is pure, and knows no service but that of images.

`root` makes and removes all of it, at `paths`: `overlays` of an image's layers, `image_volumes`, `image_directories`,
and the mounts of the request, whose `sources` it resolves. `staging` prepares those that some OCI runtimes cannot
make. `devices` are not files of the container: the spec lists them.
"""
