# Holds TOML manifests to a JSON Schema: prints the names of those that it refuses, with the reason.
# Arguments: the schema, and a directory of *.toml.
import json, pathlib, sys, tomllib
import jsonschema

schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for path in sorted(pathlib.Path(sys.argv[2]).glob("*.toml")):
    error = jsonschema.exceptions.best_match(validator.iter_errors(tomllib.loads(path.read_text())))
    if error is not None:
        where = "/".join(str(step) for step in error.absolute_path)
        print(f"{path.stem}\t{where}: {error.message[:300]}")
