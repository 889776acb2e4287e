"""The program: settings, command line, wiring, and the embedded servers."""

__version__ = "0.1.0"
