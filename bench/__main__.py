"""`python -m bench [scenario …] [--full]`; README.md says how to read what it prints."""

import sys

from bench.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
