"""The staff's part of the API: for the console and for programs that a practice has given a key."""
