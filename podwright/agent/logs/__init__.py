"""The log files of containers: runtimes write them, and the agent rotates them."""
