"""What a browser sees, and how the parts are put together: embed script, booking pages, console, command line."""
