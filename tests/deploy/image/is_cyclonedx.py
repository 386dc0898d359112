"""Succeeds if a file is a strictly valid CycloneDX 1.5 document in JSON."""

import sys
from pathlib import Path
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
problem = JsonStrictValidator(SchemaVersion.V1_5).validate_str(Path(sys.argv[1]).read_text())
sys.exit(str(problem) if problem else 0)
