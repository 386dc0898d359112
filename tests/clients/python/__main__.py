"""Runs the tests of this directory, or of the one in it that is named. The clients' own log lines are left out."""

import logging
import sys
import unittest
from pathlib import Path

logging.disable(logging.CRITICAL)
unittest.main(module=None, argv=["python", "discover", "-v", "-s", str(Path(__file__).parent.joinpath(*sys.argv[1:]))])
