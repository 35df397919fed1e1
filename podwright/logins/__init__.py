"""Where registry credentials are kept: Docker's config file, and the helper programs that it names.

`docker_config` reads the file and says which entry an image needs; `helper` asks a program. Used by the runtime, the
agent and the command line, each for its own user. Secrets are in no message and no repr.
"""
