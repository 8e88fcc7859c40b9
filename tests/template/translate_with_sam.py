"""Expand a SAM template into plain CloudFormation, as AWS does at deployment. Runs in SAM's own environment.

Standard input: {"template": source text, "parameters": {name: value}, "layer": s3 address}. Standard output: the
expanded template as JSON. Fails with the translator's own message.
"""

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
json.dump(Translator({}, Parser()).translate(template, request["parameters"]), sys.stdout)
