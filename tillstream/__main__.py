"""`python -m tillstream` is the command line."""

from tillstream.cli import main

main()
