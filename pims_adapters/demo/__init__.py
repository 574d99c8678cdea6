"""The demo adapter: speaks to the demo PIMS in `clinic/`, over HTTP only."""
