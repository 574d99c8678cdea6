"""The demo PIMS: a small practice system of our own making, in its own process, spoken to over HTTP.

It stands in for a vendor's product, so it shares nothing with vetslot: not the database, not the shapes, not the words.
`interface` answers the outside, `staff` does what the practice's people do at their screens, `page` shows them the day,
`store` keeps the records, `seed` invents them, `faults` misbehaves on request.
"""
