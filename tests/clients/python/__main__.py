"""Runs the tests of this directory, or of the named subdirectory. Suppresses the clients' own log lines."""

import logging
import sys
import unittest
from pathlib import Path

logging.disable(logging.CRITICAL)
unittest.main(module=None, argv=["python", "discover", "-v", "-s", str(Path(__file__).parent.joinpath(*sys.argv[1:]))])
