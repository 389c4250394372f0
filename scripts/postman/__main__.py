"""`python -m postman DESCRIPTION COLLECTION` reads the first file and writes the second."""

import json
import sys
from pathlib import Path

from postman.collection import collection
from postman.description import Description, Incomplete
from postman.walk import WALK

description, written = map(Path, sys.argv[1:])
try:
    made = collection(Description.read(description), WALK)
except Incomplete as error:
    sys.exit(f"postman: {error}")
written.write_text(json.dumps(made, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
