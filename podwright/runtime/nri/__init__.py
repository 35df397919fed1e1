"""The Node Resource Interface: plug-ins that observe and change pods and containers. See `service`."""
