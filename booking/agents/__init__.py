"""Agents: the line to a program beside an on-premises PIMS, which only ever connects outward: to us.

`tokens` lets it in, `lease` gives one running instance the line, `pages` keeps what it pushes until sync has read it,
`calls` hands out what it is asked to do and hears what became of it. `relay` is the other end of the line, which
adapters use. All of it goes through PostgreSQL, so that any web process may talk to the agent and any worker ask it;
`wakes` tells each of them that something came.
"""
