"""The Node Resource Interface: plug-ins that observe and change pods and containers.

`service` listens to the life cycle for all `plugins`. A `plugin` is called over a `connection` through a `mux`, by
messages of `api`. `describing` makes messages of our records, `gathering` combines what plug-ins want, `adjusting`
puts it into a spec, and `validating` rejects what the configuration forbids.
"""
