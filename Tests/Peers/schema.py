"""What a published validator says of texts: reads {"schema": …, "texts": […]}, and prints for each text what is wrong with it, as PLACE: KEYWORD."""

import json
import sys

import jsonschema
import yaml

given = json.load(sys.stdin)
kind = jsonschema.validators.validator_for(given["schema"])
kind.check_schema(given["schema"])
validator = kind(given["schema"], format_checker=jsonschema.FormatChecker())


def faults(text):
    try:
        value = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return ["/: yaml"]
    return ["/" + "/".join(map(str, e.absolute_path)) + ": " + e.validator for e in validator.iter_errors(value)]


print(json.dumps([faults(text) for text in given["texts"]]))
