"""Every SQL statement of vetslot: one statement a function, a module per table group, rows decoded into structs."""
