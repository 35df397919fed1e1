"""What this machine lacks to run pods: what is missing, what that costs, and how to fix it.

`gather` inspects (effects), `judge` decides (pure functions of `facts`), `checks` lists the judgements, `report`
prints them. The CLI calls `examine` and the report. It leaves no changes behind.
"""
