"""How a practice gets its PIMS connected: asked for, switched on, set up, tried, live, and paused.

`steps` has what staff do, in order; `survey` reads a PIMS without writing anything; `mapping` says which of the PIMS's
columns, types and words are which of ours.
"""
