"""The JSON API: the only part of `booking` that knows Litestar; `routes` has it all."""
