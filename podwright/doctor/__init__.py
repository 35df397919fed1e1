"""What this machine lacks to run pods: what is missing, what that costs, and how to fix it.

`gather` inspects (effects), `judge` decides (pure functions of `facts`) and makes a `finding` with a `remedy`,
`checks` lists the judgements, `report` prints them, `options` are the paths to inspect. The CLI calls `examine` and
the report. It leaves no changes behind.
"""
