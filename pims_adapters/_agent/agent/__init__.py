"""The reference agent: a program that runs beside an on-premises PIMS and speaks for it.

`run` is its life: hello, then `feeds` and `calls` until it is stopped or gives way. `line` is HTTP to vetslot, `source`
what it asks of a PIMS (`simulator` is one), `journal` what must outlive a crash, `folder` where that is kept.
"""
