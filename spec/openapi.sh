#!/bin/sh
# openapi.sh MOULT -- check the OpenAPI document of a depot's API by a validator of the specification.
#
# It takes the Debian package python3-openapi-spec-validator; without it, 77: skipped.
set -eu
moult=$1
cd "$(dirname "$0")/.."
python3 -c 'from openapi_spec_validator import OpenAPIV31SpecValidator' 2>/dev/null || {
  echo "openapi.sh: no python3-openapi-spec-validator here"
  exit 77
}
document=$(mktemp)
trap 'rm -f "$document"' EXIT
"$moult" spec/support/openapi_document.lua >"$document"
python3 - "$document" <<'PYTHON'
import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

document = json.load(open(sys.argv[1]))
faults = list(OpenAPIV31SpecValidator(document).iter_errors())
for fault in faults:
    print("/".join(str(part) for part in fault.absolute_path), fault.message[:200])
names = [row["operationId"] for path in document["paths"].values() for row in path.values()]
twice = sorted({name for name in names if names.count(name) > 1})
for name in twice:
    print("operationId", name, "comes twice")
print(f"openapi.sh: {len(document['paths'])} paths, {len(names)} operations, {len(faults) + len(twice)} faults")
sys.exit(1 if faults or twice else 0)
PYTHON
