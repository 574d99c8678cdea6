"""Configure: what staff may change of the practice's set-up.

Every change is checked, stands in one transaction with its entry in the audit log, and is followed by the next offer.
"""
