"""The transport that on-premises systems share: an agent beside the PIMS connects to us and speaks `protocol`.

A folder of such a system is a `Dialect` (its words, its rhythm, what it asks for) and a class that is an `AgentAdapter`
with those of `abilities` that the system allows. What keeps a write from being lost or doubled is here and the same
for all: the marker, the key of a call, looking before sending again, reading back.
"""
