"""What runs in the site's interpreter, with its settings: python -m <this> SOCKET."""
