"""validate.py SCHEMA LEAST DOCUMENT...: there are LEAST documents or more, each is valid, and would not be if a required member were missing."""

import json
import os
import sys

import jsonschema


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def load_all(path):
    """The documents of a file: a case may run lint more than once, and say something in between."""
    with open(path, encoding="utf-8") as file:
        text = "\n" + file.read()
    at = text.find("\n{")
    while at >= 0:
        document, end = json.JSONDecoder().raw_decode(text, at + 1)
        yield document
        at = text.find("\n{", end)


def references(result):
    """The places of a SARIF result and of what it refers to."""
    for location in result.get("locations", []) + result.get("relatedLocations", []):
        yield location["physicalLocation"]


def check_sarif(document):
    """What the standard asks for and a schema cannot say: indices that lead to what they name."""
    for run in document["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"], "ruleIndex"
            assert "suppressions" in result, "suppressions: all or none"
            for place in references(result):
                artifact = run["artifacts"][place["artifactLocation"]["index"]]
                assert artifact["location"]["uri"] == place["artifactLocation"]["uri"], "artifact index"
                region = place["region"]
                assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])


def main():
    schema = load(sys.argv[1])
    validator = jsonschema.validators.validator_for(schema)(schema)
    name = os.path.basename(sys.argv[1])
    documents = [(os.path.basename(path), document) for path in sys.argv[3:] for document in load_all(path)]
    for path, document in documents:
        for error in validator.iter_errors(document):
            sys.exit(f"{name}: {path}: {error.json_path}: {error.message}")
        if "runs" in document:
            check_sarif(document)
        for member in schema["required"]:
            broken = {key: value for key, value in document.items() if key != member}
            if validator.is_valid(broken):
                sys.exit(f"{name}: a document without {member} passes for valid")
    if len(documents) < int(sys.argv[2]):
        sys.exit(f"{name}: only {len(documents)} documents")
    print(f"{name}: {len(documents)} documents valid")


main()
