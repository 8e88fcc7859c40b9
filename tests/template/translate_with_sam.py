"""Expand a SAM template into plain CloudFormation, as AWS does at deployment. Runs in SAM's own environment.

Standard input: {"template": source text, "parameters": [{name: value}, ...], "layer": s3 address}. Standard output: a
JSON list of the expanded templates, one for each set of parameters. Fails with the translator's own message.
"""

import copy
import json
import logging
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# It mentions at every run that feature switches are unset.
logging.disable(logging.WARNING)

request = json.load(sys.stdin)
template = yaml_parse(request["template"])
for resource in template["Resources"].values():
    # The translator takes code from a bucket only; `sam package` has put it there by then.
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/function"
    if resource["Type"] == "AWS::Serverless::LayerVersion":
        resource["Properties"]["ContentUri"] = request["layer"]
expanded = [
    Translator({}, Parser()).translate(copy.deepcopy(template), parameters) for parameters in request["parameters"]
]
json.dump(expanded, sys.stdout)
