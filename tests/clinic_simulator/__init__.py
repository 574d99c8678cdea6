"""The clinic simulator: an on-premises PIMS in a process of its own, spoken to over HTTP.

`staff` is what the practice's people do at their screens, `agent_face` what an agent may ask and write, `control` what
a test does to it (its clock, its faults, its backups). `store` keeps the records and what the agent can see of them
yet, `dialects` says how Cornerstone and AVImark differ, `seed` invents a practice, `faults` misbehaves on request.
"""
