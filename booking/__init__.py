"""What a practice and its clients do: identify, offer, hold, book, request; sync, write-back and messages."""
