"""Where registry credentials are kept: Docker's config file, and the helper programs that it names.

`docker_config` reads the file and finds the entry for an image. `helper` runs a program. Used by the runtime, the
agent and the command line, each for its own user. Messages and reprs contain no secrets.
"""
