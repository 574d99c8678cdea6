"""A double of ezyVet's interface, written from public documents and code; the adapter's README says from which."""
