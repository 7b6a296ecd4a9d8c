"""Run the handler that _HANDLER names: ``python -m <this package>``."""

from .start import main

main()
