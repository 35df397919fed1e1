"""What this machine lacks to run pods: what is missing, what it costs, and the command that mends it.

`gather` looks (effects), `judge` decides (pure functions of `facts`), `checks` lists what is judged, `report` words
it. The CLI calls `examine` and the report. Changes nothing that outlives the look.
"""
