"""Print the API's schema: ``python -m catalog.api > docs/reference/openapi.json``."""

import sys

from catalog.api.openapi import schema_text

sys.stdout.write(schema_text())
